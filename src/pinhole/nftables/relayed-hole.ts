import { AlgError } from '../../errors.ts'
import { canonicalAddress } from '../../ftp/addresses.ts'
import type { ElementChange } from '../../kernel/nft-elements.ts'
import type { PinholeEvents, PinholeHandle, PinholeRequest } from '../backend.ts'
import { doorOf, type Hole, openHole, sweepHole } from './elements.ts'
import { type HoleContext, type LivingHole, type Opened, removal } from './hole.ts'
import { SwallowWatch } from './swallow-watch.ts'

/**
 * A pinhole on a port that we listen on ourselves, admitted by the firewall for one peer, once. Where the peer
 * is to connect to an address that is not ours, the kernel brings the connection to one that is.
 */
export class RelayedHole implements LivingHole {
  readonly #context: HoleContext
  readonly #request: PinholeRequest
  readonly #events: PinholeEvents
  readonly #opened: Opened
  #handle: PinholeHandle | null = null
  /** Set while the firewall has its elements. */
  #hole: Hole | null = null
  #swallow: SwallowWatch | null = null
  #deadlineMs = 0
  #isEnded = false
  /** Its element was put back, perhaps just when the peer had come. */
  #isProlonged = false

  constructor(context: HoleContext, request: PinholeRequest, events: PinholeEvents, opened: Opened) {
    this.#context = context
    this.#request = request
    this.#events = events
    this.#opened = opened
  }

  /** Listens, then admits. */
  open(): void {
    const { local, expect } = this.#request
    const { isOwnAddress, ownAddressTowards } = this.#context
    // An own address is listened on as it was written: a link-local one has its zone.
    const own = isOwnAddress(canonicalAddress(local)) ? local : ownAddressTowards(expect)
    if (own === null) {
      this.#end()
      this.#opened(noRoute(this.#request), null)
      return
    }
    const relayEvents: PinholeEvents = {
      ...this.#events,
      connected: (connection) => {
        this.#used()
        this.#events.connected(connection)
      },
      lost: () => {
        this.#used()
        this.#events.lost()
      },
      expired: () => this.#expired(),
    }
    const handle = this.#context.relay.open(
      { ...this.#request, local: own },
      relayEvents,
      (error, pinhole) => {
        if (pinhole === null) {
          this.#end()
          this.#opened(error, null)
        } else if (!this.#isEnded) {
          this.#admit(own, pinhole.at.port)
        }
      },
    )
    if (this.#isEnded) handle.close()
    else this.#handle = handle
  }

  close(): void {
    if (this.#isEnded) return
    this.#handle?.close()
    if (this.#hole !== null) this.#remove(this.#hole)
    this.#end()
  }

  prolong(timeoutMs: number): void {
    if (this.#hole === null || this.#isEnded) return
    this.#deadlineMs = this.#context.now() + timeoutMs
    this.#isProlonged = true
    this.#handle?.prolong(timeoutMs)
    const { transactions, sets } = this.#context
    transactions.submit([...removal(this.#hole, sets), ...this.elements()], () => undefined)
  }

  elements(): readonly ElementChange[] {
    if (this.#hole === null || this.#isEnded) return []
    const timeoutMs = Math.max(0, this.#deadlineMs - this.#context.now())
    return openHole({ ...this.#hole, timeoutMs }, this.#context.sets)
  }

  #admit(own: string, port: number): void {
    const { local, expect, others, timeoutMs, owner } = this.#request
    const at = { address: canonicalAddress(local), port }
    const forward = own === local ? null : { address: own, port }
    const isWide = others.length > 0
    const hole: Hole = { peer: expect, isWide, at, forward, source: null, timeoutMs, owner }
    this.#context.flows.makeWay(expect, at)
    this.#context.transactions.submit(openHole(hole, this.#context.sets), (result) => {
      if (this.#isEnded) {
        if (result.ok) this.#remove(hole)
      } else if (result.ok) {
        this.#hole = hole
        this.#swallow = new SwallowWatch(this.#context, hole, 'input')
        this.#context.strangers.expect(expect, at)
        this.#deadlineMs = this.#context.now() + timeoutMs
        this.#opened(null, { at, inKernel: false })
      } else {
        this.#handle?.close()
        this.#end()
        this.#opened(result.error, null)
      }
    })
  }

  #expired(): void {
    const hole = this.#hole
    if (hole !== null) {
      const { packetsMatched, sets } = this.#context
      this.#swallow?.look(packetsMatched(doorOf(hole, sets)))
      this.#remove(hole)
    }
    this.#end()
    this.#events.expired()
  }

  #used(): void {
    if (this.#hole !== null) this.#sweep(this.#hole)
    this.#end('used')
  }

  /** The right peer is here; our answer to it took the door's element away. */
  #sweep(hole: Hole): void {
    const { transactions, sets } = this.#context
    // With a wide one another host may have come, and the peer's own door stands open.
    if (this.#isProlonged || hole.isWide === true) this.#remove(hole)
    else transactions.submitLater(sweepHole(hole, sets))
  }

  #remove(hole: Hole): void {
    this.#context.transactions.submit(removal(hole, this.#context.sets), () => undefined)
  }

  #end(how: 'used' | 'unused' = 'unused'): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#swallow?.stop()
    const { strangers, ended, nobodyCame } = this.#context
    if (how === 'unused') nobodyCame()
    if (this.#hole !== null) strangers.unexpect(this.#hole.peer, this.#hole.at, how)
    this.#hole = null
    ended(this)
  }
}

function noRoute({ expect, local }: PinholeRequest): AlgError {
  return new AlgError('PINHOLE_FAILED', `no route to ${expect}, which should connect to ${local}`, {
    context: { expect, local },
  })
}
