// The pinholes of one session and what the kernel forwards through them.

import type { Event, PinholeCloseReason, PinholeFailure, PinholeSpec, Side } from '../../engine/contract.ts'
import { AlgError } from '../../errors.ts'
import { canonicalAddress, type Network } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { ForwardTotals, OpenPinhole, PinholeBackend, PinholeHandle } from '../../pinhole/backend.ts'
import type { SessionAddresses } from '../session/addresses.ts'
import type { ConnectedLeg } from './channels.ts'
import { ForwardedBytes } from './forwarded-bytes.ts'

export interface SessionPinholesOptions {
  readonly observer: SessionObserver
  readonly backend: PinholeBackend
  readonly pinholeTimeoutMs: number
  /** Who may come in each peer's place. */
  readonly dataPeers: Readonly<Record<Side, readonly Network[]>>
  readonly addresses: SessionAddresses
  readonly isWorkedOn: (channel: number) => boolean
  readonly emit: (event: Event) => void
}

/** The expected peer came and its bytes are ours to move. */
type Arrived = (leg: ConnectedLeg) => void

/** Asked for, and neither used nor closed yet. */
interface Waiting {
  readonly spec: PinholeSpec
  /** Null until the backend has taken the request. */
  handle: PinholeHandle | null
  inKernel: boolean
  isOpen: boolean
  /** When its time is up. */
  dueMs: number
  /** When it was asked for, then when it opened, then when its connection came. */
  sinceMs: number
  /** Of its opening, what has not been reported to the observer. */
  unsaid: { readonly announce: Endpoint; readonly durationMs: number } | null
  /** What the kernel has forwarded; asks it. */
  carried: (() => ForwardTotals | null) | null
  readonly bytes: ForwardedBytes
}

/** Sweeps come once a second; one may be late. */
const PROLONG_BEFORE_MS = 2_500

/** Who has not come by then could not: what ends the pinhole is only who gave up first. */
const ABANDONED_FROM_MS = 5_000

/** Each look is a question to the kernel for each connection. */
const LOOK_MS = 5_000

export class SessionPinholes {
  readonly #options: SessionPinholesOptions
  readonly #arrived: Arrived
  readonly #waiting = new Map<number, Waiting>()
  readonly #forwarding = new Set<Waiting>()
  #lookedAtMs = 0
  #seenBytes = 0
  #hasMoved = true

  constructor(options: SessionPinholesOptions, arrived: Arrived) {
    this.#options = options
    this.#arrived = arrived
  }

  /** Data connections of this session that the kernel forwards now. */
  get forwarding(): number {
    return this.#forwarding.size
  }

