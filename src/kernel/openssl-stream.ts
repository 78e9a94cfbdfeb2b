// An SSL on a descriptor: it owns one pointer, and every call after `free` is answered as by a broken connection.

import { EAGAIN } from './libc.ts'
import { constants, type Openssl, type Pointer } from './openssl.ts'
import { OpensslContext, type TlsVersion } from './openssl-context.ts'
import { type TlsProblem, takeProblem } from './openssl-failure.ts'
import { answerHello } from './openssl-hello.ts'
import { OpensslSession } from './openssl-session.ts'

/**
 * What a call came to, where it gave no bytes. `ENDED`: close_notify. `TRUNCATED`: FIN without one. `BROKEN`: see `problem`.
 * `EMPTY`: a record without data was read, such as KeyUpdate, and there may be more.
 */
export const WANTS_READ = -2
export const WANTS_WRITE = -3
export const ENDED = -4
export const TRUNCATED = -5
export const BROKEN = -6
export const EMPTY = -7

export interface StreamOptions {
  readonly fd: number
  /** Sessions are resumed only by connections with the same 16 bytes. */
  readonly binding?: Uint8Array | null
  /** Tickets after a full handshake, TLS 1.3. */
  readonly tickets?: number
  /** For a server: by the name that a client asks for; see `HelloAnswers`. */
  readonly contextFor?: (name: string) => OpensslContext | 'refuse' | null
  readonly isAlpnStrict?: boolean
  /** For a client: the name to ask for, and the name or address to insist on. */
  readonly serverName?: string | null
  readonly expects?: { readonly name: string } | { readonly address: string } | null
  readonly session?: OpensslSession | null
}

const noContext = () => null

export class OpensslStream {
  readonly #openssl: Openssl
  /** With which it began: its ticket keys are those of every connection that may resume. */
  readonly #context: OpensslContext
  readonly #contextFor: (name: string) => OpensslContext | 'refuse' | null
  readonly #isAlpnStrict: boolean
  #ssl: Pointer
  /** The peer listed `ftp` among its protocols (ALPN), and it was agreed upon. */
  isFtpAgreed = false
  /** Set with the first `BROKEN`. */
  problem: TlsProblem | null = null

