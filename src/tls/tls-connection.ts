import type { Endpoint } from '../ftp/endpoints.ts'
import type { TlsProblem } from '../kernel/openssl-failure.ts'
import { ENDED, type OpensslStream, TRUNCATED, WANTS_READ, WANTS_WRITE } from '../kernel/openssl-stream.ts'
import type { Connection, ConnectionError, ConnectionEvents, DirectAccess, Found } from '../tcp/connection.ts'
import { readBehindEnd } from './behind-end.ts'
import { endTls, goOnInClear } from './clear.ts'
import { brokenOff, errorOf, errorOfRead, notCleared, TIMED_OUT } from './connection-error.ts'
import { onlyClosed, type TlsConnectionOptions } from './connection-options.ts'
import { HandshakeTimer } from './handshake-timer.ts'
import { FLOOD, LATER, MORE, RECORD_BYTES, RecordReader, recordBuffer } from './record-reader.ts'

/** A connection that speaks TLS: OpenSSL reads and writes the descriptor of another one itself. */
export class TlsConnection implements Connection {
  readonly remote: Endpoint
  /** Bytes that are encrypted cannot be moved by the kernel. */
  readonly direct: null = null
  readonly #options: TlsConnectionOptions
  readonly #raw: Connection
  readonly #access: DirectAccess
  readonly #stream: OpensslStream
  readonly #records: RecordReader
  #events: ConnectionEvents | null = null
  readonly #timer: HandshakeTimer
  #state: 'shaking' | 'secure' | 'clearing' | 'failed' = 'shaking'
  #isPaused = false
  #hasEnded = false
  #ending: 'not' | 'finish' | 'close' = 'not'
  #hasFinished = false
  #unsent: Buffer[] = []
  #unsentBytes = 0

