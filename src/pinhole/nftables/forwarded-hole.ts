import { canonicalAddress } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { FlowBytes } from '../../kernel/conntrack.ts'
import type { ElementChange } from '../../kernel/nft-elements.ts'
import type { PinholeEvents, PinholeRequest } from '../backend.ts'
import { poolError } from '../pool-error.ts'
import type { PortLease } from '../port-pool.ts'
import { doorOf, type Hole, openHole, sweepHole } from './elements.ts'
import type { RunningFlow } from './flows.ts'
import { type HoleContext, type LivingHole, type Opened, removal } from './hole.ts'
import { SwallowWatch } from './swallow-watch.ts'

/** A request that the kernel can serve by itself. */
export interface ForwardRequest extends PinholeRequest {
  readonly target: Endpoint
}

/** `claimed`: a packet matched and was answered, conntrack has yet to report it. */
type State = 'opening' | 'waiting' | 'claimed' | 'ended'

/** A pinhole whose connection the kernel sends on to its target. */
export class ForwardedHole implements LivingHole {
  readonly #context: HoleContext
  readonly #events: PinholeEvents
  readonly #lease: PortLease
  readonly #from: PinholeRequest['from']
  readonly #hole: Hole
  #state: State = 'opening'
  #deadlineMs = 0
  #timer: NodeJS.Timeout | null = null
  #swallow: SwallowWatch | null = null
  /** Its element was put back, perhaps just when the peer had come. */
  #isProlonged = false
  /** Set while the kernel forwards. */
  #flow: RunningFlow | null = null
  /** The port is in use by the connection that came; see `PortPool.runs`. */
  #portIsOver: ((nowMs: number) => void) | null = null

  /** Takes a port and queues the elements. Null, with `opened` called, when there is no port to take. */
  static open(
    context: HoleContext,
    request: ForwardRequest,
    events: PinholeEvents,
    opened: Opened,
  ): ForwardedHole | null {
    const pool = context.pools[request.from]
    const take = () => pool.take({ peer: request.expect, client: request.client, nowMs: context.now() })
    let taken = take()
    for (let tries = 1; taken.ok && tries < MAX_TRIES && isBusy(context, request, taken.lease); tries += 1) {
      pool.release(taken.lease, context.now())
      taken = take()
    }
    if (taken.ok) return new ForwardedHole(context, request, events, taken.lease, opened)
    opened(poolError(taken.reason, request, pool), null)
    return null
  }

