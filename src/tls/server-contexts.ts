// What a listener shows to its clients: one context a certificate, chosen among by the name that a client asks for.

import type { ListenerTlsConfig } from '../config/config.ts'
import type { Openssl } from '../kernel/openssl.ts'
import { OpensslContext } from '../kernel/openssl-context.ts'
import { type Certificate, readAuthorities, readCertificate, readCrls } from './certificate.ts'

export class ServerContexts {
  readonly certificates: readonly Certificate[]
  readonly #contexts: readonly { readonly context: OpensslContext; readonly first: Certificate }[]
  readonly #refusesUnknown: boolean
  #users = 1

  /** Errors: `AlgError` CONFIG_INVALID, with the file's name. */
  constructor(openssl: Openssl, config: ListenerTlsConfig) {
    const { minVersion, ciphers, clientCertificates, clientCa, clientCrl } = config
    this.certificates = config.certificates.map(readCertificate)
    this.#refusesUnknown = config.unknownNames === 'refuse'
    const ca = clientCa === null ? [] : readAuthorities(clientCa)
    const crls = clientCrl === null ? [] : readCrls(clientCrl)
    const made: { context: OpensslContext; first: Certificate }[] = []
    this.#contexts = made
    try {
      for (const group of groupsOf(this.certificates)) {
        const context = new OpensslContext(openssl, {
          role: 'server',
          identities: group.map(({ identity }) => identity),
          minVersion,
          ciphers,
          verify: { off: 'none', optional: 'asked', required: 'required' }[clientCertificates] as
            | 'none'
            | 'asked'
            | 'required',
          ca,
          crls,
        })
        made.push({ context, first: group[0] })
      }
    } catch (error) {
      this.release()
      throw error
    }
  }

  /** What a client gets that asks for no name, or an unknown one. */
  get first(): OpensslContext {
    const first = this.#contexts[0]
    if (first === undefined) throw new Error('a listener with TLS has no certificate')
    return first.context
  }

  /** For the name that a client asks for; null: the first. */
  readonly contextFor = (name: string): OpensslContext | 'refuse' | null => {
    const found = this.#contexts.find(({ first }) => first.leaf.checkHost(name) !== undefined)
    if (found !== undefined) return found.context
    return this.#refusesUnknown ? 'refuse' : null
  }

  /** Sessions that began with it use it to their end, whatever is read meanwhile. */
  hold(): this {
    this.#users += 1
    return this
  }

  release(): void {
    this.#users -= 1
    if (this.#users === 0) for (const { context } of this.#contexts) context.release()
  }
}

/** Certificates for the same names with keys of different types go together: the client's ciphers choose. */
function groupsOf(certificates: readonly Certificate[]): [Certificate, ...Certificate[]][] {
  const groups: [Certificate, ...Certificate[]][] = []
  for (const certificate of certificates) {
    const twin = groups.find(
      (group) =>
        group[0].leaf.subjectAltName === certificate.leaf.subjectAltName &&
        group[0].leaf.subject === certificate.leaf.subject &&
        group.every((each) => keyTypeOf(each) !== keyTypeOf(certificate)),
    )
    if (twin === undefined) groups.push([certificate])
    else twin.push(certificate)
  }
  return groups
}

function keyTypeOf({ leaf }: Certificate): string | undefined {
  return leaf.publicKey.asymmetricKeyType
}
