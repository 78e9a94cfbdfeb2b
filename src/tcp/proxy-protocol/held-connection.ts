import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Connection, ConnectionError, ConnectionEvents, DirectAccess } from '../connection.ts'

/** What the first bytes of a connection turned out to be. */
export interface Introduction {
  /** Whom the connection is from. */
  readonly remote: Endpoint
  /** Length in bytes of the introduction, which is not part of what is said. */
  readonly length: number
}

export interface Introducer {
  /** Looks at the first bytes each time there are more; null where they do not tell yet. */
  look(bytes: Buffer): Introduction | null
  /** The client is known: the connection is ready to be handed on. */
  introduced(): void
  /** No more will come. */
  ended(): void
}

/**
 * A connection whose first bytes are looked at before it is handed on: its peer is who they say, and what was read beyond
 * them is read again by whoever starts it.
 */
export class HeldConnection implements Connection, ConnectionEvents {
  remote: Endpoint
  readonly #inner: Connection
  #introducer: Introducer | null
  #unread: Buffer = NOTHING
  #events: ConnectionEvents | null = null
  #lost: ((error: ConnectionError) => void) | null = null
  #isPaused = false
  #isTelling = false
  #hasEnded = false
  /** What ended it, while it has not been started. */
  #closed: { readonly error: ConnectionError | null } | null = null

  constructor(inner: Connection, introducer: Introducer) {
    this.#inner = inner
    this.remote = inner.remote
    this.#introducer = introducer
    inner.start(this)
  }

  get fd(): number | null {
    return this.#inner.fd
  }

  get unsentBytes(): number {
    return this.#inner.unsentBytes
  }

  get unacknowledgedBytes(): number {
    return this.#inner.unacknowledgedBytes
  }

  /** What was read already cannot be read again from the socket. */
  get direct(): DirectAccess | null {
    return this.#unread.length === 0 && !this.#hasEnded ? this.#inner.direct : null
  }

  local(): Endpoint | null {
    return this.#inner.local()
  }

  start(events: ConnectionEvents): void {
    this.#events = events
    this.#isPaused = false
    this.#tellSoon()
  }

  pause(): void {
    this.#isPaused = true
    this.#inner.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#hasNothingToTell()) this.#inner.resume()
    else this.#tellSoon()
  }

  write(text: string): void {
    this.#inner.write(text)
  }

  writeBytes(bytes: Uint8Array, byteCount: number): void {
    this.#inner.writeBytes(bytes, byteCount)
  }

  end(lastWord?: string): void {
    this.#inner.end(lastWord)
  }

  close(lastWord?: string): void {
    this.#inner.close(lastWord)
  }

  destroy(error?: ConnectionError): void {
    this.#inner.destroy(error)
  }

  reset(): void {
    this.#inner.reset()
  }

  keepAlive(silenceMs: number): void {
    this.#inner.keepAlive(silenceMs)
  }

  keepUrgent(): void {
    this.#inner.keepUrgent()
  }

  whenClosed(closed: () => void): void {
    this.#inner.whenClosed(closed)
  }

  whenLost(lost: (error: ConnectionError) => void): void {
    this.#lost = lost
  }

  // What the connection tells.

  received(bytes: Buffer, byteCount: number): boolean {
    if (this.#events !== null && this.#unread.length === 0) return this.#events.received(bytes, byteCount)
    this.#unread = Buffer.concat([this.#unread, bytes.subarray(0, byteCount)])
    this.#look()
    return this.#introducer !== null
  }

  ended(): void {
    this.#hasEnded = true
    if (this.#introducer !== null) this.#introducer.ended()
    else if (this.#events !== null) this.#tellSoon()
  }

  drained(): void {
    this.#events?.drained()
  }

  closed(error: ConnectionError | null): void {
    if (this.#events !== null) {
      this.#events.closed(error)
      return
    }
    this.#closed = { error }
    if (this.#introducer !== null) this.#introducer.ended()
    else if (error !== null) this.#lost?.(error)
  }

  #hasNothingToTell(): boolean {
    return this.#unread.length === 0 && !this.#hasEnded && this.#closed === null
  }

  #look(): void {
    const introducer = this.#introducer
    const introduction = introducer?.look(this.#unread) ?? null
    if (introducer === null || introduction === null) return
    this.remote = introduction.remote
    this.#unread = this.#unread.subarray(introduction.length)
    this.#introducer = null
    introducer.introduced()
  }

  /** Never from within a call. */
  #tellSoon(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    setImmediate(() => {
      this.#isTelling = false
      this.#tell()
    })
  }

  #tell(): void {
    const events = this.#events
    if (events === null) return
    if (this.#closed !== null) {
      events.closed(this.#closed.error)
      return
    }
    if (this.#isPaused) return
    const unread = this.#unread
    this.#unread = NOTHING
    if (unread.length > 0 && !events.received(unread, unread.length)) this.#isPaused = true
    if (this.#isPaused) return
    if (this.#hasEnded) {
      this.#hasEnded = false
      events.ended()
    } else {
      this.#inner.resume()
    }
  }
}

const NOTHING: Buffer = Buffer.alloc(0)
