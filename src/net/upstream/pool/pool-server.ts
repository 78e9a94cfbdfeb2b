// One server of a pool: what it carries, and whether it lives as far as we know.

import type { PoolServerConfig } from '../../../config/config.ts'
import { steadyClock } from '../../../kernel/steady-clock.ts'
import type { UpstreamTarget } from '../attempt.ts'
import type { Candidate } from './balance.ts'
import type { Place } from './places.ts'

/** The least part of its weight that a server has which came back: it gets a session now and then. */
const LEAST_SHARE = 0.02

export class PoolServer implements Candidate {
  /** Unique in the pool. */
  readonly name: string
  /** Where it is. */
  place: Place
  config: PoolServerConfig
  sessions = 0
  failures = 0
  /** It is down, and the log of this process says so. */
  isLossSaid = false
  /** In a row: checks that went as `isUp` does not say. */
  contrary = 0
  #isUp = true
  /** When a client or a check last failed there; null: never. */
  #failedMs: number | null = null
  /** When it came back; null: it was never down. */
  #cameBackMs: number | null = null
  /** How long it takes from then on to its whole weight. */
  slowStartMs = 0

  constructor(config: PoolServerConfig, place: Place) {
    this.config = config
    this.place = place
    this.name = nameAt(config, place)
  }

  /** As its entry in the configuration is called. */
  get label(): string {
    return labelOf(this.config)
  }

  /** As it is asked for by name. */
  get host(): string {
    return this.place.host
  }

  /** Where to connect. */
  get target(): UpstreamTarget {
    const { host, address, port } = this.place
    return { host: address ?? host, port }
  }

  /** Those of a higher one serve while none of a lower one can. */
  get tier(): number {
    return this.place.tier + (this.config.backup ? BACKUP : 0)
  }

  get isUp(): boolean {
    return this.#isUp
  }

  get isFull(): boolean {
    return this.config.maxSessions !== null && this.sessions >= this.config.maxSessions
  }

  /** The configured one, or a growing part of it while the server is back for less than `slowStartMs`. */
  get weight(): number {
    const weight = this.config.weight * this.place.weight
    if (this.#cameBackMs === null || this.slowStartMs === 0) return weight
    const share = (steadyClock.now() - this.#cameBackMs) / this.slowStartMs
    return share >= 1 ? weight : weight * Math.max(share, LEAST_SHARE)
  }

  /** No failure for so long, or none at all. */
  hasRested(restMs: number): boolean {
    return this.#failedMs === null || steadyClock.now() - this.#failedMs >= restMs
  }

  /** A client or a check could not be served. */
  failed(): void {
    this.failures += 1
    this.#failedMs = steadyClock.now()
  }

  turn(isUp: boolean): void {
    this.contrary = 0
    if (isUp && !this.#isUp) this.#cameBackMs = steadyClock.now()
    this.#isUp = isUp
  }
}

/** `'ftp.internal:21'`, or the name of a service. */
export function labelOf({ host, port, isSrv }: UpstreamTarget & Pick<PoolServerConfig, 'isSrv'>): string {
  if (isSrv === true) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** `'ftp.internal:21 10.0.0.5'`, or the label alone where that is its address or it is not known. */
export function nameAt(config: PoolServerConfig, { host, address, port }: Place): string {
  const label = labelOf(config)
  const at = labelOf({ host: address ?? host, port })
  return at === label ? label : `${label} ${at}`
}

/** After everything that DNS has to say. */
const BACKUP = 1_000_000
