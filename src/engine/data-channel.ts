// One data channel: two legs, each of which listens (behind a pinhole) or connects. Which does which follows from
// who is active on either side:
//
//   client passive, server passive:  we connect to the server before we announce, then the client comes; where the
//                                    kernel forwards, it does both when the client comes
//   client active,  server active:   the server comes, then we connect to the client
//   client active,  server passive:  we connect to the server before we answer, to the client at the transfer's 1xx, or when none comes
//   client passive, server active:   both come, in any order

import type { Endpoint } from '../ftp/endpoints.ts'
import type { Direction, Mode, PinholeCloseReason, Side } from './contract.ts'
import type { Outbox } from './outbox.ts'
import type { Protection } from './security.ts'

type Leg = 'waiting' | 'connecting' | 'connected'

/** `expired`, `failed`: no data will ever flow, the transfer gets 425. */
type Status = 'open' | 'expired' | 'failed'

export interface DataChannelFacts {
  readonly clientMode: Mode
  readonly serverMode: Mode
  /** Where an active client listens. */
  readonly clientEndpoint: Endpoint | null
  readonly protection: Protection
}

export class DataChannel {
  /** Unique in the session, counting from 1. */
  readonly id: number
  readonly clientMode: Mode
  readonly serverMode: Mode
  /** Where a passive server listens; known once it has answered. */
  serverEndpoint: Endpoint | null = null
  readonly #clientEndpoint: Endpoint | null
  readonly #protection: Protection
  readonly #outbox: Outbox
  #clientLeg: Leg = 'waiting'
  #serverLeg: Leg = 'waiting'
  /** The pinhole that waits for each side's connection, or 0. */
  #clientPinhole = 0
  #serverPinhole = 0
  #status: Status = 'open'
  #isInKernel = false
  #isGivenUp = false
  /** What the transfer over it moves; null before there is one, or for a verb that we do not know. */
  #direction: Direction | null = null
  #isDelivered = false
  #isDeliveryAwaited = false

  constructor(id: number, facts: DataChannelFacts, outbox: Outbox) {
    this.id = id
    this.clientMode = facts.clientMode
    this.serverMode = facts.serverMode
    this.#clientEndpoint = facts.clientEndpoint
    this.#protection = facts.protection
    this.#outbox = outbox
  }

  get status(): Status {
    return this.#status
  }

  /** Both legs are up: bytes flow, or have flowed. */
  get isJoined(): boolean {
    return this.#clientLeg === 'connected' && this.#serverLeg === 'connected'
  }

  get hasOnlyClient(): boolean {
    return this.#clientLeg === 'connected' && this.#serverLeg !== 'connected' && !this.#isInKernel
  }

  /**
   * Both legs may still come together, so success is not yet true: the server's last word can be read before the
   * data connection that it made earlier. The kernel joins without telling.
   */
  get isJoining(): boolean {
    return this.#status === 'open' && !this.isJoined && !this.#isInKernel && !this.#isGivenUp
  }

  /** All that is missing is the connection of a client that knows where to come. The kernel backend cannot say so. */
  get owesClient(): boolean {
    return this.#serverLeg === 'connected' && this.#clientPinhole !== 0 && !this.#isInKernel
  }

  /** A client that listens is not called yet, although the server's connection stands. */
  get hasUncalledClient(): boolean {
    const isOpen = this.#status === 'open' && this.#clientLeg === 'waiting'
    return isOpen && this.clientMode === 'active' && this.#serverLeg === 'connected'
  }

  /** A joined relay has not yet brought the last byte to where it goes. The kernel does not tell. */
  get isUndelivered(): boolean {
    return this.isJoined && !this.#isInKernel && !this.#isDelivered
  }

  /** Bytes may still come; of a file that is where it goes, all that is left is for a peer to end what it never used. */
  get isFlowing(): boolean {
    return this.isJoined && !this.#isDelivered
  }

  get direction(): Direction | null {
    return this.#direction
  }

