// TLS of all listeners, made once and read again when files change. Imported only where a listener has it.

import type { Config, ListenerConfig, ListenerTlsConfig, UpstreamTlsConfig } from '../config/config.ts'
import { AlgError } from '../errors.ts'
import { loadOpenssl, type Openssl } from '../kernel/openssl.ts'
import type { CertificateUse } from '../vocabulary.ts'
import type { Certificate } from './certificate.ts'
import { ServerContexts } from './server-contexts.ts'
import { UpstreamContext } from './upstream-context.ts'

/** What one listener uses for its next session. */
export interface ListenerTls {
  readonly client: { readonly contexts: ServerContexts; readonly config: ListenerTlsConfig } | null
  readonly server: { readonly context: UpstreamContext; readonly config: UpstreamTlsConfig } | null
}

export class TlsSetup {
  readonly #openssl: Openssl
  readonly #listeners = new Map<string, ListenerTls>()

  /** Errors: `AlgError` KERNEL_FEATURE_MISSING where this machine has no TLS for us. */
  static async create(): Promise<TlsSetup> {
    return new TlsSetup(await loadOpenssl())
  }

  private constructor(openssl: Openssl) {
    this.#openssl = openssl
  }

  of(listener: string): ListenerTls | null {
    return this.#listeners.get(listener) ?? null
  }

  /** Those in use for sessions to come. */
  get certificates(): readonly CertificateUse[] {
    return [...this.#listeners].flatMap(([listener, { client, server }]) => [
      ...(client?.contexts.certificates ?? []).map((each) => useOf(each, { listener, side: 'client' })),
      ...(server?.context.certificate == null
        ? []
        : [useOf(server.context.certificate, { listener, side: 'server' })]),
    ])
  }

  /**
   * Reads the files of all listeners. Sessions that run keep what they began with.
   *
   * Errors: `AlgError` CONFIG_INVALID with the listener and the file, before anything has changed.
   */
  read({ listeners }: Pick<Config, 'listeners'>): void {
    const made = new Map<string, ListenerTls>()
    try {
      for (const listener of listeners) {
        const tls = this.#make(listener)
        if (tls !== null) made.set(listener.name, tls)
      }
    } catch (error) {
      for (const tls of made.values()) release(tls)
      throw error
    }
    for (const tls of this.#listeners.values()) release(tls)
    this.#listeners.clear()
    for (const [name, tls] of made) this.#listeners.set(name, tls)
  }

  /** The same for the files of one listener. */
  readOne(listener: ListenerConfig): void {
    const made = this.#make(listener)
    const old = this.#listeners.get(listener.name)
    if (made !== null) this.#listeners.set(listener.name, made)
    if (old !== undefined) release(old)
  }

  #make({ name, tls, upstreamTls }: ListenerConfig): ListenerTls | null {
    if (tls === undefined && upstreamTls === undefined) return null
    const client =
      tls === undefined
        ? null
        : { contexts: named(name, 'tls', () => new ServerContexts(this.#openssl, tls)), config: tls }
    try {
      const server =
        upstreamTls === undefined
          ? null
          : {
              context: named(name, 'upstreamTls', () => new UpstreamContext(this.#openssl, upstreamTls)),
              config: upstreamTls,
            }
      return { client, server }
    } catch (error) {
      client?.contexts.release()
      throw error
    }
  }
}

function useOf(
  { file, subject, expiresAt }: Certificate,
  of: Pick<CertificateUse, 'listener' | 'side'>,
): CertificateUse {
  return { ...of, file, subject, expiresMs: expiresAt.getTime() }
}

function release({ client, server }: ListenerTls): void {
  client?.contexts.release()
  server?.context.release()
}

/** Runs `make`; what it throws begins with where the mistake is in the configuration. */
function named<T>(listener: string, key: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof AlgError)) throw error
    throw new AlgError(error.code, `listeners[${listener}].${key}: ${error.message}`, {
      context: error.context,
      cause: error,
    })
  }
}
