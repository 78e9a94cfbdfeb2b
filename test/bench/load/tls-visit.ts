// One visitor of the FTPS soak: its control connection, implicit or explicit, and what it opens besides.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { Target } from './jobs.ts'

/** The explicit listener is one port above the implicit one. */
export type How = 'implicit' | 'explicit'

export class TlsVisit {
  readonly target: Target
  readonly #sockets: Socket[] = []
  #control: Socket | null = null
  #raw: Socket | null = null
  #text = ''
  #wake: () => void = () => undefined
  session: Buffer | null = null

  constructor(target: Target) {
    this.target = target
  }

  portOf(how: How): number {
    return this.target.at.port + (how === 'implicit' ? 0 : 1)
  }

  /** Up to the greeting, with TLS. */
  async begin(how: How = 'implicit', options: ConnectionOptions = {}): Promise<void> {
    const raw = await this.open(this.portOf(how))
    this.#raw = raw
    this.#listen(raw)
    if (how === 'explicit') {
      await this.reply()
      await this.ask('AUTH TLS')
    }
    await this.#secure(raw, options)
    if (how === 'implicit') await this.reply()
  }

  async login(how: How = 'implicit', options: ConnectionOptions = {}): Promise<void> {
    await this.begin(how, options)
    await this.ask(`USER ${this.target.user}`)
    await this.ask('PASS mischief@example.net')
    if (how === 'explicit') {
      await this.ask('PBSZ 0')
      await this.ask('PROT P')
    }
  }

  say(text: string): void {
    if (this.#control?.writable === true) this.#control.write(text, 'latin1')
  }

  async ask(command: string): Promise<string> {
    this.#text = ''
    this.say(`${command}\r\n`)
    return this.reply()
  }

  /** What came up to the end of a reply, or of the connection. */
  async reply(): Promise<string> {
    while (!/^\d{3} [^\n]*\n/m.test(this.#text) && this.#control?.destroyed === false)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    return this.#text
  }

  /** After CCC: what follows is in clear. */
  goOnInClear(): void {
    if (this.#raw === null) return
    this.#control?.removeAllListeners('data')
    this.#listen(this.#raw)
  }

  async dataPort(): Promise<number> {
    const port = /\(\|\|\|(\d+)\|\)/.exec(await this.ask('EPSV'))?.[1]
    if (port === undefined) throw new Error('no data port')
    return Number(port)
  }

  /** A TCP connection to the system under test. */
  async open(port: number): Promise<Socket> {
    const socket = connect({ host: this.target.at.address, port })
    socket.on('error', () => undefined)
    this.#sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }

  /** TLS on a data connection; `session` null is a stranger. */
  async openData(port: number, session = this.session): Promise<{ raw: Socket; secure: TLSSocket }> {
    const raw = await this.open(port)
    const secure = tlsConnect({
      socket: raw,
      rejectUnauthorized: false,
      ...(session === null ? {} : { session }),
    })
    secure.on('error', () => undefined)
    return { raw, secure }
  }

  renegotiate(): void {
    const control = this.#control
    if (control !== null && 'renegotiate' in control) (control as TLSSocket).renegotiate({}, () => undefined)
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#wake()
  }

  async #secure(raw: Socket, options: ConnectionOptions): Promise<void> {
    raw.removeAllListeners('data')
    const secure = tlsConnect({ socket: raw, rejectUnauthorized: false, ...options })
    secure.on('session', (session: Buffer) => {
      this.session = session
    })
    this.#listen(secure)
    await once(secure, 'secureConnect')
  }

  #listen(socket: Socket): void {
    this.#control = socket
    this.#text = ''
    socket.on('error', () => undefined)
    socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1')
      this.#wake()
    })
    socket.on('close', () => this.#wake())
    socket.resume()
  }
}
