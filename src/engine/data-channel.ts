// One data channel: two legs, each of which listens (behind a pinhole) or connects. Which does which follows from
// who is active on either side:
//
//   client passive, server passive:  the client comes, then we connect to the server
//   client active,  server active:   the server comes, then we connect to the client
//   client active,  server passive:  we connect to the server with the transfer command, to the client at its 1xx
//   client passive, server active:   both come, in any order

import type { Endpoint } from '../ftp/endpoints.ts'
import type { Mode, PinholeCloseReason, Side } from './contract.ts'
import type { Outbox } from './outbox.ts'

type Leg = 'waiting' | 'connecting' | 'connected'

/** `expired`, `failed`: the next transfer gets 425. */
type Status = 'open' | 'expired' | 'failed'

export interface DataChannelFacts {
  readonly id: number
  readonly clientMode: Mode
  readonly serverMode: Mode
  /** Where an active client listens. */
  readonly clientEndpoint: Endpoint | null
}

export class DataChannel {
  readonly id: number
  readonly clientMode: Mode
  readonly serverMode: Mode
  /** Where a passive server listens; known once it has answered. */
  serverEndpoint: Endpoint | null = null
  readonly #clientEndpoint: Endpoint | null
  readonly #outbox: Outbox
  readonly #legs: Record<Side, Leg> = { client: 'waiting', server: 'waiting' }
  /** Pinholes that still wait for their peer. */
  readonly #pinholes = new Map<Side, number>()
  #status: Status = 'open'
  #isInKernel = false

  constructor(facts: DataChannelFacts, outbox: Outbox) {
    this.id = facts.id
    this.clientMode = facts.clientMode
    this.serverMode = facts.serverMode
    this.#clientEndpoint = facts.clientEndpoint
    this.#outbox = outbox
  }

  get status(): Status {
    return this.#status
  }

  /** Both legs are up: bytes flow, or have flowed. */
  get isJoined(): boolean {
    return this.#legs.client === 'connected' && this.#legs.server === 'connected'
  }

  /** Nobody has come and we have connected to nobody. */
  get isUntouched(): boolean {
    return this.#legs.client === 'waiting' && this.#legs.server === 'waiting'
  }

  /** Success must not be reported to an active client that we have not reached yet. */
  get holdsReplies(): boolean {
    if (this.#isInKernel || this.#status !== 'open') return false
    return this.clientMode === 'active' && this.#legs.client !== 'connected'
  }

  /** The server has to connect first, and has not. */
  get awaitsServer(): boolean {
    return this.serverMode === 'active' && this.#legs.server === 'waiting'
  }

  openPinhole({ pinhole, from, target }: { pinhole: number; from: Side; target: Endpoint | null }): void {
    this.#pinholes.set(from, pinhole)
    this.#outbox.push({ type: 'openPinhole', request: { pinhole, channel: this.id, mode: this.clientMode, from, target } })
  }

  /** The kernel joins the legs; we hear of it later, or never. */
  forwardedByKernel(): void {
    this.#isInKernel = true
  }

  owns(pinhole: number): boolean {
    return this.#pinholes.get('client') === pinhole || this.#pinholes.get('server') === pinhole
  }

  /** The transfer command went upstream. */
  transferRequested(): void {
    if (this.clientMode === 'active' && this.serverMode === 'passive') this.#connect('server')
  }

  /** The server answered the transfer command with 1xx or 2xx. */
  transferAccepted(): void {
    if (this.clientMode === 'active' && this.serverMode === 'passive') this.#connect('client')
  }

  legConnected(side: Side): void {
    this.#legs[side] = 'connected'
    this.#pinholes.delete(side)
    const other: Side = side === 'client' ? 'server' : 'client'
    const otherConnects = other === 'server' ? this.serverMode === 'passive' : this.clientMode === 'active'
    if (!otherConnects) return
    // With a passive server the client is called only once the transfer is accepted.
    if (other === 'client' && this.serverMode === 'passive') return
    this.#connect(other)
  }

  /** One leg cannot be had: the other is reset, so that nothing looks complete. */
  legFailed(): void {
    this.#status = 'failed'
    this.#release('unused')
    this.#end('reset')
  }

  /** The backend has closed that pinhole already; its twin of a double conversion is still open. */
  pinholeExpired(expired: number): void {
    this.#status = 'expired'
    for (const [side, pinhole] of this.#pinholes) {
      if (pinhole === expired) this.#pinholes.delete(side)
    }
    this.#release('unused')
    this.#end('reset')
  }

  /** Ends what waits; a joined channel with `finish` gets a moment to deliver what is under way. */
  close(how: 'finish' | 'reset', reason: PinholeCloseReason): void {
    this.#release(reason)
    this.#end(how)
  }

  #end(how: 'finish' | 'reset'): void {
    if (!this.isUntouched) this.#outbox.push({ type: 'closeChannel', channel: this.id, how })
  }

  #connect(side: Side): void {
    const endpoint = side === 'client' ? this.#clientEndpoint : this.serverEndpoint
    if (this.#legs[side] !== 'waiting' || this.#status !== 'open' || endpoint === null) return
    this.#legs[side] = 'connecting'
    this.#outbox.push({ type: 'connectLeg', channel: this.id, mode: this.clientMode, side, endpoint })
  }

  #release(reason: PinholeCloseReason): void {
    for (const pinhole of this.#pinholes.values()) {
      this.#outbox.push({ type: 'closePinhole', pinhole, reason })
    }
    this.#pinholes.clear()
  }
}
