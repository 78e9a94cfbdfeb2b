import type { Direction, LegFailure, Mode, Side } from '../../engine/contract.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { Connection } from '../../tcp/connection.ts'
import { Relay } from '../../tcp/relay/relay.ts'
import type { SecureLeg } from './secure-leg.ts'

export interface LegsOptions {
  readonly channel: number
  /** As the client sees it. */
  readonly mode: Mode
  readonly observer: SessionObserver
  /** Null where no leg is ever encrypted. */
  readonly secure: SecureLeg | null
  /** A leg cannot be had, or what came over it is not whole. */
  readonly failed: (side: Side, reason: LegFailure) => void
  /** Both legs are closed, or one that never found its partner. */
  readonly ended: (channel: number) => void
}

/** How often a peer's system is asked for the last bytes, at first and at most. */
const ASK_MS = 5
const MAX_ASK_MS = 250

/** How long the reply of a server may take that has closed a data connection without a handshake. */
const REPLY_MS = 1_000

/** How long a joined channel may go on delivering after the server reported failure. */
const FINISH_MS = 3_000

/** The connections of one data channel: each waits, unread, for the other; together they are a relay. */
export class Legs {
  readonly #options: LegsOptions
  readonly #waiting: Partial<Record<Side, Connection>> = {}
  /** Of these, those that need no handshake any more. */
  readonly #ready: Partial<Record<Side, Connection>> = {}
  #isOver = false
  #failing: NodeJS.Timeout | null = null
  readonly #createdMs = steadyClock.now()
  #relay: Relay | null = null
  #joinedMs = 0
  #direction: Direction | null = null
  #reported = { upload: 0, download: 0 }
  #finishByMs = Number.POSITIVE_INFINITY
  #asking: NodeJS.Timeout | null = null

  constructor(options: LegsOptions) {
    this.#options = options
  }

  get isJoined(): boolean {
    return this.#relay !== null
  }

  /** Bytes moved so far, both ways. */
  get totalBytes(): number {
    return this.#relay === null ? 0 : this.#relay.uploadBytes + this.#relay.downloadBytes
  }

  /** Adds a connection; with the second one, and once both are secure, bytes flow. */
  add(side: Side, connection: Connection, { isPrivate }: { readonly isPrivate: boolean }): void {
    const { secure, failed } = this.#options
    if (!isPrivate || secure === null) {
      this.#waiting[side] = connection
      connection.whenLost(() => this.#lost(side))
      this.#join(side, connection)
      return
    }
    const tls = secure(
      { side, raw: connection },
      (reason) => {
        if (this.#isOver) return
        if (reason === null) this.#join(side, tls)
        else this.#secureFailed(side, reason)
      },
      () => failed(side, 'truncated'),
    )
    this.#waiting[side] = tls
  }

  /**
   * A server that has nothing to send closes its data connection without a handshake, before or after it says so: its
   * reply is the better answer.
   */
  #secureFailed(side: Side, reason: LegFailure | 'closed'): void {
    const { failed } = this.#options
    delete this.#waiting[side]
    if (reason !== 'closed') failed(side, reason)
    else if (side === 'client') failed(side, 'tls')
    else this.#failing = setTimeout(() => failed(side, 'tls'), REPLY_MS)
  }

  /** It came and was reset before anything could flow: the other one is too. */
  #lost(side: Side): void {
    delete this.#waiting[side]
    delete this.#ready[side]
    this.#options.failed(side, 'reset')
    if (!this.#isOver) this.close('reset')
  }

  #join(side: Side, connection: Connection): void {
    this.#ready[side] = connection
    const { client, server } = this.#ready
    if (client === undefined || server === undefined) return
    const { channel, mode, observer } = this.#options
    this.#joinedMs = steadyClock.now()
    observer.dataOpened({ channel, mode, path: 'relay', setupMs: this.#joinedMs - this.#createdMs })
    this.#relay = new Relay({ client, server, ended: (result) => this.#ended(result) })
    this.#relay.carries(this.#direction)
  }

  /** Which way the file goes, for what only the other way may be cut short. */
  carries(direction: Direction | null): void {
    this.#direction = direction
    this.#relay?.carries(direction)
  }

  /** Which way the file goes will not be known any more: a leg that could only end is not waited for. */
  sessionEnded(): void {
    if (this.#direction === null) this.carries('download')
  }

  /** Calls back once the last byte and FIN of that direction are with the peer's system; not when the channel ends. */
  awaitDelivery(direction: Direction, delivered: () => void): void {
    if (this.#asking === null) this.#askFor(direction, { delivered, afterMs: ASK_MS })
  }

  #askFor(direction: Direction, ask: { readonly delivered: () => void; readonly afterMs: number }): void {
    const { delivered, afterMs } = ask
    if (this.#isOver) return
    if (this.#relay?.isDelivered(direction) === true) {
      delivered()
      return
    }
    const next = { delivered, afterMs: Math.min(2 * afterMs, MAX_ASK_MS) }
    this.#asking = setTimeout(() => this.#askFor(direction, next), afterMs)
  }

  /**
   * `reset`: RST to whoever is connected. `finish`: a leg without partner ends politely, a relay may deliver what is
   * under way for a moment; once the file is delivered, it does not wait for the half that carried nothing.
   */
  close(how: 'finish' | 'reset'): void {
    if (this.#relay !== null) {
      if (how === 'reset') this.#relay.reset()
      else if (this.#direction !== null && this.#relay.isDelivered(this.#direction)) this.#relay.close()
      else this.#finishByMs = steadyClock.now() + FINISH_MS
      return
    }
    this.#isOver = true
    if (this.#failing !== null) clearTimeout(this.#failing)
    if (this.#asking !== null) clearTimeout(this.#asking)
    for (const connection of Object.values(this.#waiting)) {
      if (how === 'reset') connection.reset()
      else connection.close()
    }
    this.#options.ended(this.#options.channel)
  }

  /** Call about once a second: reports bytes, ends what should have ended. */
  sweep(nowMs: number): void {
    if (this.#relay === null) return
    this.#report()
    if (nowMs >= this.#finishByMs) this.#relay.reset()
    else this.#relay.sweep(nowMs)
  }

  #ended(result: 'ok' | 'reset'): void {
    const { channel, mode, observer, ended } = this.#options
    this.#isOver = true
    if (this.#asking !== null) clearTimeout(this.#asking)
    this.#report()
    observer.dataEnded({
      channel,
      mode,
      path: 'relay',
      uploadBytes: this.#reported.upload,
      downloadBytes: this.#reported.download,
      durationMs: steadyClock.now() - this.#joinedMs,
      result,
    })
    ended(channel)
  }

  #report(): void {
    const relay = this.#relay
    if (relay === null) return
    const { observer } = this.#options
    const { uploadBytes, downloadBytes } = relay
    const upload = uploadBytes - this.#reported.upload
    const download = downloadBytes - this.#reported.download
    this.#reported = { upload: uploadBytes, download: downloadBytes }
    if (upload > 0) observer.dataBytes({ direction: 'upload', path: 'relay', count: upload })
    if (download > 0) observer.dataBytes({ direction: 'download', path: 'relay', count: download })
  }
}