  private constructor(
    context: HoleContext,
    request: ForwardRequest,
    events: PinholeEvents,
    lease: PortLease,
    opened: Opened,
  ) {
    this.#context = context
    this.#events = events
    this.#lease = lease
    this.#from = request.from
    this.#hole = {
      peer: request.expect,
      at: { address: canonicalAddress(request.local), port: lease.port },
      forward: request.target,
      // A source equal to the peer needs no translation, and leaves the administrator's own to apply.
      source: request.source === request.expect ? null : request.source,
      timeoutMs: request.timeoutMs,
      owner: request.owner,
    }
    context.flows.makeWay(this.#hole.peer, this.#hole.at)
    context.transactions.submit(openHole(this.#hole, context.sets), (result) => {
      if (!result.ok) {
        const wasClosed = this.#state === 'ended'
        this.#end()
        if (!wasClosed) opened(result.error, null)
      } else if (this.#state === 'ended') {
        this.#remove()
      } else {
        this.#state = 'waiting'
        this.#deadlineMs = context.now() + request.timeoutMs
        // A session waits for this; who comes is reported later.
        opened(null, { at: this.#hole.at, inKernel: true })
        this.#wait()
      }
    })
  }

  close(): void {
    // In a busy turn of the event loop a session may be further than what has been read of conntrack.
    if (this.#state === 'waiting') this.#context.catchUp()
    const flow = this.#flow
    if (flow !== null) {
      this.#flow = null
      flow.forget()
      this.#portIsOver?.(this.#context.now())
      this.#events.forwardEnded(totalsOf(flow.carried()))
    }
    if (this.#state === 'ended') return
    const hasElements = this.#state !== 'opening'
    this.#end()
    if (hasElements) this.#remove()
  }

  prolong(timeoutMs: number): void {
    if (this.#state !== 'waiting') return
    this.#deadlineMs = this.#context.now() + timeoutMs
    this.#isProlonged = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    // After one turn of reading: a process that was stopped has yet to hear who came.
    this.#timer = setTimeout(() => setImmediate(() => this.#expire()), timeoutMs)
    const { transactions, sets } = this.#context
    transactions.submit([...removal(this.#hole, sets), ...this.elements()], () => undefined)
  }

  elements(): readonly ElementChange[] {
    if (this.#state !== 'waiting') return []
    const timeoutMs = Math.max(0, this.#deadlineMs - this.#context.now())
    return openHole({ ...this.#hole, timeoutMs }, this.#context.sets)
  }

  #wait(): void {
    if (this.#state !== 'waiting') return
    const { peer, at, timeoutMs } = this.#hole
    // After one turn of reading: a process that was stopped has yet to hear who came.
    this.#timer = setTimeout(() => setImmediate(() => this.#expire()), timeoutMs)
    this.#swallow = new SwallowWatch(this.#context, this.#hole, 'forward')
    this.#context.strangers.expect(peer, at)
    this.#context.flows.expect(peer, at, {
      began: (flow) => {
        this.#flow = flow
        this.#used(flow)
      },
      ended: (bytes) => {
        this.#flow = null
        this.#portIsOver?.(this.#context.now())
        this.#events.forwardEnded(totalsOf(bytes))
      },
    })
  }

  #used(flow: RunningFlow): void {
    // The kernel took `once` away with the answer; the maps are of no use to an established connection.
    const { transactions, sets } = this.#context
    if (this.#isProlonged) this.#remove()
    else if (this.#state === 'waiting') transactions.submitLater(sweepHole(this.#hole, sets))
    this.#end('used')
    if (this.#from === 'server') this.#portIsOver = this.#context.pools.server.trackConnection(this.#lease)
    this.#events.forwarded(() => totalsOf(flow.carried()))
  }

  /** No peer came, or one has just been answered: the element's counter tells. */
  #expire(): void {
    if (this.#state !== 'waiting') return
    const { packetsMatched, sets } = this.#context
    const count = packetsMatched(doorOf(this.#hole, sets))
    if (count === null) {
      this.#state = 'claimed'
      this.#timer = setTimeout(() => this.#expired(), CONNTRACK_DELAY_MS)
      return
    }
    this.#swallow?.look(count)
    this.#expired()
  }

  #expired(): void {
    this.#remove()
    this.#end()
    this.#events.expired()
  }

  #remove(): void {
    this.#context.transactions.submit(removal(this.#hole, this.#context.sets), () => undefined)
  }

  #end(how: 'used' | 'unused' = 'unused'): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#swallow?.stop()
    const { flows, strangers, pools, now, ended, nobodyCame } = this.#context
    const { peer, at } = this.#hole
    if (how === 'unused') nobodyCame()
    flows.unexpect(peer, at)
    strangers.unexpect(peer, at, how)
    pools[this.#from].release(this.#lease, now())
    ended(this)
  }
}

/**
 * Whether conntrack knows a connection between the server's data port and this port of ours that is not over: from an
 * earlier run of ours, or one whose end it has not seen. It would take the next one for a part of it, and send it the old way.
 */
function isBusy(
  { isRunning }: HoleContext,
  { from, expect, local }: ForwardRequest,
  { port }: PortLease,
): boolean {
  const to = { address: canonicalAddress(local), port }
  return from === 'server' && isRunning({ from: { address: expect, port: FTP_DATA_PORT }, to })
}

/** RFC 959 §3.2; servers that call from another port mostly take any. */
const FTP_DATA_PORT = 20
const MAX_TRIES = 4

/** Conntrack's word may be in the socket when the timer fires; it is read well within this. */
const CONNTRACK_DELAY_MS = 250

function totalsOf(bytes: FlowBytes | null) {
  return bytes === null ? null : { fromPeerBytes: bytes.sentBytes, toPeerBytes: bytes.receivedBytes }
}
