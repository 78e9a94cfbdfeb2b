// TLS over a connection whose bytes travel one at a time, both ways, and that goes on in clear after it (CCC).

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import { within } from './patience.ts'

export class CutTls {
  readonly #socket: Socket
  readonly #secure: TLSSocket
  readonly #ended: Promise<void>
  #isClear = false
  #text = ''
  #sending: Promise<void> = Promise.resolve()
  #wake: () => void = () => undefined

  /** Says hello on a connection that has been promised TLS; nothing else may read it. */
  static async begin(socket: Socket, version: 'TLSv1.2' | 'TLSv1.3'): Promise<CutTls> {
    const client = new CutTls(socket, version)
    await within(once(client.#secure, 'secureConnect'), { what: 'a handshake byte by byte' })
    return client
  }

  private constructor(socket: Socket, version: 'TLSv1.2' | 'TLSv1.3') {
    this.#socket = socket
    socket.removeAllListeners('data')
    const pipe = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        void this.#send(chunk).then(() => done())
      },
      // Of TLS, and not of the connection.
      final: (done) => done(),
    })
    socket.on('data', (bytes: Buffer) => {
      if (this.#isClear) this.#heard(bytes)
      else for (const byte of bytes) pipe.push(Buffer.of(byte))
    })
    socket.on('close', () => this.#wake())
    socket.resume()
    this.#secure = connect({
      socket: pipe,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
    })
    this.#secure.on('data', (bytes: Buffer) => this.#heard(bytes))
    this.#secure.on('error', () => undefined)
    this.#ended = new Promise((resolve) => this.#secure.once('end', resolve))
  }

  /** All of it in one record, or in clear. */
  say(text: string): void {
    if (this.#isClear) void this.#send(Buffer.from(text))
    else this.#secure.write(text)
  }

  async line(): Promise<string> {
    while (!this.#text.includes('\r\n') && !this.#socket.destroyed) {
      await within(
        new Promise<void>((resolve) => {
          this.#wake = resolve
        }),
        { what: 'a line' },
      )
    }
    const end = this.#text.indexOf('\r\n')
    const line = end < 0 ? this.#text : this.#text.slice(0, end)
    this.#text = end < 0 ? '' : this.#text.slice(end + 2)
    return line
  }

  async ask(line: string): Promise<string> {
    this.say(`${line}\r\n`)
    return this.line()
  }

  /** Our close_notify and theirs; from here on in clear. */
  async clear(): Promise<void> {
    this.#secure.end()
    await within(this.#ended, { what: 'their close_notify' })
    await this.#sending
    this.#isClear = true
  }

  close(): void {
    this.#socket.destroy()
  }

  #heard(bytes: Buffer): void {
    this.#text += bytes.toString('latin1')
    this.#wake()
  }

  /** Each byte in a segment of its own, in the order of the calls. */
  #send(bytes: Buffer): Promise<void> {
    this.#sending = this.#sending.then(async () => {
      for (const byte of bytes) {
        this.#socket.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    return this.#sending
  }
}