  constructor(context: OpensslContext, options: StreamOptions) {
    const { openssl } = context
    this.#openssl = openssl
    this.#ssl = openssl.streamNew(context.pointer)
    if (this.#ssl === null) throw new Error('OpenSSL has no memory for another connection')
    this.#context = context.hold()
    this.#contextFor = options.contextFor ?? noContext
    this.#isAlpnStrict = options.isAlpnStrict !== false
    openssl.useDescriptor(this.#ssl, options.fd)
    if (context.role === 'server') this.#accept(options)
    else this.#connect(options)
  }

  get context(): OpensslContext {
    return this.#context
  }

  /** 1 when it is done, or one of the results above. */
  handshake(): number {
    const ssl = this.#ssl
    if (ssl === null) return BROKEN
    const openssl = this.#openssl
    openssl.clearErrors()
    const answers = {
      contextFor: this.#chooseContext,
      isAlpnStrict: this.#isAlpnStrict,
      agreed: this.#agreed,
    }
    const result = answerHello(answers, () => openssl.handshake(ssl))
    return result === 1 ? 1 : this.#resultOf(result)
  }

  /** The bytes read, or one of the results above. */
  read(bytes: Uint8Array, length: number): number {
    if (this.#ssl === null) return BROKEN
    this.#openssl.clearErrors()
    const count = this.#openssl.read(this.#ssl, bytes, length)
    if (count > 0) return count
    // It was cleared in there: what is left is of a socket that has nothing.
    const isDrained = this.#openssl.ffi.errno() === EAGAIN
    const result = this.#resultOf(count)
    return result === WANTS_READ && !isDrained ? EMPTY : result
  }

  /** The bytes taken, or one of the results above. What was not taken must be offered again. */
  write(bytes: Uint8Array, length: number): number {
    if (this.#ssl === null) return BROKEN
    this.#openssl.clearErrors()
    const count = this.#openssl.write(this.#ssl, bytes, length)
    return count > 0 ? count : this.#resultOf(count)
  }

  /** Sends close_notify, once. False when the socket takes no more for now. */
  notifyEnd(): boolean {
    if (this.#ssl === null || this.problem !== null) return true
    this.#openssl.clearErrors()
    const result = this.#openssl.shutdown(this.#ssl)
    const isFull = result < 0 && this.#openssl.errorOf(this.#ssl, result) === constants.SSL_ERROR_WANT_WRITE
    this.#openssl.clearErrors()
    return !isFull
  }

  /** For data connections, after the handshake; on a control connection it would hide bytes from epoll. */
  readAhead(): void {
    this.#openssl.readAhead(this.#ssl, 1)
  }

  /** A new ticket leaves with the next bytes that are written; nothing under TLS 1.2. */
  issueTicket(): void {
    if (this.#ssl === null || this.problem !== null) return
    this.#openssl.newTicket(this.#ssl)
    this.#openssl.clearErrors()
  }

  /** What may be resumed later, to be freed by the caller; null when it cannot. */
  session(): OpensslSession | null {
    if (this.#ssl === null) return null
    const session = this.#openssl.sessionOf(this.#ssl)
    return session === null ? null : OpensslSession.take(this.#openssl, session)
  }

  get isResumed(): boolean {
    return this.#openssl.wasResumed(this.#ssl) === 1
  }

  get protocol(): TlsVersion {
    return this.#openssl.protocolOf(this.#ssl) === 'TLSv1.2' ? 'TLSv1.2' : 'TLSv1.3'
  }

  /** `TLS_AES_256_GCM_SHA384` */
  get cipher(): string {
    const cipher = this.#openssl.cipherOf(this.#ssl)
    return cipher === null ? '' : this.#openssl.cipherName(cipher)
  }

  /** What the client asked for, or we did. */
  get serverName(): string | null {
    return this.#openssl.serverName(this.#ssl, constants.TLSEXT_NAMETYPE_host_name)
  }

  /** The peer's certificate in DER. A resumed session still knows it under TLS 1.2, and a client's under 1.3. */
  peerCertificate(): Uint8Array | null {
    const openssl = this.#openssl
    const certificate = openssl.peerCertificate(this.#ssl)
    if (certificate === null) return null
    const der = Buffer.alloc(Math.max(0, openssl.writeCertificate(certificate, null)))
    openssl.writeCertificate(certificate, BigUint64Array.of(openssl.ffi.address(der)))
    openssl.freeCertificate(certificate)
    return der
  }

  /** Any number of times; before its descriptor may mean something else. */
  free(): void {
    if (this.#ssl === null) return
    this.#openssl.streamFree(this.#ssl)
    this.#ssl = null
    this.#context.release()
  }

  #accept({ binding = null, tickets }: StreamOptions): void {
    const openssl = this.#openssl
    openssl.accepts(this.#ssl)
    if (binding !== null) openssl.bindSessions(this.#ssl, binding, binding.length)
    if (tickets !== undefined) openssl.tickets(this.#ssl, tickets)
  }

  #connect({ serverName = null, expects = null, session = null }: StreamOptions): void {
    const openssl = this.#openssl
    openssl.connects(this.#ssl)
    if (serverName !== null) {
      const text = Buffer.from(`${serverName}\0`, 'latin1')
      openssl.control(
        this.#ssl,
        constants.SSL_CTRL_SET_TLSEXT_HOSTNAME,
        constants.TLSEXT_NAMETYPE_host_name,
        text,
      )
    }
    if (expects !== null && 'name' in expects) openssl.expectName(this.#ssl, expects.name)
    else if (expects !== null) openssl.expectAddress(openssl.parameters(this.#ssl), expects.address)
    session?.offerOn(this.#ssl)
  }

  readonly #agreed = (): void => {
    this.isFtpAgreed = true
  }

  readonly #chooseContext = (ssl: bigint): Pointer | 'refuse' => {
    const name = this.#openssl.serverName(ssl, constants.TLSEXT_NAMETYPE_host_name)
    const chosen = name === null ? null : this.#contextFor(name)
    return chosen instanceof OpensslContext ? chosen.pointer : chosen
  }

  #resultOf(result: number): number {
    const openssl = this.#openssl
    const error = openssl.errorOf(this.#ssl, result)
    if (error === constants.SSL_ERROR_WANT_READ) return WANTS_READ
    if (error === constants.SSL_ERROR_WANT_WRITE) return WANTS_WRITE
    if (error === constants.SSL_ERROR_ZERO_RETURN) return ENDED
    const problem = takeProblem(openssl, this.#ssl, this.#context.role)
    this.problem ??= problem
    return problem.detail === EOF_TEXT ? TRUNCATED : BROKEN
  }
}

const EOF_TEXT = 'unexpected eof while reading'
