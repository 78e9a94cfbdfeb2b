// The data side of one session, made when the first data channel is asked for: idle sessions do not pay for it.

import type { Effect, Event, Side } from '../../engine/contract.ts'
import type { Network } from '../../ftp/addresses.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { PinholeBackend } from '../../pinhole/backend.ts'
import type { SessionAddresses } from '../session/addresses.ts'
import { DataLegs, type DataLegsOptions } from './channels.ts'
import { SessionPinholes } from './pinholes.ts'

export interface SessionDataOptions {
  readonly observer: SessionObserver
  readonly backend: PinholeBackend
  readonly pinholeTimeoutMs: number
  readonly dataPeers: Readonly<Record<Side, readonly Network[]>>
  readonly connectMs: number
  readonly addresses: SessionAddresses
  readonly connect: DataLegsOptions['connect']
  /** Whether a server works on the transfer that a channel was set up for. */
  readonly isWorkedOn: (channel: number) => boolean
  readonly emit: (event: Event) => void
  readonly secure: DataLegsOptions['secure']
}

export type DataEffect = Extract<
  Effect,
  {
    readonly type:
      | 'openPinhole'
      | 'closePinhole'
      | 'connectLeg'
      | 'closeChannel'
      | 'beginTransfer'
      | 'awaitDelivery'
  }
>

/**
 * How long to wait, after the session has ended, for conntrack's final byte counts: it remembers connections whose peers have
 * vanished for days. A process that drains has less time.
 */
const LAST_WORD_MS = 60_000
const LAST_WORD_IN_DRAIN_MS = 3_000

export class SessionData {
  readonly #legs: DataLegs
  readonly #pinholes: SessionPinholes
  #seenBytes = 0
  /** When the session ended. */
  #overMs = Number.POSITIVE_INFINITY
  #isDraining = false

  constructor(options: SessionDataOptions) {
    this.#legs = new DataLegs(options)
    this.#pinholes = new SessionPinholes(options, (leg) => this.#legs.add(leg))
  }

  /** Data connections exist, ours or the kernel's. */
  get isOpen(): boolean {
    return this.#legs.isOpen || this.#pinholes.forwarding > 0
  }

  carryOut(effect: DataEffect): void {
    switch (effect.type) {
      case 'openPinhole':
        this.#pinholes.open(effect.request)
        break
      case 'closePinhole':
        this.#pinholes.close(effect.pinhole, effect.reason)
        break
      case 'connectLeg':
        this.#legs.connect(effect)
        break
      case 'closeChannel':
        this.#legs.closeChannel(effect.channel, effect.how)
        break
      case 'beginTransfer':
        this.#legs.carries(effect.channel, effect.direction)
        this.#pinholes.transferBegan(effect.channel)
        break
      case 'awaitDelivery':
        this.#legs.awaitDelivery(effect.channel, effect.direction)
        break
    }
  }

  /**
   * Call about once a second; true when data has moved since the last call, or may have where the kernel moves it.
   * Once the session is over that is no reason to stay.
   */
  sweep(nowMs: number): boolean {
    this.#legs.sweep(nowMs)
    this.#pinholes.sweep(nowMs)
    const bytes = this.#legs.openBytes
    const isOver = nowMs >= this.#overMs
    const hasMoved = bytes !== this.#seenBytes || (!isOver && this.#pinholes.haveMoved(nowMs))
    this.#seenBytes = bytes
    const patienceMs = this.#isDraining ? LAST_WORD_IN_DRAIN_MS : LAST_WORD_MS
    if (nowMs - this.#overMs > patienceMs) this.#pinholes.forgetForwarded()
    return hasMoved
  }

  /** The process is about to end: what the kernel forwards goes on without it. */
  drain(): void {
    this.#isDraining = true
  }

  /** The session is over: what waits is closed, what flows runs on until it ends by itself. */
  sessionEnded(): void {
    this.#overMs = steadyClock.now()
    this.#pinholes.closeAll('session_end')
    this.#legs.closeUnjoined()
  }

  /** Ends everything at once; what the kernel forwards is out of our hands, and not waited for. */
  destroy(): void {
    this.#pinholes.closeAll('session_end')
    this.#legs.destroy()
    this.#pinholes.forgetForwarded()
  }
}
