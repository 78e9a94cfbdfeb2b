// Which server of a pool is next. Pure: what a server carries is passed in.

import { createHash } from 'node:crypto'
import type { PoolConfig } from '../../../config/config.ts'

export interface Candidate {
  /** Unique in the pool. */
  readonly name: string
  /** 1 to 256. */
  readonly weight: number
  /** Sessions with it now. */
  readonly sessions: number
}

export class Balancer {
  readonly #balance: PoolConfig['balance']
  /** By name: the smooth weighted round robin of nginx, in which a server's turns are spread out. */
  #credits = new Map<string, number>()

  constructor(balance: PoolConfig['balance']) {
    this.#balance = balance
  }

  /** One of the candidates, which stand in the order of the configuration; null where there is none. */
  choose<Server extends Candidate>(candidates: readonly Server[], client: string): Server | null {
    const [first = null] = candidates
    switch (this.#balance) {
      case 'first':
        return first
      case 'roundRobin':
        return this.#nextInTurn(candidates)
      case 'leastSessions':
        return least(candidates, ({ sessions, weight }) => (sessions + 1) / weight)
      case 'clientHash':
        // Rendezvous hashing: when a server goes, only its own clients move.
        return least(candidates, ({ name, weight }) => -Math.log2(hashOf(client, name)) / weight)
    }
  }

  #nextInTurn<Server extends Candidate>(candidates: readonly Server[]): Server | null {
    const credits = new Map(
      candidates.map(({ name, weight }) => [name, (this.#credits.get(name) ?? 0) + weight]),
    )
    const chosen = least(candidates, ({ name }) => -(credits.get(name) ?? 0))
    const total = candidates.reduce((sum, { weight }) => sum + weight, 0)
    if (chosen !== null) credits.set(chosen.name, (credits.get(chosen.name) ?? 0) - total)
    this.#credits = credits
    return chosen
  }
}

function least<T>(items: readonly T[], costOf: (item: T) => number): T | null {
  let best: T | null = null
  let bestCost = Number.POSITIVE_INFINITY
  for (const item of items) {
    const cost = costOf(item)
    if (best !== null && cost >= bestCost) continue
    best = item
    bestCost = cost
  }
  return best
}

/** Above 0 and below 1. */
function hashOf(client: string, server: string): number {
  const digest = createHash('sha256').update(`${client}|${server}`).digest()
  return (digest.readUInt32BE(0) + 0.5) / 2 ** 32
}
