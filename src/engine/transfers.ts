// A transfer from its first reply to its last. It is over when its data channel is closed and its final reply was seen,
// in either order. Success is not reported before the data are where they belong: joined, and of a download delivered.

import type { Abort } from './abort.ts'
import type { DataChannels } from './data-channels.ts'
import { type DataFailure, refusalOf, textOf } from './data-failure.ts'
import type { Outbox } from './outbox.ts'
import { reportFailure } from './refusals.ts'
import type { Outstanding, ReplyQueue } from './reply-queue.ts'

export interface TransfersParts {
  readonly outbox: Outbox
  readonly queue: ReplyQueue
  readonly channels: DataChannels
  readonly abort: Abort
}

export class Transfers {
  readonly #parts: TransfersParts
  /** A success waits for its data connection: the hold timer means this one. */
  #isHolding = false
  /** The transfer during which the server was silent at the last look. */
  #seenSilent: Outstanding | null = null

  constructor(parts: TransfersParts) {
    this.#parts = parts
  }

  /** Whether a reply is about a transfer. A 125 or 150 tells that a verb we do not know moves data. */
  concerns(entry: Outstanding, code: number): boolean {
    if (entry.isTransfer) return true
    const { current } = this.#parts.channels
    return entry.purpose === 'command' && (code === 125 || code === 150) && current !== null
  }

  /** Whether the final reply of the running transfer must wait; that of one that is being aborted does not. */
  mustHold(entry: Outstanding, code: number): boolean {
    const { abort, channels } = this.#parts
    if (code < 200 || code >= 300 || !entry.isTransfer || entry.isAnswered || abort.isPending) return false
    return channels.isJoining || channels.isDelivering
  }

  /** The final reply waits: for a data connection a bounded time, for the last byte as long as bytes move. */
  held(): void {
    const { channels, outbox } = this.#parts
    channels.current?.transferAccepted()
    if (!channels.isJoining) return
    this.#isHolding = true
    outbox.push({ type: 'setTimer', timer: 'hold' })
  }

  /** The client did not come in time to a transfer that the server has finished; a connection under way still gets its result. */
  holdOver(): void {
    const { channels, outbox } = this.#parts
    if (!this.#isHolding || !channels.isJoining) return
    channels.current?.giveUpJoining()
    if (channels.isJoining) {
      outbox.push({ type: 'setTimer', timer: 'hold' })
    } else if (channels.hasOnlyClient && this.#movesFile()) {
      channels.reset()
      this.dataFailed('data_failed')
    }
  }

  /** A server that says no 1xx may wait for the data of a client that we have not called. */
  get waitsForSilence(): boolean {
    const { queue, channels } = this.#parts
    return queue.transfer?.isAnswered === false && channels.current?.hasUncalledClient === true
  }

  /** The server has said nothing for a second; it may have been silent already when the transfer was asked for. */
  silent(): void {
    const { queue, channels } = this.#parts
    if (!this.waitsForSilence) return
    if (this.#seenSilent === queue.transfer) channels.current?.transferAccepted()
    this.#seenSilent = queue.transfer
  }

  /** A listing of nothing may do without a data connection; a file that the server did not call for has gone nowhere. */
  #movesFile(): boolean {
    const { transfer } = this.#parts.queue
    return transfer !== null && (transfer.command?.traits?.transfer === 'upload' || transfer.verb === 'RETR')
  }

  /** A line of a reply to a transfer begins. */
  began(entry: Outstanding, code: number): void {
    const { current } = this.#parts.channels
    if (!entry.isTransfer) {
      entry.isTransfer = true
      entry.channel = current?.id ?? null
      current?.transferRequested(null)
    }
    if (code < 300) current?.transferAccepted()
    if (code < 200) entry.hasStarted = true
  }

  /** Its final reply has been passed on, or dropped where the client was answered already. */
  ended(entry: Outstanding, code: number): void {
    const { outbox, queue, channels, abort } = this.#parts
    const { verb, command, channel, isAnswered } = entry
    queue.done(entry)
    this.#isHolding = false
    const path = command?.argument ?? ''
    outbox.record({ type: 'transfer', verb, path, code: isAnswered ? 425 : code, channel })
    if (code >= 300) channels.transferFailed()
    // Nothing was held for an aborted transfer: what the server gave may be on its way to us.
    else if (abort.isPending && channels.isJoining) channels.reset()
    else channels.transferDone()
    abort.transferEnded({ isPassedOn: !isAnswered })
  }

  /**
   * The running transfer will never have its data connection: the client need not wait for the server to see it. Null: it
   * is not the transfer's.
   */
  dataFailed(reason: DataFailure | null): void {
    const { outbox, queue, abort } = this.#parts
    const { transfer } = queue
    if (reason === null || transfer === null || transfer.isAnswered) return
    transfer.isAnswered = true
    abort.clientTold()
    const { verb, hasStarted } = transfer
    reportFailure(outbox, { verb, reason: refusalOf(reason), text: textOf(reason, { hasStarted }) })
  }
}
