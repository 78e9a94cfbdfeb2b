// Who came to a data port and was not expected there. The kernel tells of every connection attempt in the range that took
// no pinhole's element with it; what it was is found out here.

import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Flow } from '../../kernel/conntrack.ts'
import { RecentKeys } from '../../timing/recent-keys.ts'
import type { IntruderReason } from '../../vocabulary.ts'

export interface StrangersOptions {
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
  readonly isOwnAddress: (address: string) => boolean
  readonly intruded: (intruder: {
    readonly from: Endpoint
    readonly port: number
    readonly reason: IntruderReason
  }) => void
}

/** Knows which holes wait and which lately did. Addresses are canonical. */
export class Strangers {
  readonly #options: StrangersOptions
  /** Key: `address|port`; how many holes wait there, each for its own peer. */
  readonly #waiting = new Map<string, number>()
  /** Key: `address|port|peer`. */
  readonly #expected = new Set<string>()
  /** Keys of both kinds. */
  readonly #closed: RecentKeys
  readonly #served: RecentKeys

  constructor(options: StrangersOptions) {
    this.#options = options
    this.#closed = new RecentKeys({ forMs: REMEMBERED_MS, now: options.now })
    this.#served = new RecentKeys({ forMs: REMEMBERED_MS, now: options.now })
  }

  /** A hole is open for a peer. */
  expect(peer: string, at: Endpoint): void {
    const place = placeKey(at)
    this.#expected.add(`${place}|${peer}`)
    this.#waiting.set(place, (this.#waiting.get(place) ?? 0) + 1)
  }

  /** The hole is closed, `used` when the peer came. Without `expect` before, nothing happens. */
  unexpect(peer: string, at: Endpoint, how: 'used' | 'unused'): void {
    const place = placeKey(at)
    const door = `${place}|${peer}`
    if (!this.#expected.delete(door)) return
    const waiting = (this.#waiting.get(place) ?? 1) - 1
    if (waiting > 0) this.#waiting.set(place, waiting)
    else this.#waiting.delete(place)
    this.#closed.add(place)
    if (how === 'used') this.#served.add(door)
  }

  /** A connection attempt that no element was for. */
  readonly seen = ({ from, to }: Flow): void => {
    const reason = this.#reason(from.address, to)
    if (reason !== null) this.#options.intruded({ from, port: to.port, reason })
  }

  /** Null for what is none of our business: a port of that number on another machine. */
  #reason(peer: string, to: Endpoint): IntruderReason | null {
    const place = placeKey(to)
    const door = `${place}|${peer}`
    // The element is being put back: the tables were flushed.
    if (this.#expected.has(door)) return null
    if (this.#served.has(door)) return 'duplicate'
    if (this.#waiting.has(place)) return 'wrong_peer'
    if (this.#closed.has(place)) return 'late'
    return this.#options.isOwnAddress(to.address) ? 'wrong_peer' : null
  }
}

/** How long a closed hole is remembered; the kernel tells of an attempt within a tenth of a second. */
const REMEMBERED_MS = 10_000

function placeKey({ address, port }: Endpoint): string {
  return `${address}|${port}`
}
