import type { Openssl, Pointer } from './openssl.ts'

/** An SSL_SESSION: what one connection leaves behind for another to resume. It owns one reference. */
export class OpensslSession {
  readonly #openssl: Openssl
  #pointer: Pointer

  private constructor(openssl: Openssl, pointer: Pointer) {
    this.#openssl = openssl
    this.#pointer = pointer
  }

  /** Takes the reference over; null, and freed, when nothing can be resumed: TLS 1.3 before its first ticket came. */
  static take(openssl: Openssl, pointer: Pointer): OpensslSession | null {
    if (openssl.canResume(pointer) === 1) return new OpensslSession(openssl, pointer)
    openssl.freeSession(pointer)
    return null
  }

  /** A connection that is about to begin offers to resume it. */
  offerOn(ssl: Pointer): void {
    if (this.#pointer !== null) this.#openssl.useSession(ssl, this.#pointer)
  }

  /** Any number of times. */
  free(): void {
    if (this.#pointer !== null) this.#openssl.freeSession(this.#pointer)
    this.#pointer = null
  }
}
