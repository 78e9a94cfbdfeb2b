// Looks after the servers of a pool: each is called now and then, whether clients come or not.

import type { Upstreams } from '../upstreams.ts'
import { type CheckResult, checkServer } from './check-server.ts'
import type { CheckTls } from './check-tls.ts'
import type { Pool } from './pool.ts'
import type { PoolServer } from './pool-server.ts'

export interface HealthOptions {
  readonly upstreams: Upstreams
  /** Of one check; null: servers of that pool get no TLS. */
  readonly tlsFor: (check: {
    readonly pool: string
    readonly host: string
    readonly timeoutMs: number
  }) => CheckTls | null
  readonly checked: (pool: Pool, server: PoolServer, problem: string | null) => void
  /** Servers cannot be checked for a reason of our own; told once, until they can be. */
  readonly failed: (failure: { readonly pool: string; readonly detail: string }) => void
}

/** So much of an interval is left to chance, so that many proxies do not call at once. */
const JITTER = 0.2

export class HealthChecks {
  readonly #options: HealthOptions
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #checks = new Set<{ cancel(): void }>()
  /** Pools with a defect that was told. */
  readonly #defects = new Set<string>()
  readonly #watched = new WeakSet<PoolServer>()
  #isStopped = false

  constructor(options: HealthOptions) {
    this.#options = options
  }

  /**
   * Checks every server of the pool at once, then each in its own time, for as long as it belongs to the pool. Called again,
   * begins with those that are new.
   */
  watch(pool: Pool): void {
    for (const server of pool.servers) {
      if (this.#watched.has(server)) continue
      this.#watched.add(server)
      this.#check(pool, server)
    }
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const check of this.#checks) check.cancel()
  }

  #check(pool: Pool, server: PoolServer): void {
    const { config, name } = pool
    const { health } = config
    if (this.#isStopped || health === null || this.#isGone(pool, server)) return
    const { upstreams, tlsFor } = this.#options
    const tls =
      health.expect === 'connect'
        ? null
        : tlsFor({ pool: name, host: server.host, timeoutMs: health.timeoutMs })
    const check = checkServer({ upstreams, target: server.target, pool: config, health, tls }, (result) => {
      this.#checks.delete(check)
      if (this.#isStopped || this.#isGone(pool, server)) return
      this.#learn(pool, server, result)
      const delayMs = health.intervalMs * (1 - JITTER / 2 + JITTER * Math.random())
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        this.#check(pool, server)
      }, delayMs).unref()
      this.#timers.add(timer)
    })
    this.#checks.add(check)
  }

  #isGone(pool: Pool, server: PoolServer): boolean {
    if (pool.servers.includes(server)) return false
    this.#watched.delete(server)
    return true
  }

  #learn(pool: Pool, server: PoolServer, result: CheckResult): void {
    const { name } = pool
    if (result.type !== 'unknown') {
      this.#defects.delete(name)
      this.#options.checked(pool, server, result.type === 'passed' ? null : result.problem)
    } else if (result.defect !== null && !this.#defects.has(name)) {
      this.#defects.add(name)
      this.#options.failed({ pool: name, detail: result.defect })
    }
  }
}
