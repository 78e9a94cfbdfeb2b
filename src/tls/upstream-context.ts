// What we insist on towards a server, and what we show to it.

import { createHash, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import type { UpstreamTlsConfig } from '../config/config.ts'
import type { Openssl } from '../kernel/openssl.ts'
import { OpensslContext } from '../kernel/openssl-context.ts'
import type { TlsProblem } from '../kernel/openssl-failure.ts'
import type { OpensslStream } from '../kernel/openssl-stream.ts'
import { type Certificate, pemBlocks, readAuthorities, readCertificate } from './certificate.ts'

export class UpstreamContext {
  readonly context: OpensslContext
  /** Ours, where the server asks for one. */
  readonly certificate: Certificate | null
  readonly #pins: ReadonlySet<string>
  readonly #verifiesName: boolean
  readonly #name: string | null

  /** Errors: `AlgError` CONFIG_INVALID, with the file's name. */
  constructor(openssl: Openssl, config: UpstreamTlsConfig) {
    const { verify, ca, pins, certificate, key, minVersion, ciphers, name } = config
    const verifiesChain = verify === 'full' || verify === 'chain'
    this.certificate = certificate === null || key === null ? null : readCertificate({ certificate, key })
    this.context = new OpensslContext(openssl, {
      role: 'client',
      identities: this.certificate === null ? [] : [this.certificate.identity],
      minVersion,
      ciphers,
      verify: verifiesChain ? 'required' : 'none',
      ca: !verifiesChain ? [] : ca === null ? roots() : readAuthorities(ca),
      crls: [],
    })
    this.#pins = new Set(pins)
    this.#verifiesName = verify === 'full'
    this.#name = name
  }

  /** What a connection to `host` asks for and insists on. An address is asked for by no name (RFC 6066 §3). */
  expectations(host: string): {
    readonly serverName: string | null
    readonly expects: { readonly name: string } | { readonly address: string } | null
  } {
    const name = this.#name ?? host
    const isAddress = isIP(name) !== 0
    const insists = isAddress ? { address: name } : { name }
    return { serverName: isAddress ? null : name, expects: this.#verifiesName ? insists : null }
  }

  /** Compares the key of the peer with the pins, where there are some. */
  checkPins(stream: OpensslStream): TlsProblem | null {
    if (this.#pins.size === 0) return null
    const pin = keyPinOf(stream)
    if (pin !== null && this.#pins.has(pin)) return null
    return { reason: 'pin', detail: `the server's key is ${pin ?? 'unknown'}, which is none of the pins` }
  }

  /** Sessions that began with it use it to their end, whatever is read meanwhile. */
  hold(): this {
    this.context.hold()
    return this
  }

  release(): void {
    this.context.release()
  }
}

/** `'sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='`, of the peer's public key. @see RFC 7469 §2.4 */
export function keyPinOf(stream: OpensslStream): string | null {
  const der = stream.peerCertificate()
  if (der === null) return null
  const key = new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256/${createHash('sha256').update(key).digest('base64')}`
}

/** Those that Node carries, and those that its user has added, as for every program of Node's. */
function roots(): readonly Uint8Array[] {
  const added = process.env.NODE_EXTRA_CA_CERTS ?? ''
  return [
    ...rootCertificates.flatMap((pem) => pemBlocks(pem, 'CERTIFICATE')),
    ...(added === '' ? [] : readAuthorities(added)),
  ]
}
