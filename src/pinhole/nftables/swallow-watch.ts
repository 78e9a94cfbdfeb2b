import { doorOf, type Hole } from './elements.ts'
import type { HoleContext } from './hole.ts'

/**
 * Warns, once, when a rule matched but no connection followed: a chain that is not ours dropped the packet. The most likely
 * mistake of an installation, and clients give up sooner than pinholes expire, so it is looked at every five seconds.
 */
export class SwallowWatch {
  readonly #context: HoleContext
  readonly #hole: Hole
  readonly #chain: 'input' | 'forward'
  readonly #timer: NodeJS.Timeout
  #isSaid = false

  /** For a hole that waits from now on. */
  constructor(context: HoleContext, hole: Hole, chain: 'input' | 'forward') {
    this.#context = context
    this.#hole = hole
    this.#chain = chain
    const { packetsMatched, sets } = context
    this.#timer = setInterval(() => this.look(packetsMatched(doorOf(hole, sets))), LOOK_MS).unref()
  }

  /** `count`: see `HoleContext.packetsMatched`. */
  look(count: number | null): void {
    // What we answer ourselves was never answered; elsewhere the target may be silent, but then no packet comes twice:
    // conntrack keeps what has been let through.
    const proof = this.#chain === 'input' ? 1 : 2
    if (count === null || count < proof || this.#isSaid) return
    this.#isSaid = true
    this.stop()
    const { peer, at, owner } = this.#hole
    this.#context.swallowed({ session: owner, peer, at, chain: this.#chain })
  }

  /** Any number of times. */
  stop(): void {
    clearInterval(this.#timer)
  }
}

/** A lost SYN is repeated after 1, 3 and 7 s. */
const LOOK_MS = 5_000
