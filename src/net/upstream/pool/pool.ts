// The servers of one pool: which of them live, what they carry, and which one a client gets.

import type { PoolConfig } from '../../../config/config.ts'
import type { PoolServerUse } from '../../../vocabulary.ts'
import { Balancer } from './balance.ts'
import { nameOf, PoolServer } from './pool-server.ts'

export interface PoolEvents {
  /** A server that served does not any more, or does again. */
  readonly changed: (server: {
    readonly pool: string
    readonly server: string
    readonly isUp: boolean
    readonly why: string
  }) => void
}

/** Without checks a server that failed is tried again by a client after this time. */
const RETRY_MS = 10_000

export class Pool {
  readonly name: string
  #config: PoolConfig
  #servers: readonly PoolServer[] = []
  #balancer: Balancer
  readonly #events: PoolEvents
  /** Where clients have sessions now: their next one is with the same server, so that they see the same files. */
  readonly #clients = new Map<string, { server: PoolServer; sessions: number }>()
  #failovers = 0

  constructor(config: PoolConfig, events: PoolEvents) {
    this.name = config.name
    this.#events = events
    this.#config = config
    this.#balancer = new Balancer(config.balance)
    this.configure(config)
  }

  get config(): PoolConfig {
    return this.#config
  }

  get servers(): readonly PoolServer[] {
    return this.#servers
  }

  /** Whether a session could be had now. */
  get isAvailable(): boolean {
    return this.#servers.some((server) => server.isUp && !server.isFull)
  }

  get use(): readonly PoolServerUse[] {
    return this.#servers.map(({ name, isUp, sessions, failures, config }) => {
      return { pool: this.name, server: name, isUp, isBackup: config.backup, sessions, failures }
    })
  }

  get failovers(): number {
    return this.#failovers
  }

  /** Takes a new configuration: a server that stays keeps its state, one that goes keeps its sessions and gets no more. */
  configure(config: PoolConfig): void {
    if (config.balance !== this.#config.balance) this.#balancer = new Balancer(config.balance)
    this.#config = config
    this.#servers = config.servers.map((each) => {
      const server = this.#servers.find(({ name }) => name === nameOf(each)) ?? new PoolServer(each)
      server.config = each
      server.slowStartMs = config.slowStartMs ?? 0
      return server
    })
  }

  /**
   * The server for one more session of this client, of those it has not tried; null where none is left. One that is down
   * is better than none: what was found out may be old.
   */
  pick(client: string, tried: ReadonlySet<PoolServer>): PoolServer | null {
    const left = this.#servers.filter((server) => !server.isFull && !tried.has(server))
    const up = left.filter((server) => this.#mayServe(server))
    const own = this.#clients.get(client)?.server
    if (own !== undefined && up.includes(own)) return own
    for (const those of [up, left]) {
      const [primaries, backups] = [
        those.filter(({ config }) => !config.backup),
        those.filter(({ config }) => config.backup),
      ]
      const chosen = this.#balancer.choose(primaries, client) ?? this.#balancer.choose(backups, client)
      if (chosen !== null) return chosen
    }
    return null
  }

  /** A session of the client is with that server; call the result when it is over. */
  sessionBegan(server: PoolServer, client: string): () => void {
    let isOver = false
    server.sessions += 1
    const known = this.#clients.get(client)
    const entry = known?.server === server ? known : { server, sessions: 0 }
    entry.sessions += 1
    this.#clients.set(client, entry)
    return () => {
      if (isOver) return
      isOver = true
      server.sessions -= 1
      entry.sessions -= 1
      if (entry.sessions === 0 && this.#clients.get(client) === entry) this.#clients.delete(client)
    }
  }

  /** A client's session could not be had there. */
  failed(server: PoolServer, why: string): void {
    server.failed()
    server.contrary = 0
    if (server.isUp) this.#turn(server, false, why)
  }

  failedOver(): void {
    this.#failovers += 1
  }

  /** A client's session was greeted there. */
  served(server: PoolServer): void {
    if (server.isUp) server.contrary = 0
    // A check has the last word where there are checks.
    else if (this.#config.health === null) this.#turn(server, true, 'it greets again')
  }

  checked(server: PoolServer, problem: string | null): void {
    const { health } = this.#config
    if (health === null) return
    if (problem !== null) server.failed()
    if (server.isUp === (problem === null)) {
      server.contrary = 0
      return
    }
    server.contrary += 1
    if (server.contrary < (server.isUp ? health.fall : health.rise)) return
    this.#turn(server, problem === null, problem ?? `${health.rise} checks went well`)
  }

  #mayServe(server: PoolServer): boolean {
    if (server.isUp) return true
    return this.#config.health === null && server.hasRested(RETRY_MS)
  }

  #turn(server: PoolServer, isUp: boolean, why: string): void {
    server.turn(isUp)
    this.#events.changed({ pool: this.name, server: server.name, isUp, why })
  }
}
