// Which command does a reply answer? One command is outstanding upstream at a time, except that ABOR, STAT and QUIT
// may follow a transfer that is still running. A reply that answers nothing is text.

import type { Command } from '../ftp/commands.ts'
import type { Outbox } from './outbox.ts'

/** A command that went upstream and has no final reply yet. */
export interface Outstanding {
  readonly verb: string
  /** The client's command; null for one of our own, which the client hears nothing of. */
  readonly command: Command | null
  /** `keepAlive`: a NOOP in place of a command that we answered ourselves (RFC 6384 §12). */
  readonly purpose: 'command' | 'negotiation' | 'keepAlive'
  /** It moves data. Known from the verb, or from a 125 or 150. */
  isTransfer: boolean
  /** The data channel that a transfer uses, if one was set up. */
  channel: number | null
  /** A 1xx reply was seen. */
  hasStarted: boolean
  /** The client has been answered already: of a transfer, what the server says is dropped. */
  isAnswered: boolean
}

/** Sends commands to the server and finds them again when it replies. */
export class Upstream {
  readonly #outbox: Outbox
  #first: Outstanding | null = null
  /** What overtook a transfer and, perhaps, outlives it. At most one ABOR, STAT and QUIT each. */
  #overtakers: Outstanding[] | null = null
  /** An ABOR was given up on; its reply may come yet and belongs to no later command. */
  #isAbortReplyDue = false

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** No command waits for its reply. */
  get isIdle(): boolean {
    return this.#first === null && this.#overtakers === null
  }

  /** The transfer that waits for its final reply, or null. */
  get transfer(): Outstanding | null {
    return this.#first?.isTransfer === true ? this.#first : null
  }

  /** The ABOR that waits for its reply, or null. */
  get abort(): Outstanding | null {
    if (this.#first?.verb === 'ABOR') return this.#first
    return this.#overtakers?.find(({ verb }) => verb === 'ABOR') ?? null
  }

  /** Whether this command may be sent although a transfer is running. Nothing follows a QUIT. */
  mayOvertake(verb: string): boolean {
    if (this.transfer === null || this.has('QUIT') || this.has(verb)) return false
    return verb === 'ABOR' || verb === 'QUIT' || (verb === 'STAT' && this.abort === null)
  }

  /** A command with this verb waits for its reply. */
  has(verb: string): boolean {
    return this.#first?.verb === verb || (this.#overtakers?.some((entry) => entry.verb === verb) ?? false)
  }

  /** Passes on a client's command. `channel` is what it moves its data over, if it is known to move any. */
  forward(command: Command, { channel }: { readonly channel: number | null }): void {
    const { verb, line, traits } = command
    this.#outbox.send('server', `${line}\r\n`)
    this.#add({
      verb,
      command,
      purpose: 'command',
      isTransfer: traits?.transfer !== undefined,
      channel,
      hasStarted: false,
      isAnswered: false,
    })
  }

  /** Asks a question of our own, whose answer belongs to the negotiation of a data channel. */
  ask({ verb, line }: { readonly verb: string; readonly line: string }): void {
    this.#sendOwn({ verb, line, purpose: 'negotiation' })
  }

  keepAlive(): void {
    this.#sendOwn({ verb: 'NOOP', line: 'NOOP', purpose: 'keepAlive' })
  }

  /** The command that a reply of this code answers, or null. */
  match(code: number): Outstanding | null {
    const first = this.#first
    const overtakers = this.#overtakers
    if (overtakers === null) return first
    const found = overtakers.find(({ verb }) => takes(verb, code, { hasStarted: first?.hasStarted ?? true }))
    // STAT is not answered by what ends a transfer or an ABOR.
    return found ?? first ?? overtakers.find(({ verb }) => verb !== 'STAT') ?? overtakers[0] ?? null
  }

  /** Its final reply has come. */
  done(entry: Outstanding): void {
    this.#remove(entry)
    // Replies come in order: what an older ABOR did not get by now it never will. Of two the first may have had this one.
    if (entry.verb !== 'STAT' && entry.verb !== 'ABOR') this.#isAbortReplyDue = false
  }

  /** Stops waiting for the reply to an ABOR. */
  giveUp(abort: Outstanding): void {
    this.#remove(abort)
    this.#isAbortReplyDue = true
  }

  /**
   * Whether a reply of this code is the late one to an ABOR that was given up on. `perhaps`: a 226 may as well end the
   * transfer that followed, which has shown no other sign of life.
   */
  isLateAbort(code: number, { mayBeDone }: { readonly mayBeDone: boolean }): 'yes' | 'perhaps' | 'no' {
    if (!this.#isAbortReplyDue || (code !== 225 && code !== 226)) return 'no'
    if (this.#first?.verb === 'ABOR') return 'no'
    if (this.transfer === null) return 'yes'
    if (this.transfer.hasStarted || mayBeDone) return 'no'
    return code === 225 ? 'yes' : 'perhaps'
  }

  /** The late reply to an ABOR has come, or never will. */
  lateAbortIsOver(): void {
    this.#isAbortReplyDue = false
  }

  #sendOwn(own: {
    readonly verb: string
    readonly line: string
    readonly purpose: 'negotiation' | 'keepAlive'
  }): void {
    const { verb, line, purpose } = own
    this.#outbox.send('server', `${line}\r\n`)
    this.#add({
      verb,
      command: null,
      purpose,
      isTransfer: false,
      channel: null,
      hasStarted: false,
      isAnswered: false,
    })
  }

  #add(entry: Outstanding): void {
    if (this.isIdle) {
      this.#first = entry
    } else {
      this.#overtakers ??= []
      this.#overtakers.push(entry)
    }
  }

  #remove(entry: Outstanding): void {
    if (entry === this.#first) {
      this.#first = null
      return
    }
    const left = this.#overtakers?.filter((each) => each !== entry) ?? []
    this.#overtakers = left.length === 0 ? null : left
  }
}

/**
 * Whether a command that overtook a transfer is meant by this code, rather than the transfer.
 *
 * Once it has begun, a transfer ends with 226, 250, 425, 426, 451 or 55x: "not understood" and "not logged in" are
 * about what came after it.
 */
function takes(verb: string, code: number, transfer: { readonly hasStarted: boolean }): boolean {
  if (transfer.hasStarted && ((code >= 500 && code <= 504) || code === 530)) return true
  switch (verb) {
    case 'STAT':
      return (code >= 211 && code <= 213) || (transfer.hasStarted && code === 450)
    case 'QUIT':
      return code === 221
    default:
      return false
  }
}
