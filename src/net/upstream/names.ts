// DNS names in the configuration: resolved when first needed and again as their TTL passes. A name that stops
// resolving keeps its last addresses, and says so in the log.

import { lookup, resolve4, resolve6, resolveSrv } from 'node:dns/promises'
import { canonicalAddress, type Family, familyOf, parseAddress } from '../../ftp/addresses.ts'
import type { Observer } from '../../observe/observer.ts'
import { Follower, type Following } from './follow.ts'

/** A server of a service, as SRV records have it. */
export interface Service {
  readonly host: string
  readonly addresses: readonly string[]
  readonly port: number
  /** The lowest first. */
  readonly priority: number
  readonly weight: number
}

interface Entry {
  addresses: readonly string[]
  /** When to ask again. */
  staleMs: number
  pending: Promise<readonly string[]> | null
}

const MIN_TTL_MS = 1_000
const MAX_TTL_MS = 300_000
/** How long DNS may take to say for how long. */
const TTL_ANSWER_MS = 5_000
/** After a failure. */
const RETRY_MS = 5_000
/** For names that DNS does not know, as those of /etc/hosts. */
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

  /**
   * Calls back with the addresses of a host, then each time there are others, and asks again as their TTL passes. A host that
   * stops resolving keeps its addresses; the log says so once.
   */
  follow(host: string, changed: (addresses: readonly string[]) => void): Following {
    const ask = async () => {
      const addresses = await this.#ask(host, this.#entry(host))
      return { found: addresses, addresses, ttlMs: await within(TTL_ANSWER_MS, timeToLive(host)) }
    }
    return new Follower({ host, observer: this.#observer }, ask, changed)
  }

  /** The same for the servers of a service, by the TTL of their addresses: Node does not give that of SRV records. */
  followService(name: string, changed: (services: readonly Service[]) => void): Following {
    const ask = async () => {
      const records = (await resolveSrv(name)).filter((record) => record.name !== '')
      const found = await Promise.all(
        records.map(async ({ name: host, ...record }) => {
          const entry = this.#entry(host)
          // One that does not resolve does not keep the others from being found.
          const addresses = await this.#ask(host, entry).catch(() => entry.addresses)
          return { ...record, host, addresses }
        }),
      )
      const addresses = found.flatMap((each) => each.addresses.map((address) => textOf(each, address)))
      if (addresses.length === 0) throw new Error(`${name} has no server with an address`)
      const ttls = await Promise.all(found.map(({ host }) => within(TTL_ANSWER_MS, timeToLive(host))))
      return { found, addresses, ttlMs: Math.min(...ttls) }
    }
    return new Follower({ host: name, observer: this.#observer }, ask, changed)
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
          entry.staleMs = performance.now() + RETRY_MS
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

/** What comes within that time, or the time for names that DNS does not know. */
function within(ms: number, ttl: Promise<number>): Promise<number> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, FALLBACK_TTL_MS).unref()
    void ttl.then((ttlMs) => {
      clearTimeout(timer)
      resolve(ttlMs)
    })
  })
}

function textOf({ port, priority, weight }: Service, address: string): string {
  return `${address} port ${port} priority ${priority} weight ${weight}`
}
