// The data side of one session's sockets: pinholes that wait, legs that are being connected, channels that flow.

import { connect, type Socket } from 'node:net'
import type { Event, LegFailure, Mode, PinholeSpec, Side } from '../engine/contract.ts'
import { AlgError } from '../errors.ts'
import { canonicalAddress } from '../ftp/addresses.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { SessionObserver } from '../observe/observer.ts'
import type { PinholeBackend, PinholeHandle } from '../pinhole/backend.ts'
import { Legs } from './legs.ts'

/** What the data side must know of its session. Addresses are canonical but for `local`. */
export interface DataLegsOptions {
  readonly observer: SessionObserver
  readonly backend: PinholeBackend
  readonly pinholeTimeoutMs: number
  readonly connectMs: number
  /** The control peer's address on each side. */
  readonly peer: (side: Side) => string
  /** Our address on each side's control connection, as the system writes it. */
  readonly local: (side: Side) => string
  /** What a side's peer is told, from where we listen. */
  readonly announce: (side: Side, at: Endpoint) => Endpoint
  readonly emit: (event: Event) => void
}

interface Waiting {
  readonly handle: PinholeHandle
  openedMs: number
}

interface Connecting {
  readonly channel: number
  readonly mode: Mode
  readonly side: Side
  readonly deadlineMs: number
}

export class DataLegs {
  readonly #options: DataLegsOptions
  readonly #pinholes = new Map<number, Waiting>()
  readonly #channels = new Map<number, Legs>()
  readonly #connecting = new Map<Socket, Connecting>()

  constructor(options: DataLegsOptions) {
    this.#options = options
  }

  /** Sockets of the data side are open. */
  get isOpen(): boolean {
    return this.#channels.size > 0 || this.#connecting.size > 0
  }

  /** Bytes moved by the channels that are open now. */
  get openBytes(): number {
    let total = 0
    for (const legs of this.#channels.values()) total += legs.totalBytes
    return total
  }

  openPinhole(spec: PinholeSpec): void {
    const { backend, observer, peer, local, announce, emit, pinholeTimeoutMs } = this.#options
    const { pinhole, channel, mode, from, target } = spec
    const to: Side = from === 'client' ? 'server' : 'client'
    const startedMs = performance.now()
    let waiting: Waiting | null = null
    const close = (reason: 'used' | 'expired') => this.#forget(pinhole, reason)
    const handle = backend.open(
      {
        owner: observer.id,
        from,
        expect: peer(from),
        client: peer('client'),
        local: local(from),
        target,
        source: target === null ? null : canonicalAddress(local(to)),
        timeoutMs: pinholeTimeoutMs,
      },
      {
        connected: (socket) => {
          close('used')
          this.#legConnected({ channel, mode, side: from, socket })
        },
        forwarded: () => {
          close('used')
          // The far leg first: nothing is left for the engine to connect.
          emit({ type: 'legConnected', channel, side: to })
          emit({ type: 'legConnected', channel, side: from })
        },
        forwardEnded: () => emit({ type: 'channelEnded', channel }),
        expired: () => {
          close('expired')
          emit({ type: 'pinholeExpired', pinhole })
        },
      },
      (error, opened) => {
        if (error !== null || opened === null) {
          this.#pinholes.delete(pinhole)
          const reason = pinholeFailureOf(error)
          observer.pinholeFailed({ pinhole, reason, detail: error?.message ?? '' })
          emit({ type: 'pinholeFailed', pinhole, reason })
          return
        }
        const nowMs = performance.now()
        if (waiting !== null) waiting.openedMs = nowMs
        const announced = announce(from, opened.at)
        observer.pinholeOpened({
          pinhole,
          from,
          expect: peer(from),
          announce: announced,
          target,
          backend: backend.name,
          durationMs: nowMs - startedMs,
        })
        const inKernel = backend.name === 'nftables' && target !== null
        emit({ type: 'pinholeOpened', pinhole, announce: announced, inKernel })
      },
    )
    waiting = { handle, openedMs: performance.now() }
    this.#pinholes.set(pinhole, waiting)
  }

  closePinhole(pinhole: number, reason: 'replaced' | 'refused' | 'unused' | 'session_end'): void {
    this.#forget(pinhole, reason)
  }

  connectLeg({
    channel,
    mode,
    side,
    endpoint,
  }: Omit<Connecting, 'deadlineMs'> & { readonly endpoint: Endpoint }): void {
    const { local, connectMs } = this.#options
    const socket = connect({
      host: endpoint.address,
      port: endpoint.port,
      // A server refuses data from another address than the control connection's ("425 Bad IP connecting"), and a
      // client expects the address it talks to.
      localAddress: local(side),
      allowHalfOpen: true,
      noDelay: true,
    })
    socket.pause()
    this.#connecting.set(socket, { channel, mode, side, deadlineMs: performance.now() + connectMs })
    const failed = (error: NodeJS.ErrnoException) => this.#connectFailed(socket, failureOf(error))
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      if (this.#connecting.delete(socket)) this.#legConnected({ channel, mode, side, socket })
      else socket.destroy()
    })
  }

