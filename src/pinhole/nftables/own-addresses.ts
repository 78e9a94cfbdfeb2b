import { reachOf } from '../../ftp/addresses.ts'

/** How long a verdict is believed: an address may come or go while we run. */
const BELIEVED_MS = 5000
/** Verdicts kept at once; one for each peer lately seen. */
const KEPT_MAX = 10_000

/** Remembers which addresses are this machine's, because asking the kernel costs more than a pinhole. */
export class OwnAddresses {
  readonly #towards: (peer: string) => string | null
  readonly #now: () => number
  readonly #verdicts = new Map<string, boolean>()
  #sinceMs = Number.NEGATIVE_INFINITY

  /** `towards` tells from which address this machine would talk to another; see `ownAddressTowards`. */
  constructor(options: { readonly towards: (peer: string) => string | null; readonly now: () => number }) {
    this.#towards = options.towards
    this.#now = options.now
  }

  /**
   * Whether packets to a canonical address end on this machine: the routing table answers with the address itself.
   * A link-local address has no route without its zone; only our own ever come here.
   */
  has(address: string): boolean {
    const nowMs = this.#now()
    if (nowMs - this.#sinceMs > BELIEVED_MS || this.#verdicts.size >= KEPT_MAX) {
      this.#verdicts.clear()
      this.#sinceMs = nowMs
    }
    const known = this.#verdicts.get(address)
    if (known !== undefined) return known
    const reach = reachOf(address)
    const isOwn = reach === 'loopback' || reach === 'linkLocal' || this.#towards(address) === address
    this.#verdicts.set(address, isOwn)
    return isOwn
  }
}
