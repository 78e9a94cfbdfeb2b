// The channel that the next or the running transfer uses, and those of earlier transfers that still deliver their
// last bytes.

import type { Side } from './contract.ts'
import { DataChannel, type DataChannelFacts } from './data-channel.ts'
import type { Outbox } from './outbox.ts'

/** A client that starts transfers and never reads them holds at most this many channels. */
const MAX_CHANNELS = 4

export class DataChannels {
  readonly #outbox: Outbox
  #current: DataChannel | null = null
  /** Joined channels that are current no more, oldest first. */
  #earlier: readonly DataChannel[] = none
  #lastId = 0

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  get current(): DataChannel | null {
    return this.#current
  }

  /** The running transfer's legs may still come together. */
  get isJoining(): boolean {
    return this.#current?.isJoining === true
  }

  /** The running transfer's client is connected, its server is not. */
  get hasOnlyClient(): boolean {
    return this.#current?.hasOnlyClient === true
  }

  /** Something of the running transfer may have arrived. */
  get mayHaveDelivered(): boolean {
    return this.#current !== null && !this.#current.isUseless
  }

  /** The running transfer is a download whose last bytes are still with us. Asks to hear of the last. */
  get isDelivering(): boolean {
    const current = this.#current
    if (current?.direction !== 'download' || !current.isUndelivered) return false
    current.awaitDelivery()
    return true
  }

  /** A client's data are on their way to the server. Asks to hear of the last byte. */
  get isUploading(): boolean {
    return this.#awaitDelivery((channel) => channel.direction === 'upload')
  }

  /** Something still flows that would not without us. Asks to hear of the last byte. */
  get isFinishing(): boolean {
    return this.#awaitDelivery(() => true)
  }

  delivered(id: number): void {
    for (const channel of this.#all()) if (channel.id === id) channel.delivered()
  }

  get isFlowing(): boolean {
    return this.#current?.isFlowing === true || this.#earlier.some(({ isFlowing }) => isFlowing)
  }

  /** A channel for the next transfer, in place of what was set up before. */
  begin(facts: DataChannelFacts): DataChannel {
    this.retire()
    this.#lastId += 1
    this.#current = new DataChannel(this.#lastId, facts, this.#outbox)
    return this.#current
  }

  /** What was set up and not used is closed, what flows runs on. */
  retire(): void {
    const channel = this.#release()
    if (channel === null) return
    if (channel.isJoined) this.#keepForLastBytes(channel)
    else channel.close('reset', 'replaced')
  }

  /** The current channel is closed already, or was never opened. */
  forget(): void {
    this.#current = null
  }

  /** The server finished the transfer. What flows ends by itself; what the kernel forwards is not known here. */
  transferDone(): void {
    if (this.#current?.isUseless === true) this.transferFailed()
  }

  /** The server gave up the transfer: what flows gets a moment to end. */
  transferFailed(): void {
    const channel = this.#release()
    if (channel === null) return
    channel.close('finish', 'unused')
    // A joined channel reports its own end when its last bytes are through.
    if (channel.isJoined) this.#keepForLastBytes(channel)
  }

  /** An ABOR was answered. What was set up and not used stays: servers disagree on whether it ends that too. */
  aborted(): void {
    if (this.#current?.isJoined === true) this.transferFailed()
  }

  /** Whoever is connected notices that nothing will come of it. */
  reset(): void {
    this.#release()?.close('reset', 'unused')
  }

  /** A leg that comes to nothing that waits for it is reset. */
  legConnected(id: number, side: Side): void {
    if (this.#current?.id === id && this.#current.status === 'open') this.#current.legConnected(side)
    else if (this.#earlier.every((channel) => channel.id !== id)) {
      this.#outbox.push({ type: 'closeChannel', channel: id, how: 'reset' })
    }
  }

  /** The current channel is the one in which this happened. */
  isCurrent(id: number): boolean {
    return this.#current?.id === id
  }

  /** True when the transfer that runs, or the next one, cannot have its data connection. */
  legFailed(id: number): boolean {
    if (this.#current?.id !== id) return false
    this.#current.legFailed()
    return true
  }

  /** True when it ended before it was joined: nothing was delivered. */
  ended(id: number): boolean {
    if (this.#current?.id === id) {
      if (!this.#current.isJoined) return this.legFailed(id)
      this.#current = null
    } else if (this.#earlier.length > 0) {
      this.#earlier = this.#earlier.filter((channel) => channel.id !== id)
    }
    return false
  }

  /**
   * Pinholes close, legs without a partner are reset; joined ones run on until they end by themselves, but those that have
   * delivered their file.
   */
  sessionEnded(): void {
    for (const channel of this.#all()) {
      if (!channel.isJoined) channel.close('reset', 'session_end')
      else if (!channel.isFlowing) channel.close('finish', 'session_end')
    }
    this.#current = null
    this.#earlier = none
  }

  #all(): readonly DataChannel[] {
    return this.#current === null ? this.#earlier : [this.#current, ...this.#earlier]
  }

  /** Of those that are meant; false when all have delivered. */
  #awaitDelivery(isMeant: (channel: DataChannel) => boolean): boolean {
    const undelivered = this.#all().filter((channel) => channel.isUndelivered && isMeant(channel))
    for (const channel of undelivered) channel.awaitDelivery()
    return undelivered.length > 0
  }

  #release(): DataChannel | null {
    const channel = this.#current
    this.#current = null
    return channel
  }

  #keepForLastBytes(channel: DataChannel): void {
    const [oldest, ...others] = this.#earlier
    if (this.#earlier.length < MAX_CHANNELS - 1) {
      this.#earlier = [...this.#earlier, channel]
    } else {
      oldest?.close('reset', 'replaced')
      this.#earlier = [...others, channel]
    }
  }
}

const none: readonly DataChannel[] = []
