import { createHash } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { hidesReset, sendUrgent } from './kernel.ts'
import { within } from './patience.ts'

/** How the other end finished: with FIN, with RST, or not (we closed first). */
export type Ending = 'fin' | 'reset' | 'closed'

export interface WireReply {
  readonly code: number
  /** The closing line. */
  readonly line: string
  /** All lines with their CRLF. */
  readonly text: string
}

/** Everything that came until the connection ended. */
export interface Collected {
  readonly byteCount: number
  readonly sha256: string
  readonly ending: Ending
}

export interface Door {
  readonly host: string
  readonly port: number
  /** The address that the connection comes from. */
  readonly from?: string
}

/**
 * One end of a TCP connection under full control: exact bytes, exact segments, FIN and RST when the test says so. It
 * reads nothing before it is asked to, and never answers a FIN by itself.
 */
export class Wire {
  readonly socket: Socket
  #text = ''
  #isReading = false
  #ending: Ending | null = null
  #wake: (() => void)[] = []

  /** `socket` is connected or connecting, paused and half-open capable. */
  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.once('end', () => this.#ended(hidesReset(socket) ? 'reset' : 'fin'))
    socket.once('error', () => this.#ended('reset'))
    socket.once('close', () => this.#ended('closed'))
  }

  /** Rejects when the connection is refused or reset at once. */
  static async connect({ host, port, from }: Door): Promise<Wire> {
    const socket = connect({ host, port, allowHalfOpen: true, ...(from && { localAddress: from }) })
    socket.pause()
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    await within(connected, { what: `a connection to ${host} port ${port}` })
    return new Wire(socket)
  }

  /** How the other end finished so far; null while it has not (or nothing was read). */
  get ending(): Ending | null {
    return this.#ending
  }

  /** What has been received and not been taken. */
  get text(): string {
    return this.#text
  }

  /** Resolves when the system has taken all of it, or never will. */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      const data = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
      this.socket.write(data, () => resolve())
    })
  }

  /** One segment for each byte. */
  async sendByteByByte(text: string): Promise<void> {
    for (const character of text) {
      await this.send(character)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** The last byte of `bytes` is urgent: TCP's URG pointer, as Telnet's Synch uses it. */
  sendUrgent(bytes: string): void {
    sendUrgent(this.socket, Buffer.from(bytes, 'latin1'))
  }

  /** Sends FIN and goes on reading. */
  halfClose(): void {
    this.socket.end()
  }

  /** Sends RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  /** close(2): FIN, or RST when something is unread. */
  close(): void {
    this.socket.destroy()
  }

  /** The next line without its line end. */
  async readLine(ms?: number): Promise<string> {
    await this.#until(() => this.#text.includes('\n'), 'a line', ms)
    const end = this.#text.indexOf('\n')
    const line = this.#text.slice(0, end).replace(/\r$/, '')
    this.#text = this.#text.slice(end + 1)
    return line
  }

  async readReply(): Promise<WireReply> {
    let text = ''
    for (;;) {
      const line = await this.readLine()
      text += `${line}\r\n`
      if (/^\d{3}( |$)/.test(line) && line.slice(0, 3) === text.slice(0, 3)) {
        return { code: Number(line.slice(0, 3)), line, text }
      }
    }
  }

  /** Everything until the other end finishes. */
  async readRest(): Promise<string> {
    await this.#until(() => this.#ending !== null, 'the end')
    const text = this.#text
    this.#text = ''
    return text
  }

  /** Waits for `byteCount` bytes in all and takes them. */
  async readBytes(byteCount: number): Promise<string> {
    await this.#until(() => this.#text.length >= byteCount, `${byteCount} bytes`)
    const text = this.#text.slice(0, byteCount)
    this.#text = this.#text.slice(byteCount)
    return text
  }

  /** How the other end finishes; what it sends meanwhile is kept. */
  async ended(ms?: number): Promise<Ending> {
    await this.#until(() => this.#ending !== null, 'the end of the connection', ms)
    return this.#ending ?? 'closed'
  }

  /** Reads all there is, for data connections: counts and hashes, keeps nothing. */
  collect({ ms }: { readonly ms?: number } = {}): Promise<Collected> {
    if (this.#isReading) throw new Error('this wire reads text already')
    this.#isReading = true
    const hash = createHash('sha256')
    let byteCount = 0
    this.socket.on('data', (bytes: Buffer) => {
      byteCount += bytes.length
      hash.update(bytes)
    })
    const collected = new Promise<Collected>((resolve) => {
      const done = () => resolve({ byteCount, sha256: hash.digest('hex'), ending: this.#ending ?? 'closed' })
      if (this.#ending === null) this.#wake.push(done)
      else done()
    })
    this.socket.resume()
    const soFar = () => `${byteCount} bytes`
    const what = 'the end of the data'
    return within(collected, ms === undefined ? { what, soFar } : { what, ms, soFar })
  }

  /** Stops reading; the kernel's buffers fill up. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  async #until(condition: () => boolean, what: string, ms?: number): Promise<void> {
    this.#readText()
    while (!condition()) {
      if (this.#ending !== null) {
        throw new Error(
          `connection ended (${this.#ending}) before ${what}; it said ${JSON.stringify(this.#text)}`,
        )
      }
      const woken = new Promise<void>((resolve) => this.#wake.push(resolve))
      const soFar = () => JSON.stringify(this.#text.slice(-500))
      await within(woken, ms === undefined ? { what, soFar } : { what, ms, soFar })
    }
  }

  #readText(): void {
    if (this.#isReading) return
    this.#isReading = true
    this.socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1')
      this.#wakeAll()
    })
    this.socket.resume()
  }

  #ended(ending: Ending): void {
    this.#ending ??= ending
    this.#wakeAll()
  }

  #wakeAll(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }
}
