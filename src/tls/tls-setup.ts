// TLS of all listeners, made once and read again when files change. Imported only where a listener has it.

import type {
  Config,
  ListenerConfig,
  ListenerTlsConfig,
  PoolConfig,
  UpstreamTlsConfig,
} from '../config/config.ts'
import { poolsOf, usesTls } from '../config/pool-settings.ts'
import { AlgError } from '../errors.ts'
import { loadOpenssl, type Openssl } from '../kernel/openssl.ts'
import type { CertificateUse } from '../vocabulary.ts'
import type { Certificate } from './certificate.ts'
import { ServerContexts } from './server-contexts.ts'
import { UpstreamContext } from './upstream-context.ts'

export interface UpstreamTls {
  readonly context: UpstreamContext
  readonly config: UpstreamTlsConfig
}

/** What one listener uses for its next session. */
export interface ListenerTls {
  readonly client: { readonly contexts: ServerContexts; readonly config: ListenerTlsConfig } | null
  readonly server: UpstreamTls | null
  /** By name, for pools that have a key of their own; null: in clear. */
  readonly pools: ReadonlyMap<string, UpstreamTls | null>
}

export class TlsSetup {
  readonly #openssl: Openssl
  readonly #listeners = new Map<string, ListenerTls>()
  #pools: readonly PoolConfig[] = []
  /** By pool: what its checks use. */
  readonly #checks = new Map<string, UpstreamTls>()

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

  /** Of the checks of a pool; null: in clear. */
  ofChecks(pool: string): UpstreamTls | null {
    return this.#checks.get(pool) ?? null
  }

  /** Those in use for sessions to come. */
  get certificates(): readonly CertificateUse[] {
    return [...this.#listeners].flatMap(([listener, { client, server, pools }]) => [
      ...(client?.contexts.certificates ?? []).map((each) => useOf(each, { listener, side: 'client' })),
      ...[server, ...pools.values()].flatMap((upstream) =>
        upstream?.context.certificate == null
          ? []
          : [useOf(upstream.context.certificate, { listener, side: 'server' })],
      ),
    ])
  }

  /**
   * Reads the files of all listeners. Sessions that run keep what they began with.
   *
   * Errors: `AlgError` CONFIG_INVALID with the listener and the file, before anything has changed.
   */
  read({ listeners, upstreams }: Pick<Config, 'listeners' | 'upstreams'>): void {
    const made = new Map<string, ListenerTls>()
    let checks: ReadonlyMap<string, UpstreamTls>
    try {
      for (const listener of listeners) {
        const tls = this.#make(listener, upstreams)
        if (tls !== null) made.set(listener.name, tls)
      }
      checks = this.#makeChecks(upstreams)
    } catch (error) {
      for (const tls of made.values()) release(tls)
      throw error
    }
    for (const tls of this.#listeners.values()) release(tls)
    this.#listeners.clear()
    this.#pools = upstreams
    this.#useForChecks(checks)
    for (const [name, tls] of made) this.#listeners.set(name, tls)
  }

  /** The same for the files of one listener. */
  readOne(listener: ListenerConfig): void {
    const checks = this.#makeChecks(poolsOf(listener, this.#pools))
    const made = this.#make(listener, this.#pools)
    this.#useForChecks(new Map([...this.#checks, ...checks]))
    const old = this.#listeners.get(listener.name)
    if (made !== null) this.#listeners.set(listener.name, made)
    if (old !== undefined) release(old)
  }

  #make(listener: ListenerConfig, known: readonly PoolConfig[]): ListenerTls | null {
    if (!usesTls(listener, known)) return null
    const { name, tls, upstreamTls } = listener
    const pools = new Map<string, UpstreamTls | null>()
    let client: ListenerTls['client'] = null
    let server: UpstreamTls | null = null
    try {
      const place = `listeners[${name}]`
      if (tls !== undefined) {
        client = {
          contexts: named(`${place}.tls`, () => new ServerContexts(this.#openssl, tls)),
          config: tls,
        }
      }
      if (upstreamTls !== undefined) server = this.#makeUpstream(upstreamTls, place)
      for (const pool of poolsOf(listener, known)) {
        const own = pool.upstreamTls
        if (own === undefined) continue
        pools.set(pool.name, own === null ? null : this.#makeUpstream(own, `upstreams[${pool.name}]`))
      }
    } catch (error) {
      release({ client, server, pools })
      throw error
    }
    return { client, server, pools }
  }

  /** Those of pools that are checked with TLS. */
  #makeChecks(pools: readonly PoolConfig[]): ReadonlyMap<string, UpstreamTls> {
    const made = new Map<string, UpstreamTls>()
    for (const { name, health, upstreamTls } of pools) {
      if (health === null || upstreamTls == null || upstreamTls.mode === 'as-client') continue
      made.set(name, this.#makeUpstream(upstreamTls, `upstreams[${name}]`))
    }
    return made
  }

  #useForChecks(checks: ReadonlyMap<string, UpstreamTls>): void {
    for (const [pool, old] of this.#checks) if (checks.get(pool) !== old) old.context.release()
    this.#checks.clear()
    for (const [pool, each] of checks) this.#checks.set(pool, each)
  }

  #makeUpstream(config: UpstreamTlsConfig, place: string): UpstreamTls {
    return {
      context: named(`${place}.upstreamTls`, () => new UpstreamContext(this.#openssl, config)),
      config,
    }
  }
}

function useOf(
  { file, subject, expiresAt }: Certificate,
  of: Pick<CertificateUse, 'listener' | 'side'>,
): CertificateUse {
  return { ...of, file, subject, expiresMs: expiresAt.getTime() }
}

function release({ client, server, pools }: ListenerTls): void {
  client?.contexts.release()
  for (const upstream of [server, ...pools.values()]) upstream?.context.release()
}

/** Runs `make`; what it throws begins with where the mistake is in the configuration. */
function named<T>(place: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof AlgError)) throw error
    throw new AlgError(error.code, `${place}: ${error.message}`, {
      context: error.context,
      cause: error,
    })
  }
}
