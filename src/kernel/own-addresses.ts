import { networkInterfaces } from 'node:os'
import { canonicalAddress, reachOf } from '../ftp/addresses.ts'
import type { Libc } from './libc.ts'
import { steadyClock } from './steady-clock.ts'
import { ownAddressTowards } from './transparent.ts'

/** How long a verdict is believed: an address may come or go while we run. */
const BELIEVED_MS = 5000
/** Verdicts kept at once; one for each peer lately seen. */
const KEPT_MAX = 10_000

export interface OwnAddressesOptions {
  /** From which address this machine would talk to another; null where there is no route, or the kernel cannot be asked. */
  readonly towards: (peer: string) => string | null
  /** The canonical addresses of the interfaces. Throws where the system does not say. */
  readonly interfaces: () => ReadonlySet<string>
  readonly now: () => number
}

/**
 * Which addresses are this machine's. The routing table knows more than the list of interfaces: whole networks that are
 * local, and addresses of interfaces whose cable is out, which Node leaves out. The list knows link-local addresses, which
 * have no route without their zone. What either calls ours is ours. Verdicts are remembered, because asking the kernel
 * costs more than a pinhole.
 */
export class OwnAddresses {
  readonly #options: OwnAddressesOptions
  readonly #verdicts = new Map<string, boolean>()
  #listed: ReadonlySet<string> | null = null
  #sinceMs = Number.NEGATIVE_INFINITY

  constructor(options: OwnAddressesOptions) {
    this.#options = options
  }

  /**
   * Whether packets to a canonical address end on this machine; loopback and the unspecified address always do.
   * Throws where the routing table does not claim it and the system does not list its interfaces.
   */
  has(address: string): boolean {
    const reach = reachOf(address)
    if (reach === 'loopback' || reach === 'unspecified') return true
    const nowMs = this.#options.now()
    if (nowMs - this.#sinceMs > BELIEVED_MS || this.#verdicts.size >= KEPT_MAX) {
      this.#verdicts.clear()
      this.#listed = null
      this.#sinceMs = nowMs
    }
    const known = this.#verdicts.get(address)
    if (known !== undefined) return known
    if (reach === 'linkLocal') this.#listed = null
    const isRouted = reach !== 'linkLocal' && this.#options.towards(address) === address
    const isOwn = isRouted || this.#isListed(address)
    this.#verdicts.set(address, isOwn)
    return isOwn
  }

  #isListed(address: string): boolean {
    this.#listed ??= this.#options.interfaces()
    return this.#listed.has(address)
  }
}

let libc: Libc | null = null

/** From now on the routing table is asked too. */
export function askRoutingTable(through: Libc): void {
  libc = through
}

const own = new OwnAddresses({
  towards: (peer) => {
    try {
      return libc === null ? null : ownAddressTowards(libc, peer)
    } catch {
      // No descriptor is left to ask with: the list of interfaces needs none of ours.
      return null
    }
  },
  interfaces: () => {
    const found = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
    return new Set(found.map((entry) => canonicalAddress(entry.address)))
  },
  now: () => steadyClock.now(),
})

/** Whether a canonical address belongs to this machine: the one answer of this process, see `OwnAddresses.has`. */
export function isOwnAddress(address: string): boolean {
  return own.has(address)
}
