// The end of a client's control connection: what it said is still answered if it hears, and what it uploads is carried to its
// end. A transfer whose data can no longer flow keeps nobody waiting.

import type { DataSide } from './data-side.ts'
import type { FinalReplies } from './final-replies.ts'
import type { ReplyQueue } from './reply-queue.ts'

export interface ClientEndParts {
  readonly queue: ReplyQueue
  readonly data: DataSide
  readonly finals: FinalReplies
}

export class ClientEnd {
  readonly #parts: ClientEndParts
  #hasEnded = false
  #isGone = false

  constructor(parts: ClientEndParts) {
    this.#parts = parts
  }

  /** It says nothing more. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** `isGone`: it hears nothing more either. */
  ended(isGone: boolean): void {
    this.#hasEnded = true
    this.#isGone ||= isGone
  }

  /** All that it said was acted upon: whether the session is over with that. */
  get isOver(): boolean {
    if (!this.#hasEnded) return false
    if (this.#isGone) return !this.#isUploadUnfinished()
    return this.#isIdle() || (this.#parts.queue.isAnswered && this.#isAbandoned())
  }

  /** It has read its 221, and the server is at a transfer that it did not wait for. */
  get isAbandonedAfterQuit(): boolean {
    return this.#parts.finals.hasSaidGoodbye && this.#isAbandoned()
  }

  /** No reply is awaited on either side, and all that the client sent is with the server. */
  #isIdle(): boolean {
    const { queue, data } = this.#parts
    return queue.isEmpty && !data.isNegotiating && !data.isUploading
  }

  /** An upload runs whose end the client does not wait for. */
  #isUploadUnfinished(): boolean {
    const { queue, data } = this.#parts
    if (data.isUploading) return true
    return queue.transfer?.command?.traits?.transfer === 'upload' && data.channels.isFlowing
  }

  /** No data of the transfer that the server is still at are on their way, or could be. */
  #isAbandoned(): boolean {
    const { isNegotiating, channels } = this.#parts.data
    if (!this.#hasEnded || isNegotiating || this.#isUploadUnfinished()) return false
    return !channels.isFlowing && !channels.hasOnlyClient && channels.current?.isUseless !== false
  }
}
