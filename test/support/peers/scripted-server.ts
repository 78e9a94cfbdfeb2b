import { connect, createServer, type Server, type Socket } from 'node:net'
import { Arrivals, within } from './patience.ts'
import { Wire } from './wire.ts'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** A line from the proxy. `'RETR a b'`: verb `RETR`, argument `'a b'`. */
export interface ReceivedCommand {
  readonly verb: string
  readonly argument: string
  readonly line: string
}

/** What the server does with one control connection, from before its greeting on. */
export type Script = (visit: Visit) => Promise<void>

/** One control connection as the server sees it, with the data connections that belong to it. */
export class Visit {
  readonly wire: Wire
  /** Who connected: the proxy, from the address that the server sees. */
  readonly from: Endpoint
  readonly at: Endpoint
  /** Lines as they came. */
  readonly lines: string[] = []
  /** Every connection of this visit, for the end of the test. */
  readonly sockets: Socket[] = []
  #door: Server | null = null
  #target: Endpoint | null = null
  #arrivals = new Arrivals<Wire>()

  constructor(socket: Socket) {
    this.wire = new Wire(socket)
    this.sockets.push(socket)
    this.from = { address: plain(socket.remoteAddress), port: socket.remotePort ?? 0 }
    this.at = { address: plain(socket.localAddress), port: socket.localPort ?? 0 }
  }

  reply(line: string): void {
    void this.wire.send(`${line}\r\n`)
  }

  /** Null when the proxy has finished. */
  async nextCommand(): Promise<ReceivedCommand | null> {
    let line: string
    try {
      line = await this.wire.readLine()
    } catch (error) {
      if (this.wire.ending !== null) return null
      throw error
    }
    this.lines.push(line)
    const space = line.indexOf(' ')
    return {
      verb: (space < 0 ? line : line.slice(0, space)).toUpperCase(),
      argument: space < 0 ? '' : line.slice(space + 1),
      line,
    }
  }

  /** Listens for data connections and gives the port; several may come. */
  async listen(): Promise<number> {
    this.closeDoor()
    this.#target = null
    // Whoever came for an earlier transfer and was not taken belongs to nobody.
    const arrivals = new Arrivals<Wire>()
    this.#arrivals = arrivals
    const door = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.sockets.push(socket)
      arrivals.add(new Wire(socket))
    })
    this.#door = door
    await new Promise<void>((resolve, reject) => {
      door.once('error', reject)
      door.listen({ host: this.at.address, port: 0 }, resolve)
    })
    const bound = door.address()
    if (bound === null || typeof bound === 'string') throw new Error('the data port is not bound')
    return bound.port
  }

  /** The next `data()` connects there, from the address that the proxy knows. */
  target(endpoint: Endpoint): void {
    this.closeDoor()
    this.#target = endpoint
  }

  /** What the proxy named in PORT or EPRT. */
  get targeted(): Endpoint | null {
    return this.#target
  }

  /** The data connection: the next that came, or the one that is made now. */
  async data(): Promise<Wire> {
    if (this.#target === null) return this.#arrivals.next('a data connection at the server')
    const socket = connect({
      host: this.#target.address,
      port: this.#target.port,
      localAddress: this.at.address,
      allowHalfOpen: true,
    })
    socket.pause()
    this.sockets.push(socket)
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    await within(connected, { what: 'the data connection to the proxy' })
    return new Wire(socket)
  }

  closeDoor(): void {
    this.#door?.close()
    this.#door = null
  }

  close(): void {
    this.closeDoor()
    for (const socket of this.sockets) socket.destroy()
  }
}

export interface ScriptedServer extends Endpoint {
  readonly visits: readonly Visit[]
  nextVisit(): Promise<Visit>
  /** Errors that a script threw; a test that expects none looks here at its end. */
  readonly failures: readonly unknown[]
  close(): void
}

/** A server on a port that the system chose, if none is given, which does what the script says. */
export async function startScriptedServer({
  script,
  host = '127.0.0.1',
  port = 0,
}: {
  readonly script: Script
  readonly host?: string
  readonly port?: number
}): Promise<ScriptedServer> {
  const visits: Visit[] = []
  const failures: unknown[] = []
  const arrivals = new Arrivals<Visit>()
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const visit = new Visit(socket)
    visits.push(visit)
    arrivals.add(visit)
    script(visit).catch((error: unknown) => failures.push(error))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 511 }, resolve)
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server is not bound')
  return {
    address: host,
    port: bound.port,
    visits,
    failures,
    nextVisit: () => arrivals.next('a control connection at the server'),
    close: () => {
      server.close()
      for (const visit of visits) visit.close()
    },
  }
}

function plain(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:/, '')
}
