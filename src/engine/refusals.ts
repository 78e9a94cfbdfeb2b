import { type Command, maskCommand } from '../ftp/commands.ts'
import type { RefusalReason } from './contract.ts'
import type { Outbox } from './outbox.ts'

/** Answers the client's mistakes with errors of ours, and ends the session when there are too many of them. */
export class Refusals {
  readonly #outbox: Outbox
  readonly #maxRefusals: number
  #count = 0

  constructor({ outbox, maxRefusals }: { readonly outbox: Outbox; readonly maxRefusals: number }) {
    this.#outbox = outbox
    this.#maxRefusals = maxRefusals
  }

  /** `text` is the reply, for example `'501 The address must be your own.'`. */
  refuse(command: Command, reason: RefusalReason, text: string): void {
    const verb = command.traits === null ? 'OTHER' : command.verb
    this.#answer({ verb, reason, text, detail: maskCommand(command) })
  }

  /** Refuses a line that is no command at all; nothing of it is shown. */
  refuseLine(reason: RefusalReason, text: string): void {
    this.#answer({ verb: 'OTHER', reason, text, detail: '' })
  }

  #answer(refused: { verb: string; reason: RefusalReason; text: string; detail: string }): void {
    reportFailure(this.#outbox, refused)
    this.#count += 1
    if (this.#count >= this.#maxRefusals) {
      this.#outbox.close('refusals', '421 Too many refused commands, closing.')
    }
  }
}

/** Answers a command with an error that is not the client's fault: it does not count against it. */
export function reportFailure(
  outbox: Outbox,
  {
    verb,
    reason,
    text,
    detail = '',
  }: {
    readonly verb: string
    readonly reason: RefusalReason
    readonly text: string
    readonly detail?: string
  },
): void {
  outbox.record({ type: 'refusal', verb, reason, code: Number(text.slice(0, 3)), detail })
  outbox.reply(text)
}