  /** Errors: a plain `Error` for a connection of Node's make. */
  constructor(options: TlsConnectionOptions) {
    const { raw, stream, isData, handshakeMs } = options
    if (raw.direct === null) throw new Error('TLS needs a connection of the epoll make')
    this.#options = options
    this.#raw = raw
    this.#access = raw.direct
    this.#stream = stream
    this.#records = new RecordReader(stream)
    this.remote = raw.remote
    this.#timer = new HandshakeTimer(handshakeMs, () => this.#expired())
    if (!isData) this.#timer.start()
    raw.start(onlyClosed((error) => this.#closed(error)))
    this.#access.readBy(this.#readable)
    raw.resume()
    // A client speaks first; a failure is reported when the caller has returned.
    if (stream.context.role === 'client') process.nextTick(() => this.#shake())
  }

  get fd(): number | null {
    return this.#raw.fd
  }

  get unsentBytes(): number {
    return this.#unsentBytes
  }

  get unacknowledgedBytes(): number {
    return this.#raw.unacknowledgedBytes
  }

  /** What was agreed, and with whom. */
  get stream(): OpensslStream {
    return this.#stream
  }

  local(): Endpoint | null {
    return this.#raw.local()
  }

  start(events: ConnectionEvents): void {
    this.#events = events
    this.#steer()
  }

  pause(): void {
    this.#isPaused = true
    this.#steer()
  }

  resume(): void {
    this.#isPaused = false
    this.#steer()
  }

  write(text: string): void {
    const fits = text.length <= writeBuffer.length
    const bytes = fits ? writeBuffer : Buffer.from(text, 'latin1')
    this.writeBytes(bytes, fits ? writeBuffer.write(text, 'latin1') : bytes.length)
  }

  writeBytes(bytes: Uint8Array, byteCount: number): void {
    if (!this.#isOpen() || this.#ending !== 'not') return
    const mustWait = this.#unsentBytes > 0 || this.#state !== 'secure'
    const sent = mustWait ? 0 : this.#send(bytes, byteCount)
    if (sent === byteCount || !this.#isOpen()) return
    this.#unsent.push(Buffer.from(bytes.subarray(sent, byteCount)))
    this.#unsentBytes += byteCount - sent
  }

  end(lastWord = ''): void {
    if (lastWord !== '') this.write(lastWord)
    if (!this.#isOpen() || this.#ending !== 'not') return
    this.#ending = 'finish'
    if (this.#unsentBytes === 0) this.#finish()
  }

  close(lastWord = ''): void {
    if (lastWord !== '') this.write(lastWord)
    this.#ending = 'close'
    if (this.#isOpen() && this.#unsentBytes === 0) this.#finish()
  }

  /** TLS ends, the connection goes on: `cleared` gets it. What was written before is encrypted, what is meanwhile is not. */
  clear(cleared: (raw: Connection) => void): void {
    const parts = { raw: this.#raw, access: this.#access, stream: this.#stream, timer: this.#timer }
    // What the kernel has not taken could not be distinguished from what follows.
    if (this.#unsentBytes > 0 || this.#state !== 'secure') this.destroy()
    else endTls(parts, () => cleared(goOnInClear(parts.raw, { unsent: this.#unsent, ending: this.#ending })))
    this.#state = 'clearing'
  }

  destroy(error?: ConnectionError): void {
    this.#raw.destroy(error)
  }

  reset(): void {
    this.#raw.reset()
  }

  keepAlive(silenceMs: number): void {
    this.#raw.keepAlive(silenceMs)
  }

  keepUrgent(): void {
    this.#raw.keepUrgent()
  }

  whenLost(): void {} // Never: the handshake has been reading, and has heard of it.
  whenClosed(closed: () => void): void {
    this.#raw.whenClosed(closed)
  }

  #isOpen(): boolean {
    return this.#raw.fd !== null
  }

  /** The socket is read for the handshake, and then for whoever listens and has not paused. */
  #steer(): void {
    if (this.#state === 'shaking' || this.#state === 'clearing') return
    if (this.#events === null || this.#isPaused) this.#raw.pause()
    else this.#raw.resume()
  }

  readonly #readable = (): Found => {
    if (!this.#isOpen() || this.#state === 'failed') return 'nothing'
    if (this.#state === 'shaking') {
      this.#timer.start()
      return this.#shake() ? 'something' : 'nothing'
    }
    if (this.#events === null) return 'something'
    return this.#hasEnded ? readBehindEnd(this.#raw, this.#access) : this.#readRecords(this.#events)
  }

  /** True once it is secure. */
  #shake(): boolean {
    if (this.#state !== 'shaking' || !this.#isOpen()) return false
    const result = this.#stream.handshake()
    if (result === 1) return this.#shaken()
    if (result === WANTS_WRITE) this.#access.whenWritable(() => this.#shake())
    else if (result !== WANTS_READ) this.#fail(this.#stream.problem ?? brokenOff)
    return false
  }

  #shaken(): boolean {
    const { check, isData, secured } = this.#options
    const problem = check?.(this.#stream) ?? null
    if (problem !== null) {
      // Data that never came must not look like a file of nothing.
      if (isData) this.#raw.reset()
      else this.#stream.notifyEnd()
      this.#fail(problem)
      return false
    }
    this.#state = 'secure'
    this.#timer.stop()
    if (isData) this.#stream.readAhead()
    this.#steer()
    secured(null)
    if (this.#unsentBytes > 0 || this.#ending !== 'not') this.#writable()
    return true
  }

  #expired(): void {
    if (this.#state === 'clearing') this.#raw.destroy(notCleared('half a TLS record came after CCC'))
    else this.#fail(TIMED_OUT)
  }

  #fail(problem: TlsProblem): void {
    if (this.#state !== 'shaking') return
    this.#state = 'failed'
    this.#timer.stop()
    this.#raw.destroy(errorOf(problem))
    this.#options.secured(problem)
  }

  /** The other side gets what a turn brings in one write. */
  #readRecords(events: ConnectionEvents): Found {
    const result = this.#records.read()
    const { byteCount } = this.#records
    if (byteCount > 0 && !events.received(recordBuffer, byteCount)) this.pause()
    // What was read has ended TLS: a close_notify right behind it is what was waited for.
    if (this.#state !== 'secure') return 'something'
    if (result === MORE || !this.#isOpen()) return 'something'
    if (result === LATER) return 'little'
    if (result === WANTS_READ) return 'nothing'
    if (result === WANTS_WRITE) {
      // An answer to a KeyUpdate: nothing is read until it is out.
      this.#raw.pause()
      this.#access.whenWritable(this.#writable)
      return 'something'
    }
    if (result === FLOOD) this.#options.flooded?.()
    if (result === TRUNCATED && !this.#hasFinished) this.#options.truncated?.()
    const isExcused = this.#hasFinished || this.#options.truncation === 'accept'
    if (result === ENDED || (result === TRUNCATED && isExcused)) this.#ended(events)
    else this.#raw.destroy(errorOfRead(result, this.#stream.problem))
    return 'something'
  }

  #ended(events: ConnectionEvents): void {
    this.#hasEnded = true
    events.ended()
    if (this.#hasFinished) this.destroy()
  }

  /** The bytes that were taken; an error closes. */
  #send(bytes: Uint8Array, byteCount: number): number {
    let sent = 0
    while (sent < byteCount) {
      const rest = sent === 0 ? bytes : bytes.subarray(sent)
      const result = this.#stream.write(rest, byteCount - sent)
      if (result > 0) {
        sent += result
        continue
      }
      if (result === WANTS_WRITE || result === WANTS_READ) this.#access.whenWritable(this.#writable)
      else this.#raw.destroy(errorOf(this.#stream.problem ?? brokenOff))
      break
    }
    return sent
  }

  /** There is room again. */
  readonly #writable = (): void => {
    if (!this.#isOpen() || this.#state !== 'secure') return
    this.#steer()
    if (this.#unsentBytes > 0) {
      const [first, ...others] = this.#unsent
      const bytes = first !== undefined && others.length === 0 ? first : Buffer.concat(this.#unsent)
      const sent = this.#send(bytes, bytes.length)
      if (!this.#isOpen()) return
      this.#unsentBytes -= sent
      this.#unsent = this.#unsentBytes === 0 ? [] : [bytes.subarray(sent)]
      if (this.#unsentBytes > 0) return
      if (this.#ending === 'not') this.#events?.drained()
    }
    if (this.#ending !== 'not' && !this.#hasFinished) this.#finish()
  }

  /** Everything is written: close_notify, then FIN. */
  #finish(): void {
    if (this.#state === 'shaking') {
      // The handshake is not over: there is no TLS to end properly.
      if (this.#ending === 'close') this.#raw.close()
      return
    }
    if (this.#state === 'secure' && !this.#stream.notifyEnd()) {
      this.#access.whenWritable(this.#writable)
      return
    }
    this.#hasFinished = true
    this.#raw.end()
    if (this.#hasEnded || this.#ending === 'close') this.destroy()
  }

  #closed(error: ConnectionError | null): void {
    this.#timer.stop()
    this.#stream.free()
    this.#unsent = []
    this.#unsentBytes = 0
    this.#fail(brokenOff)
    this.#events?.closed(error)
  }
}

/** All connections write out of this. */
const writeBuffer = Buffer.allocUnsafeSlow(RECORD_BYTES)
