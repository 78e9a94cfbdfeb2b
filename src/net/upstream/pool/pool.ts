// The servers of one pool: which of them live, what they carry, and which one a client gets.

import type { PoolConfig, PoolServerConfig } from '../../../config/config.ts'
import { type Family, familyOf } from '../../../ftp/addresses.ts'
import type { PoolServerUse } from '../../../vocabulary.ts'
import { Balancer } from './balance.ts'
import { type Place, unresolved } from './places.ts'
import { labelOf, nameAt, PoolServer } from './pool-server.ts'

export interface PoolEvents {
  /** A server that served does not any more, or does again. */
  readonly changed: (server: {
    readonly pool: string
    /** As its entry in the configuration is called. */
    readonly server: string
    /** Where an entry has several, or null. */
    readonly address: string | null
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
  /** By label: where DNS says that the servers of an entry are. */
  readonly #places = new Map<string, readonly Place[]>()
  /** No longer among the servers, with sessions that go on. */
  #leaving: readonly PoolServer[] = []
  /** By label: what servers failed that are no longer there. */
  readonly #pastFailures = new Map<string, number>()
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
    return this.#config.servers.map((config) => {
      const label = labelOf(config)
      const present = this.#servers.filter((server) => server.label === label)
      const all = [...present, ...this.#leaving.filter((server) => server.label === label)]
      return {
        pool: this.name,
        server: label,
        isUp: present.some(({ isUp }) => isUp),
        isBackup: config.backup,
        sessions: all.reduce((sum, { sessions }) => sum + sessions, 0),
        failures: all.reduce((sum, { failures }) => sum + failures, this.#pastFailures.get(label) ?? 0),
      }
    })
  }

  get failovers(): number {
    return this.#failovers
  }

  /** Takes a new configuration: a server that stays keeps its state, one that goes keeps its sessions and gets no more. */
  configure(config: PoolConfig): void {
    if (config.balance !== this.#config.balance) this.#balancer = new Balancer(config.balance)
    this.#config = config
    this.#arrange()
  }

  /** Takes the places of an entry's servers: as with a new configuration, those that stay keep what is known of them. */
  moved(entry: PoolServerConfig, places: readonly Place[]): void {
    this.#places.set(labelOf(entry), places)
    this.#arrange()
  }

  #arrange(): void {
    const known = [...this.#servers, ...this.#leaving]
    const { servers, slowStartMs = 0 } = this.#config
    this.#servers = servers.flatMap((config) =>
      this.#placesOf(config).map((place) => {
        const name = nameAt(config, place)
        const server = known.find((each) => each.name === name) ?? new PoolServer(config, place)
        server.config = config
        server.place = place
        server.slowStartMs = slowStartMs
        return server
      }),
    )
    const gone = known.filter((server) => !this.#servers.includes(server))
    this.#leaving = gone.filter(({ sessions }) => sessions > 0)
    for (const { label, failures, sessions } of gone) {
      if (sessions === 0) this.#pastFailures.set(label, (this.#pastFailures.get(label) ?? 0) + failures)
    }
  }

  /** The proxy of `via` resolves the names of its servers. */
  #placesOf(config: PoolServerConfig): readonly Place[] {
    const found = this.#config.via === null ? this.#places.get(labelOf(config)) : undefined
    return found ?? unresolved(config)
  }

  /**
   * The server for one more session of this client, of those it has not tried; null where none is left. One that is down
   * is better than none: what was found out may be old. `family`: of the addresses that will do; null: both.
   */
  pick(client: string, tried: ReadonlySet<PoolServer>, family: Family | null = null): PoolServer | null {
    const left = this.#servers.filter(
      (server) => !server.isFull && !tried.has(server) && isOfFamily(server.place, family),
    )
    const up = left.filter((server) => this.#mayServe(server))
    const own = this.#clients.get(client)?.server
    if (own !== undefined && up.includes(own)) return own
    const those = up.length > 0 ? up : left
    const lowest = Math.min(...those.map(({ tier }) => tier))
    return this.#balancer.choose(
      those.filter(({ tier }) => tier === lowest),
      client,
    )
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
      if (server.sessions === 0 && this.#leaving.includes(server)) this.#arrange()
      entry.sessions -= 1
      if (entry.sessions === 0 && this.#clients.get(client) === entry) this.#clients.delete(client)
    }
  }

  /** A client's session could not be had there. */
  failed(server: PoolServer, why: string): void {
    server.failed()
    server.contrary = 0
    if (server.isUp) this.#turn(server, false, { why, isSaid: true })
  }

  failedOver(): void {
    this.#failovers += 1
  }

  /** A client's session was greeted there. */
  served(server: PoolServer): void {
    if (server.isUp) server.contrary = 0
    // A check has the last word where there are checks.
    else if (this.#config.health === null) this.#turn(server, true, { why: 'it greets again', isSaid: true })
  }

  /** What one that is not `isOurs` changes, who has checked logs and counts. */
  checked(
    server: PoolServer,
    problem: string | null,
    { isOurs }: { readonly isOurs: boolean } = { isOurs: true },
  ): void {
    const { health } = this.#config
    if (health === null) return
    if (problem !== null && isOurs) server.failed()
    if (server.isUp === (problem === null)) {
      server.contrary = 0
      return
    }
    server.contrary += 1
    if (server.contrary < (server.isUp ? health.fall : health.rise)) return
    const why = problem ?? `${health.rise} checks went well`
    // That it is back is said where it was said that it is gone.
    const isSaid = isOurs || (problem === null && server.isLossSaid)
    this.#turn(server, problem === null, { why, isSaid })
  }

  #mayServe(server: PoolServer): boolean {
    if (server.isUp) return true
    return this.#config.health === null && server.hasRested(RETRY_MS)
  }

  #turn(
    server: PoolServer,
    isUp: boolean,
    { why, isSaid }: { readonly why: string; readonly isSaid: boolean },
  ): void {
    server.turn(isUp)
    server.isLossSaid = !isUp && isSaid
    if (!isSaid) return
    const { label, name, place } = server
    const address = name === label ? null : place.address
    this.#events.changed({ pool: this.name, server: label, address, isUp, why })
  }
}

function isOfFamily({ address }: Place, family: Family | null): boolean {
  return family === null || address === null || familyOf(address) === family
}
