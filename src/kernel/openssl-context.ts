// An SSL_CTX: what all connections of one kind share. It owns one pointer, and frees it after its last user.

import { AlgError } from '../errors.ts'
import { constants, type Openssl, type Pointer } from './openssl.ts'
import { helloCallbacks } from './openssl-hello.ts'

export type TlsRole = 'server' | 'client'
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** A certificate with the key that fits it, in DER. */
export interface Identity {
  /** The leaf first, then the rest of its chain. */
  readonly certificates: readonly Uint8Array[]
  /** PKCS #8. */
  readonly key: Uint8Array
}

export interface ContextOptions {
  readonly role: TlsRole
  /** Several where their keys are of different types. */
  readonly identities: readonly Identity[]
  readonly minVersion: TlsVersion
  /** Lists as OpenSSL writes them; null is its default. */
  readonly ciphers: { readonly tls12: string | null; readonly tls13: string | null }
  /** Whether the peer must show a certificate that `ca` vouches for; `asked`: it may leave it out. */
  readonly verify: 'none' | 'asked' | 'required'
  /** In DER. */
  readonly ca: readonly Uint8Array[]
  /** In DER; with one of them every leaf is looked up. */
  readonly crls: readonly Uint8Array[]
}

/** How long a session may be resumed: data connections come as long as their control connection lives. */
const SESSION_SECONDS = 24 * 60 * 60
/** Four records in one read. */
const READ_BUFFER_BYTES = 68 * 1024

export class OpensslContext {
  readonly openssl: Openssl
  readonly role: TlsRole
  #pointer: Pointer
  #users = 1

  /** Errors: `AlgError` CONFIG_INVALID in OpenSSL's words, for what it does not take. */
  constructor(openssl: Openssl, options: ContextOptions) {
    const { role } = options
    openssl.clearErrors()
    this.openssl = openssl
    this.role = role
    this.#pointer = openssl.contextNew(role === 'server' ? openssl.serverMethod() : openssl.clientMethod())
    try {
      this.#tune(options)
      for (const identity of options.identities) this.#present(identity)
      this.#trust(options)
    } catch (error) {
      this.release()
      throw error
    }
  }

