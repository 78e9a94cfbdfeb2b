import { createServer, type Server } from 'node:net'
import { Arrivals } from './patience.ts'
import type { Endpoint } from './scripted-server.ts'
import { type Collected, Wire, type WireReply } from './wire.ts'

export type DataVerb = 'PASV' | 'EPSV' | 'PORT' | 'EPRT'

/** Where an active client waits for data connections. */
export interface ClientDoor extends Endpoint {
  /** The line that announces it: `PORT 127,0,0,1,28,37`. */
  readonly announcement: string
  accept(): Promise<Wire>
  /** Connections that came and nobody accepted. */
  readonly untaken: readonly Wire[]
  close(): void
}

/** A transfer as the client saw it. */
export interface Transferred {
  readonly data: Collected
  /** The codes that answered the transfer command: `[150, 226]`. */
  readonly codes: readonly number[]
}

/** A client that does exactly what it is told. */
export class ScriptedClient {
  readonly wire: Wire
  readonly #at: Endpoint
  readonly #doors: ClientDoor[] = []
  readonly #data: Wire[] = []

  private constructor(wire: Wire, at: Endpoint) {
    this.wire = wire
    this.#at = at
  }

  /** Connects, from a certain address of this machine where `from` says so; does not wait for the greeting. */
  static async connect(at: Endpoint, { from }: { readonly from?: string } = {}): Promise<ScriptedClient> {
    const wire = await Wire.connect({ host: at.address, port: at.port, ...(from && { from }) })
    return new ScriptedClient(wire, at)
  }

  /** The address that the proxy sees. */
  get address(): string {
    return this.wire.socket.localAddress ?? ''
  }

  reply(): Promise<WireReply> {
    return this.wire.readReply()
  }

  send(line: string): Promise<void> {
    return this.wire.send(`${line}\r\n`)
  }

  /** Sends a line and waits for a whole reply. */
  command(line: string): Promise<WireReply> {
    void this.send(line)
    return this.reply()
  }

  /** Reads the greeting and logs in. */
  async login(user = 'joe', password = 'secret'): Promise<this> {
    const codes = [
      await this.reply(),
      await this.command(`USER ${user}`),
      await this.command(`PASS ${password}`),
    ]
    const said = codes.map(({ line }) => line)
    if (codes[2]?.code !== 230) throw new Error(`no login: ${said.join(' / ')}`)
    return this
  }

  /** Sends PASV or EPSV and gives what was announced; throws when it was refused. */
  async passive(verb: 'PASV' | 'EPSV' = 'PASV'): Promise<Endpoint> {
    const reply = await this.command(verb)
    const endpoint = announced(reply.line, this.#at.address)
    if (endpoint === null) throw new Error(`${verb} was answered ${reply.line}`)
    return endpoint
  }

  /** Opens a data connection from the client's own address, or another one. */
  async connectData({ address, port }: Endpoint, from = this.address): Promise<Wire> {
    const wire = await Wire.connect({ host: address, port, from })
    this.#data.push(wire)
    return wire
  }

  /** Listens for data connections without telling anybody. */
  async openDoor(verb: 'PORT' | 'EPRT' = 'PORT'): Promise<ClientDoor> {
    const arrivals = new Arrivals<Wire>()
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      const wire = new Wire(socket)
      this.#data.push(wire)
      arrivals.add(wire)
    })
    const { address } = this
    const port = await listening(server, address)
    const family = address.includes(':') ? 2 : 1
    const door: ClientDoor = {
      address,
      port,
      announcement:
        verb === 'PORT'
          ? `PORT ${address.replaceAll('.', ',')},${port >> 8},${port & 255}`
          : `EPRT |${family}|${address}|${port}|`,
      accept: () => arrivals.next('a data connection at the client'),
      untaken: arrivals.untaken,
      close: () => server.close(),
    }
    this.#doors.push(door)
    return door
  }

  /** RETR, LIST and the like from the announcement of the data channel to the last reply. */
  async download(line: string, verb: DataVerb = 'PASV'): Promise<Transferred> {
    return this.#transfer(line, verb, receive)
  }

  /** STOR and the like. `data` of the result is what the server sent: nothing. */
  async upload(line: string, bytes: Uint8Array, verb: DataVerb = 'PASV'): Promise<Transferred> {
    return this.#transfer(line, verb, async (data) => {
      const rest = data.collect()
      if (bytes.length > 0) await data.send(bytes)
      data.halfClose()
      return rest
    })
  }

  close(): void {
    for (const door of this.#doors) door.close()
    for (const wire of this.#data) wire.socket.destroy()
    this.wire.socket.destroy()
  }

  async #transfer(
    line: string,
    verb: DataVerb,
    move: (data: Wire) => Promise<Collected>,
  ): Promise<Transferred> {
    const arriving = await this.#announce(verb)
    const codes: number[] = []
    void this.send(line)
    const connection = arriving()
    // A refused transfer has no data connection to wait for.
    connection.catch(() => undefined)
    const first = await this.reply()
    codes.push(first.code)
    if (first.code >= 200) throw new Error(`${line} was answered ${first.line}`)
    const data = await move(await connection)
    codes.push((await this.reply()).code)
    return { data, codes }
  }

  /** Sets a data channel up; gives what yields the connection. */
  async #announce(verb: DataVerb): Promise<() => Promise<Wire>> {
    if (verb === 'PASV' || verb === 'EPSV') {
      const endpoint = await this.passive(verb)
      return () => this.connectData(endpoint)
    }
    const door = await this.openDoor(verb)
    const reply = await this.command(door.announcement)
    if (reply.code !== 200) throw new Error(`${door.announcement} was answered ${reply.line}`)
    return () => door.accept()
  }
}

/** Reads a data connection to its end, then finishes too. */
export async function receive(data: Wire): Promise<Collected> {
  const collected = await data.collect()
  data.halfClose()
  return collected
}

/** Reads a 227 or a 229; a 229 means the address of the control connection. Null for any other reply. */
export function announced(line: string, control: string): Endpoint | null {
  const old = /^227 .*\(\s*(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)/.exec(line)
  if (old !== null) {
    const [a, b, c, d, high = 0, low = 0] = old.slice(1).map(Number)
    return { address: `${a}.${b}.${c}.${d}`, port: high * 256 + low }
  }
  const extended = /^229 .*\(\|\|\|(\d+)\|\)/.exec(line)
  return extended === null ? null : { address: control, port: Number(extended[1]) }
}

function listening(server: Server, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port: 0 }, () => {
      const bound = server.address()
      if (bound === null || typeof bound === 'string') reject(new Error('not bound'))
      else resolve(bound.port)
    })
  })
}
