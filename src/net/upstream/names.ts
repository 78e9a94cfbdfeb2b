// DNS names in the configuration: resolved when first needed and again as their TTL passes. A name that stops
// resolving keeps its last addresses, and says so in the log.

import { lookup, resolve4, resolve6 } from 'node:dns/promises'
import { canonicalAddress, type Family, familyOf, parseAddress } from '../../ftp/addresses.ts'
import type { Observer } from '../../observe/observer.ts'

interface Entry {
  addresses: readonly string[]
  /** When to ask again. */
  staleMs: number
  pending: Promise<readonly string[]> | null
}

const MIN_TTL_MS = 5_000
const MAX_TTL_MS = 300_000
/** For names from /etc/hosts and after a failure. */
const FALLBACK_TTL_MS = 30_000

export class Names {
  readonly #observer: Pick<Observer, 'log'>
  readonly #entries = new Map<string, Entry>()

  constructor(observer: Pick<Observer, 'log'>) {
    this.#observer = observer
  }

  /** All addresses of a host, canonical, in the system's order; an address is its own. Rejects when there are none. */
  async resolve(host: string): Promise<readonly string[]> {
    const literal = parseAddress(host)
    if (literal !== null) return [literal]
    const entry = this.#entry(host)
    if (entry.addresses.length > 0) {
      this.#refresh(host, entry)
      return entry.addresses
    }
    return this.#ask(host, entry)
  }

  /** The same without anything that was known before, and without keeping it. */
  async resolveAfresh(host: string): Promise<readonly string[]> {
    const literal = parseAddress(host)
    if (literal !== null) return [literal]
    const found = await lookup(host, { all: true, verbatim: true })
    return found.map(({ address }) => canonicalAddress(address))
  }

  /** The address known now for a family, or null; asks in the background when it is stale. */
  known(host: string, family: Family): string | null {
    const literal = parseAddress(host)
    if (literal !== null) return familyOf(literal) === family ? literal : null
    const entry = this.#entry(host)
    this.#refresh(host, entry)
    return entry.addresses.find((address) => familyOf(address) === family) ?? null
  }

  #entry(host: string): Entry {
    let entry = this.#entries.get(host)
    if (entry === undefined) {
      entry = { addresses: [], staleMs: 0, pending: null }
      this.#entries.set(host, entry)
    }
    return entry
  }

  #refresh(host: string, entry: Entry): void {
    if (performance.now() < entry.staleMs) return
    this.#ask(host, entry).catch((error: unknown) => {
      this.#observer.log('names.fail', {
        host,
        addresses: entry.addresses,
        error,
      })
    })
  }

  #ask(host: string, entry: Entry): Promise<readonly string[]> {
    // The system's own resolver decides which addresses: it knows /etc/hosts.
    entry.pending ??= lookup(host, { all: true, verbatim: true })
      .then(
        (found) => {
          entry.addresses = found.map(({ address }) => canonicalAddress(address))
          entry.staleMs = performance.now() + FALLBACK_TTL_MS
          // DNS says for how long, but may take half a minute to fail: too long to wait.
          void timeToLive(host).then((ttlMs) => {
            entry.staleMs = performance.now() + ttlMs
          })
          return entry.addresses
        },
        (error: unknown) => {
          entry.staleMs = performance.now() + MIN_TTL_MS
          throw error
        },
      )
      .finally(() => {
        entry.pending = null
      })
    return entry.pending
  }
}

/** Never rejects. */
async function timeToLive(host: string): Promise<number> {
  const answers = await Promise.allSettled([resolve4(host, { ttl: true }), resolve6(host, { ttl: true })])
  const ttls = answers.flatMap((answer) =>
    answer.status === 'fulfilled' ? answer.value.map(({ ttl }) => ttl) : [],
  )
  if (ttls.length === 0) return FALLBACK_TTL_MS
  return Math.min(Math.max(Math.min(...ttls) * 1000, MIN_TTL_MS), MAX_TTL_MS)
}
