// All pools of the configuration, and who looks after them.

import type { ListenerConfig, PoolConfig } from '../../../config/config.ts'
import type { Observer } from '../../../observe/observer.ts'
import type { PoolCheck, PoolUpstreamUse } from '../../../vocabulary.ts'
import type { Following } from '../follow.ts'
import type { Names } from '../names.ts'
import type { Upstreams } from '../upstreams.ts'
import { HealthChecks, type HealthOptions } from './health.ts'
import { followPlaces } from './places.ts'
import { Pool, type PoolEvents } from './pool.ts'

export interface PoolsOptions {
  readonly names: Names
  readonly observer: Pick<Observer, 'upstreamServerChanged' | 'log'>
  readonly tlsFor: HealthOptions['tlsFor']
  /** Checks are this process's from the beginning; else once it is asked to. */
  readonly isChecker: boolean
}

export class Pools {
  readonly #pools = new Map<string, Pool>()
  readonly #options: PoolsOptions
  readonly #events: PoolEvents
  #checks: HealthChecks | null = null
  #isChecker: boolean
  #upstreams: Upstreams | null = null
  #report: (check: PoolCheck) => void = () => undefined
  #following: readonly Following[] = []

  constructor(options: PoolsOptions) {
    const { observer } = options
    this.#options = options
    this.#isChecker = options.isChecker
    this.#events = { changed: (server) => observer.upstreamServerChanged(server) }
  }

  /** Takes a configuration, at first or in place of the one before; checks start over. */
  configure(configs: readonly PoolConfig[], upstreams: Upstreams): void {
    for (const config of configs) {
      const known = this.#pools.get(config.name)
      if (known === undefined) this.#pools.set(config.name, new Pool(config, this.#events))
      else known.configure(config)
    }
    const names = new Set(configs.map(({ name }) => name))
    for (const name of this.#pools.keys()) if (!names.has(name)) this.#pools.delete(name)
    this.#upstreams = upstreams
    this.#restartChecks()
    this.#follow()
  }

  /** Whether checks are this process's, of those that share the work. */
  check(isChecker: boolean): void {
    if (isChecker === this.#isChecker) return
    this.#isChecker = isChecker
    this.#restartChecks()
  }

  /** Calls back with what each check of this process finds. */
  reportTo(report: (check: PoolCheck) => void): void {
    this.#report = report
  }

  /** What another process has found. A server that we know nothing of, DNS being slower here, is none of ours yet. */
  heard({ pool, server, problem }: PoolCheck): void {
    const known = this.#pools.get(pool)
    const found = known?.servers.find(({ name }) => name === server)
    if (found !== undefined) known?.checked(found, problem, { isOurs: false })
  }

  #restartChecks(): void {
    this.#checks?.stop()
    this.#checks = null
    if (!this.#isChecker || this.#upstreams === null) return
    this.#checks = new HealthChecks({
      upstreams: this.#upstreams,
      tlsFor: this.#options.tlsFor,
      checked: (pool, server, problem) => {
        pool.checked(server, problem, { isOurs: true })
        this.#report({ pool: pool.name, server: server.name, problem })
      },
      failed: ({ pool, detail }) => this.#options.observer.log('upstream.check', { pool, detail }),
    })
    for (const pool of this.#pools.values()) this.#checks.watch(pool)
  }

  /** The proxy of `via` resolves the names of its servers. */
  #follow(): void {
    for (const each of this.#following) each.stop()
    this.#following = [...this.#pools.values()]
      .filter(({ config }) => config.via === null)
      .flatMap((pool) =>
        pool.config.servers.flatMap((server) => {
          const following = followPlaces(server, this.#options.names, (places) => {
            pool.moved(server, places)
            this.#checks?.watch(pool)
          })
          return following ?? []
        }),
      )
  }

  stop(): void {
    for (const each of this.#following) each.stop()
    this.#following = []
    this.#upstreams = null
    this.#restartChecks()
  }

  /** The pool behind a listener, or null for one server. */
  of({ pool }: Pick<ListenerConfig, 'pool'>): Pool | null {
    return pool === undefined ? null : (this.#pools.get(pool) ?? null)
  }

  /** Whether sessions of a listener may go through a proxy (`via`). */
  areBehindProxy(listener: Pick<ListenerConfig, 'pool' | 'routes'>): boolean {
    return [listener, ...(listener.routes ?? [])].some((named) => this.of(named)?.config.via != null)
  }

  /** Pools in which no server could take a session now. */
  get unavailable(): readonly string[] {
    return [...this.#pools.values()].filter(({ isAvailable }) => !isAvailable).map(({ name }) => name)
  }

  use(): readonly PoolUpstreamUse[] {
    return [...this.#pools.values()].map(({ name, failovers, use }) => ({
      pool: name,
      failovers,
      servers: use,
    }))
  }
}