  /** For an SSL to be made from it. Errors: a plain `Error` once it is freed. */
  get pointer(): Pointer {
    if (this.#pointer === null) throw new Error('this TLS context is freed')
    return this.#pointer
  }

  /** Stays until `release` was called once more. */
  hold(): this {
    this.#users += 1
    return this
  }

  release(): void {
    this.#users -= 1
    if (this.#users > 0 || this.#pointer === null) return
    this.openssl.contextFree(this.#pointer)
    this.#pointer = null
  }

  #tune({ role, minVersion, ciphers }: ContextOptions): void {
    const { openssl, pointer } = this
    const set = (command: number, number: number) => openssl.contextControl(pointer, command, number, null)
    const { TLS1_2_VERSION, TLS1_3_VERSION } = constants
    set(constants.SSL_CTRL_SET_MIN_PROTO_VERSION, minVersion === 'TLSv1.3' ? TLS1_3_VERSION : TLS1_2_VERSION)
    set(
      constants.SSL_CTRL_MODE,
      constants.SSL_MODE_ENABLE_PARTIAL_WRITE |
        constants.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
        constants.SSL_MODE_RELEASE_BUFFERS,
    )
    // A read comes back after each record: a peer that sends KeyUpdate without end must not keep us inside.
    set(constants.SSL_CTRL_CLEAR_MODE, constants.SSL_MODE_AUTO_RETRY)
    openssl.contextOptions(
      pointer,
      constants.SSL_OP_NO_COMPRESSION +
        constants.SSL_OP_NO_RENEGOTIATION +
        constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
    )
    // Of a client's sessions OpenSSL would strike one of TLS 1.3 off once it was used; we keep them ourselves.
    const { SSL_SESS_CACHE_SERVER, SSL_SESS_CACHE_OFF } = constants
    set(
      constants.SSL_CTRL_SET_SESS_CACHE_MODE,
      role === 'server' ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF,
    )
    openssl.contextLifetime(pointer, SESSION_SECONDS)
    openssl.contextReadBuffer(pointer, READ_BUFFER_BYTES)
    if (ciphers.tls12 !== null) this.#must(openssl.contextCiphers(pointer, ciphers.tls12), 'ciphers.tls12')
    if (ciphers.tls13 !== null) this.#must(openssl.contextSuites(pointer, ciphers.tls13), 'ciphers.tls13')
    if (role === 'server') this.#answerHellos()
    else openssl.contextAlpn(pointer, ALPN_FTP, ALPN_FTP.length)
  }

  #answerHellos(): void {
    const { openssl, pointer } = this
    const { serverName, alpn } = helloCallbacks(openssl)
    openssl.contextCallback(pointer, constants.SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, serverName)
    openssl.contextChooseAlpn(pointer, alpn, null)
  }

  #present({ certificates: [leaf, ...chain], key }: Identity): void {
    const { openssl, pointer } = this
    if (leaf === undefined) return
    this.#withCertificate(leaf, (it) => this.#must(openssl.contextCertificate(pointer, it), 'certificate'))
    const read = openssl.readKey(null, cellOf(openssl, key), key.length)
    try {
      this.#must(read === null ? 0 : openssl.contextKey(pointer, read), 'key')
    } finally {
      openssl.freeKey(read)
    }
    this.#must(openssl.contextCheckKey(pointer), 'key')
    for (const each of chain) {
      // The 1 has it take a reference of its own.
      this.#withCertificate(each, (it) =>
        this.#must(openssl.contextControl(pointer, constants.SSL_CTRL_CHAIN_CERT, 1, it), 'chain'),
      )
    }
  }

  #trust({ role, verify, ca, crls }: ContextOptions): void {
    const { openssl, pointer } = this
    if (verify === 'none') return
    const store = openssl.contextStore(pointer)
    for (const each of ca) {
      this.#withCertificate(each, (it) => {
        this.#must(openssl.storeCertificate(store, it), 'ca')
        if (role === 'server') openssl.contextClientCa(pointer, it)
      })
    }
    for (const each of crls) {
      const crl = openssl.readCrl(null, cellOf(openssl, each), each.length)
      try {
        this.#must(crl === null ? 0 : openssl.storeCrl(store, crl), 'crl')
      } finally {
        openssl.freeCrl(crl)
      }
    }
    if (crls.length > 0) openssl.storeFlags(store, constants.X509_V_FLAG_CRL_CHECK)
    const { SSL_VERIFY_PEER, SSL_VERIFY_FAIL_IF_NO_PEER_CERT } = constants
    const insists = verify === 'required' ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
    openssl.contextVerify(pointer, SSL_VERIFY_PEER | insists, null)
  }

  #withCertificate(der: Uint8Array, use: (certificate: Pointer) => void): void {
    const { openssl } = this
    const certificate = openssl.readCertificate(null, cellOf(openssl, der), der.length)
    try {
      this.#must(certificate === null ? 0 : 1, 'certificate')
      use(certificate)
    } finally {
      openssl.freeCertificate(certificate)
    }
  }

  #must(result: number, what: string): void {
    if (Number(result) === 1) return
    const code = Number(this.openssl.nextError())
    this.openssl.clearErrors()
    throw new AlgError(
      'CONFIG_INVALID',
      `${what}: ${this.openssl.reasonText(code) ?? 'OpenSSL does not take it'}`,
    )
  }
}

/** Where the bytes are; the call moves it on. */
function cellOf({ ffi }: Openssl, bytes: Uint8Array): BigUint64Array {
  return BigUint64Array.of(ffi.address(bytes))
}

const ALPN_FTP = Buffer.from('\x03ftp', 'latin1')
