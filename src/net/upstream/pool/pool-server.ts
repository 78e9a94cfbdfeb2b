// One server of a pool: what it carries, and whether it lives as far as we know.

import type { PoolServerConfig } from '../../../config/config.ts'
import { steadyClock } from '../../../kernel/steady-clock.ts'
import type { Candidate } from './balance.ts'

/** The least part of its weight that a server has which came back: it gets a session now and then. */
const LEAST_SHARE = 0.02

export class PoolServer implements Candidate {
  readonly name: string
  config: PoolServerConfig
  sessions = 0
  failures = 0
  /** In a row: checks that went as `isUp` does not say. */
  contrary = 0
  #isUp = true
  /** When a client or a check last failed there; null: never. */
  #failedMs: number | null = null
  /** When it came back; null: it was never down. */
  #cameBackMs: number | null = null
  /** How long it takes from then on to its whole weight. */
  slowStartMs = 0

  constructor(config: PoolServerConfig) {
    this.config = config
    this.name = nameOf(config)
  }

  get host(): string {
    return this.config.host
  }

  get port(): number {
    return this.config.port
  }

  get isUp(): boolean {
    return this.#isUp
  }

  get isFull(): boolean {
    return this.config.maxSessions !== null && this.sessions >= this.config.maxSessions
  }

  /** The configured one, or a growing part of it while the server is back for less than `slowStartMs`. */
  get weight(): number {
    const { weight } = this.config
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

export function nameOf({ host, port }: Pick<PoolServerConfig, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
