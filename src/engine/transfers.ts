// A transfer from its first reply to its last. A transfer is over when its data channel is closed and its final reply
// was seen, in either order; success is not reported before the data channel was joined.

import type { Reply } from '../ftp/replies.ts'
import type { DataChannels } from './data-channels.ts'
import type { Outbox } from './outbox.ts'
import { reportFailure } from './refusals.ts'
import type { Outstanding, Upstream } from './upstream.ts'

export interface TransfersParts {
  readonly outbox: Outbox
  readonly upstream: Upstream
  readonly channels: DataChannels
}

export class Transfers {
  readonly #outbox: Outbox
  readonly #upstream: Upstream
  readonly #channels: DataChannels
  /** The final reply of the running transfer, not passed on yet. */
  #held: Reply | null = null

  constructor({ outbox, upstream, channels }: TransfersParts) {
    this.#outbox = outbox
    this.#upstream = upstream
    this.#channels = channels
  }

  /** A reply is held, and the data channel may still be joined: nothing may overtake it. */
  get isHolding(): boolean {
    return this.#held !== null && this.#mayYetBeJoined
  }

  /** Whether this reply is about a transfer. A 125 or 150 tells that a verb we do not know moves data. */
  concerns(entry: Outstanding, { code }: Reply): boolean {
    if (entry.isTransfer) return true
    return entry.purpose === 'command' && (code === 125 || code === 150) && this.#channels.current !== null
  }

  /** The server said something about a transfer. */
  replied(entry: Outstanding, reply: Reply): void {
    if (!entry.isTransfer) this.#turnedOut(entry)
    if (reply.code < 300) this.#channels.current?.transferAccepted()
    if (reply.code < 200) {
      entry.hasStarted = true
      if (!entry.isAnswered) this.#outbox.send('client', reply.text)
    } else if (reply.code < 300 && !entry.isAnswered && this.#mayYetBeJoined) {
      this.#held = reply
      this.#outbox.push({ type: 'setTimer', timer: 'hold' })
    } else {
      this.#end(entry, reply)
    }
  }

  /** Lets a held reply go whose waiting is over. True when there was one. */
  release(): boolean {
    const { transfer } = this.#upstream
    const held = this.#held
    if (held === null || transfer === null || this.#mayYetBeJoined) return false
    this.#held = null
    this.#end(transfer, held)
    return true
  }

  /** Nobody came in time to a transfer that the server has finished; a connection under way still gets its result. */
  holdOver(): void {
    if (!this.isHolding) return
    this.#channels.current?.giveUpJoining()
    if (this.isHolding) this.#outbox.push({ type: 'setTimer', timer: 'hold' })
  }

  /** The running transfer will never have its data connection: the client need not wait for the server to see it. */
  dataFailed(reason: 'data_failed' | 'pinhole_expired'): void {
    const { abort, transfer } = this.#upstream
    if (transfer === null || transfer.isAnswered) return
    transfer.isAnswered = true
    if (abort !== null) abort.isAnswered = true
    const text = '425 Cannot open the data connection.'
    reportFailure(this.#outbox, { verb: transfer.verb, reason, text })
  }

  /** The reply to an ABOR does not come. */
  abortOverdue(): void {
    const { abort, transfer } = this.#upstream
    if (abort === null) return
    if (transfer !== null) {
      // A server that neither ends the transfer nor answers is woken by its data connection.
      this.#channels.reset()
      return
    }
    this.#upstream.giveUp(abort)
    this.#channels.aborted()
    // The end of a transfer was one answer; without it the client has none yet.
    if (!abort.isAnswered) this.#outbox.reply('225 No transfer to abort.')
  }

  /** Nobody aborts a transfer for its success to be held back. */
  get #mayYetBeJoined(): boolean {
    return this.#channels.isJoining && this.#upstream.abort === null
  }

  #turnedOut(entry: Outstanding): void {
    entry.isTransfer = true
    entry.channel = this.#channels.current?.id ?? null
    this.#channels.current?.transferRequested()
  }

  #end(entry: Outstanding, reply: Reply): void {
    const { verb, command, channel, isAnswered } = entry
    this.#upstream.done(entry)
    const code = isAnswered ? 425 : reply.code
    this.#outbox.record({ type: 'transfer', verb, path: command?.argument ?? '', code, channel })
    if (!isAnswered) this.#outbox.send('client', reply.text)
    if (code < 300) this.#channels.transferDone()
    else this.#channels.transferFailed()
    const { abort } = this.#upstream
    if (abort === null) return
    // What ended the transfer may be all that comes. A client that had our 425 before its ABOR has heard none of it.
    if (!isAnswered) abort.isAnswered = true
    this.#outbox.push({ type: 'setTimer', timer: 'abort' })
  }
}