  closeChannel(channel: number, how: 'finish' | 'reset'): void {
    for (const [socket, connecting] of this.#connecting) {
      if (connecting.channel !== channel) continue
      this.#connecting.delete(socket)
      socket.destroy()
    }
    this.#channels.get(channel)?.close(how)
  }

  /** Everything that waits is closed; what flows runs on until it ends by itself. */
  sessionEnded(): void {
    for (const pinhole of [...this.#pinholes.keys()]) this.#forget(pinhole, 'session_end')
    for (const { channel } of [...this.#connecting.values()]) this.closeChannel(channel, 'reset')
    for (const legs of [...this.#channels.values()]) {
      if (!legs.isJoined) legs.close('reset')
    }
  }

  /** Ends everything at once. */
  destroy(): void {
    this.sessionEnded()
    for (const legs of [...this.#channels.values()]) legs.close('reset')
  }

  /** Call about once a second. */
  sweep(nowMs: number): void {
    for (const [socket, { deadlineMs }] of this.#connecting) {
      if (nowMs >= deadlineMs) this.#connectFailed(socket, 'timeout')
    }
    for (const legs of this.#channels.values()) legs.sweep(nowMs)
  }

  #legConnected({
    channel,
    mode,
    side,
    socket,
  }: {
    channel: number
    mode: Mode
    side: Side
    socket: Socket
  }): void {
    let legs = this.#channels.get(channel)
    if (legs === undefined) {
      const { observer, emit } = this.#options
      const ended = (id: number) => {
        this.#channels.delete(id)
        emit({ type: 'channelEnded', channel: id })
      }
      legs = new Legs({ channel, mode, observer, ended })
      this.#channels.set(channel, legs)
    }
    legs.add(side, socket)
    this.#options.emit({ type: 'legConnected', channel, side })
  }

  #connectFailed(socket: Socket, reason: LegFailure): void {
    const connecting = this.#connecting.get(socket)
    if (connecting === undefined) return
    this.#connecting.delete(socket)
    socket.destroy()
    const { channel, mode, side } = connecting
    this.#options.observer.dataFailed({ channel, mode, side, reason })
    this.#options.emit({ type: 'legFailed', channel, side, reason })
  }

  #forget(pinhole: number, reason: Parameters<SessionObserver['pinholeClosed']>[0]['reason']): void {
    const waiting = this.#pinholes.get(pinhole)
    if (waiting === undefined) return
    this.#pinholes.delete(pinhole)
    waiting.handle.close()
    const { observer, backend } = this.#options
    observer.pinholeClosed({
      pinhole,
      backend: backend.name,
      reason,
      ageMs: performance.now() - waiting.openedMs,
    })
  }
}

function pinholeFailureOf(error: Error | null): 'exhausted' | 'share' | 'backend' {
  if (!(error instanceof AlgError)) return 'backend'
  if (error.code === 'PORT_RANGE_EXHAUSTED') return 'exhausted'
  return error.code === 'CLIENT_SHARE_EXHAUSTED' ? 'share' : 'backend'
}

function failureOf(error: NodeJS.ErrnoException): LegFailure {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'refused'
    case 'ETIMEDOUT':
      return 'timeout'
    case 'ECONNRESET':
      return 'reset'
    default:
      return 'unreachable'
  }
}
