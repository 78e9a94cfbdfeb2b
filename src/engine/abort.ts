// ABOR and its two replies. Servers differ: 426 and 226, only 226, only 225, or nothing. What may come and what it means:
//
//   state      reply to the transfer   reply to ABOR      225 or 226 to nothing   timer
//   none       –                       –                  –                       –
//   sent       ended, timer again      none               –                       the data connection wakes the server,
//                                                                                 or without a transfer: given up
//   ended      –                       none               –                       given up, 225 from us if none was heard
//   given up   none                    none               late: none, or doubtful –
//   doubtful   none: that was ABOR's   –                  –                       none: that was the transfer's

import type { DataChannels } from './data-channels.ts'
import type { Outbox } from './outbox.ts'
import type { ReplyQueue } from './reply-queue.ts'

export type AbortState = 'none' | 'sent' | 'ended' | 'givenUp' | 'doubtful'

export interface AbortParts {
  readonly outbox: Outbox
  readonly queue: ReplyQueue
  readonly channels: DataChannels
}

export class Abort {
  readonly #parts: AbortParts
  #state: AbortState = 'none'
  /** The client has heard something that it can take for the answer. */
  #isHeard = false

  constructor(parts: AbortParts) {
    this.#parts = parts
  }

  get state(): AbortState {
    return this.#state
  }

  /** An ABOR went to the server and its reply is awaited. */
  get isPending(): boolean {
    return this.#state === 'sent' || this.#state === 'ended'
  }

  /** ABOR went to the server. */
  sent(): void {
    this.#state = 'sent'
    this.#isHeard = false
    this.#parts.outbox.push({ type: 'setTimer', timer: 'abort' })
  }

  /** The client was told that its transfer failed, by us. */
  clientTold(): void {
    if (this.isPending) this.#isHeard = true
  }

  /** The transfer's final reply came; `isPassedOn`: the client has heard it. It may be all that comes. */
  transferEnded({ isPassedOn }: { readonly isPassedOn: boolean }): void {
    if (!this.isPending) {
      this.otherAnswered()
      return
    }
    this.#state = 'ended'
    if (isPassedOn) this.#isHeard = true
    this.#parts.outbox.push({ type: 'setTimer', timer: 'abort' })
  }

  /** The server answered the ABOR. */
  answered(): void {
    this.#state = 'none'
    const { outbox, queue, channels } = this.#parts
    outbox.push({ type: 'clearTimer', timer: 'abort' })
    if (queue.transfer === null) channels.aborted()
  }

  /** Replies come in order: what an older ABOR did not get by now it never will. */
  otherAnswered(): void {
    if (this.#state === 'givenUp') this.#state = 'none'
  }

  /**
   * Whether a reply of this code is the late one to an ABOR that was given up on. `perhaps`: a 226 may as well end the
   * transfer that followed, which has shown no other sign of life.
   */
  isLate(code: number): 'yes' | 'perhaps' | 'no' {
    const { queue, channels } = this.#parts
    if (this.#state !== 'givenUp' || (code !== 225 && code !== 226)) return 'no'
    const { transfer } = queue
    if (transfer === null) return 'yes'
    if (transfer.hasStarted || channels.mayHaveDelivered) return 'no'
    return code === 225 ? 'yes' : 'perhaps'
  }

  /** The late reply has come. */
  lateReplied(): void {
    this.#state = 'none'
  }

  /** A 226 that may be late is looked at again when more is heard, or nothing. */
  doubt(): void {
    this.#state = 'doubtful'
    this.#parts.outbox.push({ type: 'setTimer', timer: 'doubt' })
  }

  /** The reply to an ABOR does not come. */
  overdue(): void {
    if (!this.isPending) return
    const { outbox, queue, channels } = this.#parts
    if (queue.transfer !== null) {
      // A server that neither ends the transfer nor answers is woken by its data connection.
      channels.reset()
      return
    }
    const { abort } = queue
    if (abort !== null) queue.done(abort)
    this.#state = 'givenUp'
    channels.aborted()
    if (!this.#isHeard) outbox.reply('225 No transfer to abort.')
  }
}
