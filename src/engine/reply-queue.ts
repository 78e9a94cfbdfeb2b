// Which command does a reply answer? Commands go to the server as they come, so several may be outstanding; replies
// come in order, but some servers answer during a transfer, twice, or never. So a reply goes to the first command that
// it can answer. One that can answer none is a stray: text.

import type { Command } from '../ftp/commands.ts'
import type { Outbox } from './outbox.ts'

/**
 * `command`: the client's, whose reply passes. `negotiation`: ours or the client's, about a data channel. `alg`: a NOOP in
 * place of a command that we answered (RFC 6384 §12). `keepAlive`: a NOOP of ours in a long transfer. `replay`: what the
 * client said before it had a server, and was answered by us.
 */
export type Purpose = 'command' | 'negotiation' | 'alg' | 'keepAlive' | 'replay'

/** A command that went to the server and has no final reply yet. */
export interface Outstanding {
  readonly verb: string
  /** The client's command; null for one of our own, which the client hears nothing of. */
  readonly command: Command | null
  readonly purpose: Purpose
  /** It moves data. Known from the verb, or from a 125 or 150. */
  isTransfer: boolean
  /** The data channel that a transfer uses, if one was set up. */
  channel: number | null
  /** A 1xx reply was seen. */
  hasStarted: boolean
  /** The client has been answered already: what the server says is dropped. */
  isAnswered: boolean
}

/** How many commands may be outstanding before the client waits. */
const MAX_OUTSTANDING = 256

/** Sends commands to the server and finds them again when it replies. */
export class ReplyQueue {
  readonly #outbox: Outbox
  readonly #entries: Outstanding[] = []

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** No command waits for its reply. */
  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** The oldest command that moves no data and waits for its reply, or null. */
  get firstCommand(): Outstanding | null {
    return this.#entries.find(({ isTransfer }) => !isTransfer) ?? null
  }

  /** The client has been answered whatever it said, by us where it was not the server. */
  get isAnswered(): boolean {
    return this.#entries.every(({ isAnswered }) => isAnswered)
  }

  get isFull(): boolean {
    return this.#entries.length >= MAX_OUTSTANDING
  }

  /** The transfer that waits for its final reply, or null. */
  get transfer(): Outstanding | null {
    for (const entry of this.#entries) if (entry.isTransfer) return entry
    return null
  }

  /** The ABOR that waits for its reply, or null. */
  get abort(): Outstanding | null {
    return this.#find('ABOR')
  }

  /** Nothing that waits is more than a NOOP, to which some servers say nothing. */
  get holdsOnlyNoops(): boolean {
    return this.#entries.length > 0 && this.#entries.every(({ verb }) => verb === 'NOOP')
  }

  /** A command with this verb waits for its reply. */
  has(verb: string): boolean {
    return this.#find(verb) !== null
  }

  /** Passes on a client's command. `channel` is what it moves its data over, if it is known to move any. */
  forward(command: Command, { channel }: { readonly channel: number | null }): void {
    const { verb, line, traits } = command
    this.#outbox.send('server', `${line}\r\n`)
    const isTransfer = traits?.transfer !== undefined
    this.#entries.push({
      verb,
      command,
      purpose: 'command',
      isTransfer,
      channel,
      hasStarted: false,
      isAnswered: false,
    })
  }

  /** Asks a question of our own, whose answer belongs to the negotiation of a data channel. */
  ask({ verb, line }: { readonly verb: string; readonly line: string }): void {
    this.#sendOwn(verb, line, 'negotiation')
  }

  /** Tells the server what the client has said and was answered by us. */
  replay({ verb, line }: { readonly verb: string; readonly line: string }): void {
    this.#sendOwn(verb, line, 'replay')
  }

  noop(purpose: 'alg' | 'keepAlive'): void {
    this.#sendOwn('NOOP', 'NOOP', purpose)
  }

  /** The command that a reply of this code answers, or null: it is a stray. */
  match(code: number): Outstanding | null {
    const entries = this.#entries
    const [first] = entries
    if (first === undefined) return null
    if (entries.length === 1) return canAnswerAlone(first, code) ? first : null
    const { transfer, abort } = this
    if (code < 200) {
      // Preliminary: of a transfer, or of a verb that turns out to be one.
      if (transfer !== null) return transfer
      return entries.find(({ purpose }) => purpose === 'command') ?? null
    }
    const isFirstStarted = transfer?.hasStarted === true
    const seekers = entries.filter((entry) => entry !== transfer)
    if (transfer !== null && isFirstStarted) {
      const other = seekers.find((entry) => answersDuringTransfer(entry, code))
      if (other !== undefined) return other
    }
    for (const entry of entries) {
      // Where an ABOR waits, 225 and 226 are meant for it or for its transfer.
      if (abort !== null && (code === 225 || code === 226) && entry !== abort && entry !== transfer) continue
      if (canAnswer(entry, code)) return entry
    }
    return null
  }

  /** Its final reply has come, or is not waited for any more. */
  done(entry: Outstanding): void {
    const at = this.#entries.indexOf(entry)
    if (at >= 0) this.#entries.splice(at, 1)
  }

  /** What a server may never answer is not waited for any longer. */
  giveUpNoops(): void {
    this.#entries.splice(0, this.#entries.length, ...this.#entries.filter(({ verb }) => verb !== 'NOOP'))
  }

  #find(verb: string): Outstanding | null {
    for (const entry of this.#entries) if (entry.verb === verb) return entry
    return null
  }

  #sendOwn(verb: string, line: string, purpose: Exclude<Purpose, 'command'>): void {
    this.#outbox.send('server', `${line}\r\n`)
    this.#entries.push({
      verb,
      command: null,
      purpose,
      isTransfer: false,
      channel: null,
      hasStarted: false,
      isAnswered: false,
    })
  }
}