  /** Asks to hear of the last byte, once. */
  awaitDelivery(): void {
    if (this.#isDeliveryAwaited || this.#direction === null) return
    this.#isDeliveryAwaited = true
    this.#outbox.push({ type: 'awaitDelivery', channel: this.id, direction: this.#direction })
  }

  /** A client may have sent a file that the server has not got, or may be about to: a passive one, or one that we called. */
  get mayHoldUpload(): boolean {
    if (this.#direction !== 'upload' || this.#isDelivered || this.#status !== 'open') return false
    return this.clientMode === 'passive' || this.#clientLeg !== 'waiting'
  }

  delivered(): void {
    this.#isDelivered = true
  }

  /** No data will flow here, now that the server has finished. */
  get isUseless(): boolean {
    return !this.isJoined && !this.#isInKernel
  }

  /**
   * The pinhole expired unused. A leg that is being connected still gets its result, and what a server gave waits for its client
   * as long as the pinhole does.
   */
  giveUpJoining(): void {
    const isUnderWay = this.#clientLeg === 'connecting' || this.#serverLeg === 'connecting'
    this.#isGivenUp = !isUnderWay && !(this.#serverLeg === 'connected' && this.#clientPinhole !== 0)
  }

  openPinhole({ pinhole, from, target }: { pinhole: number; from: Side; target: Endpoint | null }): void {
    if (from === 'client') this.#clientPinhole = pinhole
    else this.#serverPinhole = pinhole
    this.#outbox.push({
      type: 'openPinhole',
      request: {
        pinhole,
        channel: this.id,
        mode: this.clientMode,
        from,
        // The kernel cannot encrypt.
        target: this.#isPrivate('client') || this.#isPrivate('server') ? null : target,
        isPrivate: this.#isPrivate(from),
      },
    })
  }

  /** The kernel joins the legs; we hear of it later, or never. */
  forwardedByKernel(): void {
    this.#isInKernel = true
  }

  owns(pinhole: number): boolean {
    return pinhole !== 0 && (pinhole === this.#clientPinhole || pinhole === this.#serverPinhole)
  }

  /** Connects to the passive server before anything is announced. */
  reachServer(): void {
    this.#connect('server')
  }

  /** The server's port cannot be reached: another may be tried. */
  serverUnreachable(): void {
    this.#serverLeg = 'waiting'
    this.serverEndpoint = null
  }

  /** The transfer command went upstream. */
  transferRequested(direction: Direction | null): void {
    this.#direction = direction
    this.#outbox.push({ type: 'beginTransfer', channel: this.id, direction })
  }

  /** The server answered the transfer command with 1xx or 2xx, or goes about it without a word. */
  transferAccepted(): void {
    if (this.clientMode === 'active' && this.serverMode === 'passive') this.#connect('client')
  }

  legConnected(side: Side): void {
    if (side === 'client' || this.#isInKernel) {
      this.#clientLeg = 'connected'
      this.#clientPinhole = 0
    }
    if (side === 'server' || this.#isInKernel) {
      this.#serverLeg = 'connected'
      this.#serverPinhole = 0
    }
    if (side === 'client' && this.serverMode === 'passive') this.#connect('server')
    // With a passive server the client is called only once the transfer is accepted.
    if (side === 'server' && this.serverMode === 'active' && this.clientMode === 'active') {
      this.#connect('client')
    }
  }

  /** One leg cannot be had: the other is reset, so that nothing looks complete. */
  legFailed(): void {
    this.#status = 'failed'
    this.close('reset', 'unused')
  }

  /** The backend has closed that pinhole already; its twin of a double conversion is still open. */
  pinholeExpired(pinhole: number): void {
    this.#status = 'expired'
    this.pinholeGone(pinhole)
    this.close('reset', 'unused')
  }

  /** This pinhole is not open (any more) and needs no closing. */
  pinholeGone(pinhole: number): void {
    if (pinhole === this.#clientPinhole) this.#clientPinhole = 0
    if (pinhole === this.#serverPinhole) this.#serverPinhole = 0
  }

  /** Ends what waits; a joined channel with `finish` gets a moment to deliver what is under way. */
  close(how: 'finish' | 'reset', reason: PinholeCloseReason): void {
    this.#closePinhole(this.#clientPinhole, reason)
    this.#closePinhole(this.#serverPinhole, reason)
    if (this.#clientLeg === 'waiting' && this.#serverLeg === 'waiting') return
    this.#outbox.push({ type: 'closeChannel', channel: this.id, how })
    // A joined channel that finishes can still be reset.
    if (!this.isJoined) this.#clientLeg = this.#serverLeg = 'waiting'
  }

  #connect(side: Side): void {
    const leg = side === 'client' ? this.#clientLeg : this.#serverLeg
    const endpoint = side === 'client' ? this.#clientEndpoint : this.serverEndpoint
    if (leg !== 'waiting' || this.#status !== 'open' || endpoint === null) return
    if (side === 'client') this.#clientLeg = 'connecting'
    else this.#serverLeg = 'connecting'
    this.#outbox.push({
      type: 'connectLeg',
      channel: this.id,
      mode: this.clientMode,
      side,
      endpoint,
      isPrivate: this.#isPrivate(side),
    })
  }

  #isPrivate(side: Side): boolean {
    const { isClientPrivate, isServerPrivate } = this.#protection
    return side === 'client' ? isClientPrivate : isServerPrivate
  }

  #closePinhole(pinhole: number, reason: PinholeCloseReason): void {
    if (pinhole === 0) return
    this.pinholeGone(pinhole)
    this.#outbox.push({ type: 'closePinhole', pinhole, reason })
  }
}