  /**
   * Whether the kernel had forwarded a byte at the last look; true where it does not count. Ends that have vanished
   * without a word leave a connection that conntrack remembers for days.
   */
  haveMoved(nowMs: number): boolean {
    if (this.#forwarding.size === 0) return false
    if (nowMs - this.#lookedAtMs < LOOK_MS) return this.#hasMoved
    this.#lookedAtMs = nowMs
    let bytes = 0
    for (const waiting of this.#forwarding) {
      const totals = waiting.carried?.() ?? null
      if (totals !== null) waiting.bytes.seen(totals)
      bytes += totals === null ? Number.NaN : totals.fromPeerBytes + totals.toPeerBytes
    }
    this.#hasMoved = bytes !== this.#seenBytes
    this.#seenBytes = bytes
    return this.#hasMoved
  }

  open(spec: PinholeSpec): void {
    const { backend, observer, addresses, dataPeers, pinholeTimeoutMs: timeoutMs, emit } = this.#options
    const { pinhole, channel, mode, from, target, isPrivate } = spec
    const waiting: Waiting = {
      spec,
      handle: null,
      inKernel: false,
      isOpen: false,
      dueMs: steadyClock.now() + timeoutMs,
      sinceMs: steadyClock.now(),
      unsaid: null,
      carried: null,
      bytes: new ForwardedBytes(observer, from),
    }
    this.#waiting.set(pinhole, waiting)
    waiting.handle = backend.open(
      {
        owner: observer.id,
        from,
        expect: addresses.peer(from),
        others: dataPeers[from],
        client: addresses.peer('client'),
        local: addresses.local(from),
        target,
        // Of use only where the kernel forwards, and it may cost a system call.
        source:
          target === null || backend.name !== 'nftables'
            ? null
            : canonicalAddress(addresses.local(otherSide(from))),
        timeoutMs,
      },
      {
        connected: (connection) => {
          this.#forget(waiting, 'used')
          if (connection.remote.address !== addresses.peer(from)) observer.foreignPeer({ side: from })
          this.#arrived({ channel, mode, side: from, connection, isPrivate })
        },
        lost: () => {
          this.#forget(waiting, 'used')
          observer.dataFailed({ channel, mode, side: from, reason: 'reset' })
          emit({ type: 'legFailed', channel, side: from, reason: 'reset' })
        },
        forwarded: (carried) => this.#forwarded(waiting, carried),
        forwardEnded: (totals) => this.#forwardEnded(waiting, totals),
        expired: () => {
          this.#forget(waiting, 'expired')
          emit({ type: 'pinholeExpired', pinhole })
        },
      },
      (error, opened) => {
        if (opened === null) this.#failed(waiting, error)
        else this.#opened(waiting, opened)
      },
    )
    // Closed again before the backend returned.
    if (!this.#waiting.has(pinhole)) waiting.handle.close()
  }

  close(pinhole: number, reason: PinholeCloseReason): void {
    const waiting = this.#waiting.get(pinhole)
    if (waiting === undefined) return
    waiting.handle?.close()
    this.#forget(waiting, reason)
  }

  closeAll(reason: PinholeCloseReason): void {
    for (const pinhole of [...this.#waiting.keys()]) this.close(pinhole, reason)
  }

  /** The transfer of that channel has been asked for: from now on its time is the transfer's. */
  transferBegan(channel: number): void {
    const nowMs = steadyClock.now()
    for (const waiting of this.#waiting.values()) {
      if (waiting.spec.channel === channel) this.#prolong(waiting, nowMs)
    }
  }

  /** Call about once a second: while a server works on a transfer, which has a limit of its own, its pinhole stays open. */
  sweep(nowMs: number): void {
    for (const waiting of this.#waiting.values()) {
      if (this.#options.isWorkedOn(waiting.spec.channel)) this.#prolong(waiting, nowMs)
    }
  }

  #prolong(waiting: Waiting, nowMs: number): void {
    const { pinholeTimeoutMs } = this.#options
    if (waiting.handle === null) return
    if (waiting.dueMs - nowMs > Math.max(PROLONG_BEFORE_MS, pinholeTimeoutMs / 4)) return
    const leftMs = Math.max(pinholeTimeoutMs, 2 * PROLONG_BEFORE_MS)
    waiting.dueMs = nowMs + leftMs
    waiting.handle.prolong(leftMs)
  }

  /** Waits no longer for what the kernel forwards: it goes on by itself, and what it carries from here on is not counted. */
  forgetForwarded(): void {
    for (const { handle } of [...this.#forwarding]) handle?.close()
  }

  #opened(waiting: Waiting, { at, inKernel }: OpenPinhole): void {
    const { addresses, emit, pinholeTimeoutMs } = this.#options
    const { pinhole, from } = waiting.spec
    const nowMs = steadyClock.now()
    const announce = addresses.announce(from, at)
    waiting.inKernel = inKernel
    waiting.isOpen = true
    waiting.dueMs = nowMs + pinholeTimeoutMs
    waiting.unsaid = { announce, durationMs: nowMs - waiting.sinceMs }
    waiting.sinceMs = nowMs
    // The client waits for this; what the observer makes of it can wait.
    emit({ type: 'pinholeOpened', pinhole, announce, inKernel })
    this.#tell(waiting)
  }

  #tell(waiting: Waiting): void {
    const { spec, unsaid, inKernel } = waiting
    if (unsaid === null) return
    waiting.unsaid = null
    const { observer, addresses } = this.#options
    const { pinhole, from, target } = spec
    const { announce, durationMs } = unsaid
    const backend = inKernel ? 'nftables' : 'relay'
    const expect = addresses.peer(from)
    observer.pinholeOpened({ pinhole, from, expect, target, backend, announce, durationMs })
  }

  #failed(waiting: Waiting, error: Error | null): void {
    const { pinhole } = waiting.spec
    const reason = pinholeFailureOf(error)
    this.#waiting.delete(pinhole)
    this.#options.observer.pinholeFailed({ pinhole, reason, detail: error?.message ?? '' })
    this.#options.emit({ type: 'pinholeFailed', pinhole, reason })
  }

  #forwarded(waiting: Waiting, carried: () => ForwardTotals | null): void {
    const { observer, emit } = this.#options
    const { channel, mode, from } = waiting.spec
    const nowMs = steadyClock.now()
    this.#forget(waiting, 'used')
    this.#forwarding.add(waiting)
    waiting.carried = carried
    observer.dataOpened({ channel, mode, path: 'kernel', setupMs: nowMs - waiting.sinceMs })
    waiting.sinceMs = nowMs
    // The far leg first: then nothing is left for the engine to connect.
    emit({ type: 'legConnected', channel, side: otherSide(from) })
    emit({ type: 'legConnected', channel, side: from })
  }

  #forwardEnded(waiting: Waiting, totals: ForwardTotals | null): void {
    if (!this.#forwarding.delete(waiting)) return
    const { observer, emit } = this.#options
    const { channel, mode } = waiting.spec
    if (totals !== null) waiting.bytes.seen(totals)
    observer.dataEnded({
      channel,
      mode,
      path: 'kernel',
      // What was seen last, where the end was not counted.
      ...waiting.bytes.totals,
      durationMs: steadyClock.now() - waiting.sinceMs,
      result: 'ok',
    })
    emit({ type: 'channelEnded', channel })
  }

  #forget(waiting: Waiting, reason: PinholeCloseReason | 'used' | 'expired'): void {
    const { pinhole } = waiting.spec
    if (!this.#waiting.delete(pinhole)) return
    // Given up before it was open: of nothing that opened, nothing closes.
    if (!waiting.isOpen) return
    this.#tell(waiting)
    const ageMs = steadyClock.now() - waiting.sinceMs
    const backend = waiting.inKernel ? 'nftables' : 'relay'
    const { observer } = this.#options
    if (reason === 'used' || reason === 'expired' || ageMs < ABANDONED_FROM_MS)
      observer.pinholeClosed({ pinhole, backend, ageMs, reason })
    else observer.pinholeClosed({ pinhole, backend, ageMs, reason: 'abandoned', endedBy: reason })
  }
}

function otherSide(side: Side): Side {
  return side === 'client' ? 'server' : 'client'
}

function pinholeFailureOf(error: Error | null): PinholeFailure {
  if (!(error instanceof AlgError)) return 'backend'
  if (error.code === 'PORT_RANGE_EXHAUSTED') return 'exhausted'
  return error.code === 'CLIENT_SHARE_EXHAUSTED' ? 'share' : 'backend'
}
