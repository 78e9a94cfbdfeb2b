// The data side of one session's sockets: legs that are being connected and channels that flow.

import type { Direction, Event, LegFailure, Mode, Side } from '../../engine/contract.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { Connected, Connecting, Connection, ConnectionError } from '../../tcp/connection.ts'
import type { SessionAddresses } from '../session/addresses.ts'
import { Legs } from './channel.ts'
import type { SecureLeg } from './secure-leg.ts'

export interface DataLegsOptions {
  readonly observer: SessionObserver
  readonly connectMs: number
  readonly addresses: SessionAddresses
  /** Begins to connect to a peer's data port from the address it knows. */
  readonly connect: (to: { readonly side: Side; readonly endpoint: Endpoint }, done: Connected) => Connecting
  readonly emit: (event: Event) => void
  /** Null where no leg is ever encrypted. */
  readonly secure: SecureLeg | null
}

/** A leg that is open: the peer came through a pinhole, or we connected. */
export interface ConnectedLeg {
  readonly channel: number
  /** The channel's, as the client sees it. */
  readonly mode: Mode
  readonly side: Side
  readonly connection: Connection
  /** TLS begins at once. */
  readonly isPrivate: boolean
}

type Awaited = Omit<ConnectedLeg, 'connection' | 'isPrivate'> & { readonly deadlineMs: number }

/** A server's port is reached before ours is announced: the client waits for that. */
const REACH_SERVER_MS = 5_000

export class DataLegs {
  readonly #options: DataLegsOptions
  readonly #channels = new Map<number, Legs>()
  readonly #connecting = new Map<Connecting, Awaited>()
  /** The last one that was asked for; its legs may come later. */
  #transfer: { readonly channel: number; readonly direction: Direction | null } | null = null

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
    isPrivate,
  }: Omit<ConnectedLeg, 'connection'> & { readonly endpoint: Endpoint }): void {
    const { connect, connectMs, addresses, observer, emit } = this.#options
    if (endpoint.address !== addresses.peer(side)) observer.foreignPeer({ side })
    const patienceMs = side === 'server' ? Math.min(connectMs, REACH_SERVER_MS) : connectMs
    try {
      const connecting = connect({ side, endpoint }, (error, connection) => {
        if (connection === null) this.#connectFailed(connecting, failureOf(error))
        else if (this.#connecting.delete(connecting)) this.add({ channel, mode, side, connection, isPrivate })
        else connection.destroy()
      })
      this.#connecting.set(connecting, { channel, mode, side, deadlineMs: steadyClock.now() + patienceMs })
    } catch {
      observer.dataFailed({ channel, mode, side, reason: 'unreachable' })
      emit({ type: 'legFailed', channel, side, reason: 'unreachable' })
    }
  }

  /** Adds a connected leg to its channel. */
  add({ channel, mode, side, connection, isPrivate }: ConnectedLeg): void {
    let legs = this.#channels.get(channel)
    if (legs === undefined) {
      const { observer, emit, secure } = this.#options
      const ended = (id: number) => {
        this.#channels.delete(id)
        emit({ type: 'channelEnded', channel: id })
      }
      const failed = (failedSide: Side, reason: LegFailure) => {
        observer.dataFailed({ channel, mode, side: failedSide, reason })
        emit({ type: 'legFailed', channel, side: failedSide, reason })
      }
      legs = new Legs({ channel, mode, observer, ended, secure, failed })
      if (this.#transfer?.channel === channel) legs.carries(this.#transfer.direction)
      this.#channels.set(channel, legs)
    }
    legs.add(side, connection, { isPrivate })
    this.#options.emit({ type: 'legConnected', channel, side })
  }

  /** Which way the file of a channel's transfer goes. */
  carries(channel: number, direction: Direction | null): void {
    this.#transfer = { channel, direction }
    this.#channels.get(channel)?.carries(direction)
  }

  /** `delivered` follows when the last byte of that direction is with the peer's system. */
  awaitDelivery(channel: number, direction: Direction): void {
    const legs = this.#channels.get(channel)
    legs?.awaitDelivery(direction, () => this.#options.emit({ type: 'delivered', channel }))
  }

  closeChannel(channel: number, how: 'finish' | 'reset'): void {
    for (const [connecting, awaited] of this.#connecting) {
      if (awaited.channel !== channel) continue
      this.#connecting.delete(connecting)
      connecting.cancel()
    }
    this.#channels.get(channel)?.close(how)
  }

  /** Ends what has no partner; what flows runs on until it ends by itself. */
  closeUnjoined(): void {
    for (const { channel } of [...this.#connecting.values()]) this.closeChannel(channel, 'reset')
    for (const legs of [...this.#channels.values()]) {
      if (legs.isJoined) legs.sessionEnded()
      else legs.close('reset')
    }
  }

  /** Ends everything at once. */
  destroy(): void {
    this.closeUnjoined()
    for (const legs of [...this.#channels.values()]) legs.close('reset')
  }

  /** Call about once a second. */
  sweep(nowMs: number): void {
    for (const [connecting, { deadlineMs }] of this.#connecting) {
      if (nowMs >= deadlineMs) this.#connectFailed(connecting, 'timeout')
    }
    for (const legs of this.#channels.values()) legs.sweep(nowMs)
  }

  #connectFailed(connecting: Connecting, reason: LegFailure): void {
    const awaited = this.#connecting.get(connecting)
    if (awaited === undefined) return
    this.#connecting.delete(connecting)
    connecting.cancel()
    const { channel, mode, side } = awaited
    this.#options.observer.dataFailed({ channel, mode, side, reason })
    this.#options.emit({ type: 'legFailed', channel, side, reason })
  }
}

function failureOf(error: ConnectionError | null): LegFailure {
  switch (error?.code) {
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