/** Whether a reply of this code can answer a command, when it is the only one. */
function canAnswerAlone(entry: Outstanding, code: number): boolean {
  if (entry.isTransfer) {
    // 421 is about the control connection; data may flow to their end.
    return code !== 227 && code !== 229 && !(code === 421 && entry.hasStarted)
  }
  if (code < 200) return entry.purpose === 'command'
  return canAnswer(entry, code) || (entry.verb === 'ABOR' && code < 300)
}

function canAnswer(entry: Outstanding, code: number): boolean {
  const { verb, purpose, isTransfer, hasStarted } = entry
  if (purpose === 'negotiation') return answersEndpoint(verb, code)
  // To EPSV ALL, from a server that does not know it.
  if (code === 227 || code === 229) return verb === 'EPSV'
  if (isTransfer) {
    if (code === 421) return !hasStarted
    return code >= 400 || code === 225 || code === 226 || code === 250
  }
  if (code < 200) return false
  if (code >= 400) return true
  switch (verb) {
    case 'NOOP':
      return code === 200
    case 'ABOR':
      return code === 225 || code === 226
    case 'QUIT':
      return code === 221
    case 'FEAT':
      return code === 211 || code === 200
    default:
      return true
  }
}

/** A refusal, the code that the verb is answered with, or for EPSV a 227 that says the same. */
function answersEndpoint(verb: string, code: number): boolean {
  if (code >= 400) return true
  if (verb === 'PASV' || verb === 'EPSV') return code === 227 || code === 229
  return code === 200
}

/**
 * Whether a command that came after a transfer is meant by this code, rather than the transfer, which has begun and
 * ends with 226, 250, 425, 426, 451 or 55x: "not understood" and "not logged in" are about what came after it.
 */
function answersDuringTransfer(entry: Outstanding, code: number): boolean {
  if (entry.purpose === 'negotiation') return false
  if ((code >= 500 && code <= 504) || code === 530) return true
  switch (entry.verb) {
    case 'STAT':
      return (code >= 211 && code <= 213) || code === 450
    case 'NOOP':
      return code === 200
    case 'QUIT':
      return code === 221
    case 'ABOR':
      return false
    default:
      return code >= 200 && code < 400 && !endsTransfer.has(code)
  }
}

const endsTransfer: ReadonlySet<number> = new Set([225, 226, 227, 229, 250])
