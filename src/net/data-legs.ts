// The data side of one session's sockets: legs that are being connected and channels that flow.

import type { Socket } from 'node:net'
import type { Event, LegFailure, Mode, Side } from '../engine/contract.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { SessionObserver } from '../observe/observer.ts'
import { Legs } from './legs.ts'

export interface DataLegsOptions {
  readonly observer: SessionObserver
  readonly connectMs: number
  /** Begins to connect to a peer's data port from the address it knows; the socket is paused and allows half-open. */
  readonly connect: (side: Side, endpoint: Endpoint) => Socket
  readonly emit: (event: Event) => void
}

/** A leg that somebody opened: through a pinhole, or we did. */
export interface ConnectedLeg {
  readonly channel: number
  /** The channel's, as the client sees it. */
  readonly mode: Mode
  readonly side: Side
  readonly socket: Socket
}

type Connecting = Omit<ConnectedLeg, 'socket'> & { readonly deadlineMs: number }

export class DataLegs {
  readonly #options: DataLegsOptions
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

  /** Connects to where a peer listens; `legConnected` or `legFailed` follows. */
  connect({
    channel,
    mode,
    side,
    endpoint,
  }: Omit<ConnectedLeg, 'socket'> & { readonly endpoint: Endpoint }): void {
    const { connect, connectMs, observer, emit } = this.#options
    let socket: Socket
    try {
      socket = connect(side, endpoint)
    } catch {
      observer.dataFailed({ channel, mode, side, reason: 'unreachable' })
      emit({ type: 'legFailed', channel, side, reason: 'unreachable' })
      return
    }
    this.#connecting.set(socket, { channel, mode, side, deadlineMs: performance.now() + connectMs })
    const failed = (error: NodeJS.ErrnoException) => this.#connectFailed(socket, failureOf(error))
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      if (this.#connecting.delete(socket)) this.add({ channel, mode, side, socket })
      else socket.destroy()
    })
  }

  /** Adds a connected leg to its channel. */
  add({ channel, mode, side, socket }: ConnectedLeg): void {
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

  closeChannel(channel: number, how: 'finish' | 'reset'): void {
    for (const [socket, connecting] of this.#connecting) {
      if (connecting.channel !== channel) continue
      this.#connecting.delete(socket)
      socket.destroy()
    }
    this.#channels.get(channel)?.close(how)
  }

  /** Ends what has no partner; what flows runs on until it ends by itself. */
  closeUnjoined(): void {
    for (const { channel } of [...this.#connecting.values()]) this.closeChannel(channel, 'reset')
    for (const legs of [...this.#channels.values()]) {
      if (!legs.isJoined) legs.close('reset')
    }
  }

  /** Ends everything at once. */
  destroy(): void {
    this.closeUnjoined()
    for (const legs of [...this.#channels.values()]) legs.close('reset')
  }

  /** Call about once a second. */
  sweep(nowMs: number): void {
    for (const [socket, { deadlineMs }] of this.#connecting) {
      if (nowMs >= deadlineMs) this.#connectFailed(socket, 'timeout')
    }
    for (const legs of this.#channels.values()) legs.sweep(nowMs)
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
