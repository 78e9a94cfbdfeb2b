// A client for the server beside it: explicit, implicit or plain, PROT C or P, passive or active, IPv4 or IPv6. Its data
// connections resume the session of its control connection.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { isIPv6, type Socket } from 'node:net'
import { type ConnectionOptions, TLSSocket, connect as tlsConnect } from 'node:tls'
import type { TlsMode } from './ftps-server.ts'
import { listenForOne, ownSockets, type PeerSockets } from './own-sockets.ts'
import { payload } from './payload.ts'

export interface FtpsVisit {
  readonly address: string
  readonly port: number
  readonly mode: TlsMode
  readonly isPrivate: boolean
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  /** What it says in the hello of its control connection, beside what it has to. */
  readonly hello?: ConnectionOptions
  /** Absent: joe. */
  readonly user?: string
  /** Absent: here. */
  readonly sockets?: PeerSockets
}

export type DataVerb = 'PASV' | 'EPSV' | 'PORT' | 'EPRT'

export class FtpsClient {
  readonly #visit: FtpsVisit
  #control: Socket
  #text = ''
  #wake: () => void = () => undefined
  #session: Buffer | null = null

  /** Logs in, with PROT as asked. */
  static async login(visit: FtpsVisit): Promise<FtpsClient> {
    const { address, port, mode, isPrivate, user = 'joe', sockets = ownSockets } = visit
    const socket = sockets.connect({ address, port })
    await once(socket, 'connect')
    const client = new FtpsClient(visit, socket)
    if (mode === 'implicit') await client.#secure()
    await client.reply(220)
    if (mode === 'explicit') {
      await client.ask('AUTH TLS', 234)
      await client.#secure()
    }
    await client.ask(`USER ${user}`, 331)
    await client.ask('PASS x', 230)
    if (mode !== 'plain') {
      await client.ask('PBSZ 0', 200)
      await client.ask(`PROT ${isPrivate ? 'P' : 'C'}`, 200)
    }
    return client
  }

  private constructor(visit: FtpsVisit, control: Socket) {
    this.#visit = visit
    this.#control = control
    this.#listen()
  }

  async ask(line: string, code: number): Promise<string> {
    this.#control.write(`${line}\r\n`)
    return this.reply(code)
  }

  /** Errors: another reply than that, or none. */
  async reply(code: number): Promise<string> {
    while (!this.#text.includes('\r\n')) {
      if (this.#control.destroyed || this.#control.readableEnded)
        throw new Error(`the connection ended before ${code}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const end = this.#text.indexOf('\r\n')
    const line = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 2)
    if (!line.startsWith(String(code))) throw new Error(`${line} came instead of ${code}`)
    return line
  }

  /** Gives the SHA-256 of what came. */
  async download(verb: DataVerb, byteCount: number): Promise<string> {
    const data = await this.#data(verb)
    const begun = this.ask(`RETR ${byteCount}`, 150)
    const socket = await this.#protect(await data())
    await begun
    const hash = createHash('sha256')
    for await (const chunk of socket) hash.update(chunk)
    socket.end()
    await this.reply(226)
    return hash.digest('hex')
  }

  /** Gives the SHA-256 of what the server got; `isByteByByte`: every byte in a record of its own. */
  async upload(verb: DataVerb, byteCount: number, { isByteByByte = false } = {}): Promise<string> {
    const data = await this.#data(verb)
    const begun = this.ask('STOR a', 150)
    const socket = await this.#protect(await data())
    await begun
    const bytes = payload(byteCount)
    if (isByteByByte) {
      for (const byte of bytes) await new Promise((sent) => socket.write(Buffer.of(byte), sent))
      socket.end()
    } else {
      socket.end(bytes)
    }
    socket.resume()
    return (await this.reply(226)).slice(4)
  }

  /** What a data connection could be resumed with. */
  get session(): Buffer | null {
    return this.#session
  }

  /** Comes to its own data port as somebody with that session would: how many bytes it got, and what this client then hears. */
  async downloadAs(session: Buffer | null): Promise<{ readonly byteCount: number; readonly reply: string }> {
    const reached = await this.#data('EPSV')
    const begun = this.ask('RETR 1000', 150)
    const socket = this.#connect(await reached(), session === null ? {} : { session })
    let byteCount = 0
    socket.on('data', (bytes: Buffer) => {
      byteCount += bytes.length
    })
    const closed = new Promise<void>((resolve) => {
      for (const event of ['error', 'close', 'end']) socket.on(event, () => resolve())
    })
    // Which of the two comes first is the server's to choose.
    const first = await begun.catch((error: Error) => error.message)
    const reply = first.startsWith('150')
      ? await this.reply(522).catch((error: Error) => error.message)
      : first
    await closed
    socket.destroy()
    return { byteCount, reply }
  }

  /** Whose certificate the control connection showed: `'edge'`. */
  get certificateName(): string {
    if (!(this.#control instanceof TLSSocket)) throw new Error('the control connection is in clear')
    return String(this.#control.getPeerCertificate().subject.CN)
  }

  async quit(): Promise<void> {
    await this.ask('QUIT', 221)
    this.#control.destroy()
  }

  destroy(): void {
    this.#control.destroy()
  }

  async #data(verb: DataVerb): Promise<() => Promise<Socket>> {
    const { address, sockets = ownSockets } = this.#visit
    if (verb === 'PASV' || verb === 'EPSV') {
      const line = await this.ask(verb, verb === 'PASV' ? 227 : 229)
      const numbers = (/\(([\d,]+)\)/.exec(line)?.[1] ?? '').split(',').map(Number)
      const port = Number(/\|(\d+)\|\)/.exec(line)?.[1] ?? (numbers[4] ?? 0) * 256 + (numbers[5] ?? 0))
      return async () => {
        const socket = sockets.connect({ address, port })
        await once(socket, 'connect')
        return socket
      }
    }
    const { at, accepted } = await listenForOne(sockets, this.#control.localAddress ?? '')
    await this.ask(
      verb === 'EPRT'
        ? `EPRT |${isIPv6(at.address) ? 2 : 1}|${at.address}|${at.port}|`
        : `PORT ${at.address.replaceAll('.', ',')},${at.port >> 8},${at.port & 255}`,
      200,
    )
    return () => accepted
  }

  async #protect(raw: Socket): Promise<Socket> {
    const { mode, isPrivate } = this.#visit
    if (mode === 'plain' || !isPrivate) return raw
    const secure = this.#connect(raw, this.#session === null ? {} : { session: this.#session })
    await once(secure, 'secureConnect')
    if (!secure.isSessionReused()) throw new Error('the data connection did not resume')
    return secure
  }

  async #secure(): Promise<void> {
    this.#control.removeAllListeners('data')
    const secure = this.#connect(this.#control, this.#visit.hello ?? {})
    secure.on('session', (session: Buffer) => {
      this.#session = session
    })
    this.#control = secure
    this.#listen()
    await once(secure, 'secureConnect')
  }

  #connect(socket: Socket, more: ConnectionOptions): TLSSocket {
    const { version } = this.#visit
    return tlsConnect({
      socket,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
      ...more,
    })
  }

  #listen(): void {
    this.#control.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1')
      this.#wake()
    })
    for (const event of ['end', 'close', 'error']) this.#control.on(event, () => this.#wake())
    this.#control.resume()
  }
}
