// The client's half of the control channel: what it may say and when, what is answered here, what goes upstream.

import { assertNever } from '../errors.ts'
import { type Command, maskCommand } from '../ftp/commands.ts'
import type { CloseReason, RefusalReason } from './contract.ts'
import type { DataSide } from './data-side.ts'
import { beginsLikeFtp } from './first-line.ts'
import { ClientIntake } from './intake.ts'
import type { Login } from './login.ts'
import type { Outbox } from './outbox.ts'
import type { Policy } from './policy.ts'
import type { ServerSide } from './server-side.ts'

export interface ClientSideOptions {
  readonly policy: Policy
  /** With `active` upstream even PASV makes us send PORT, which nobody may before login. */
  readonly upstreamMode: 'client' | 'passive' | 'active'
  readonly outbox: Outbox
  readonly login: Login
  readonly close: (reason: CloseReason, reply?: string) => void
}

const MAX_UNKNOWN_VERBS = 3
const MAX_LONG_LINES = 2
/** Bytes taken in but not acted upon that make us stop reading. */
const MAX_PENDING_BYTES = 16 * 1024

export class ClientSide {
  readonly #options: ClientSideOptions
  readonly #intake: ClientIntake
  #isFirstLine = true
  #isPaused = false
  #unknownVerbs = 0
  #longLines = 0
  #refusals = 0

  constructor(options: ClientSideOptions) {
    this.#options = options
    this.#intake = new ClientIntake(options.policy)
  }

  /** Nothing of what the client said is left to act upon. */
  get isEmpty(): boolean {
    return this.#intake.isEmpty
  }

  received(text: string): void {
    const { outbox, close } = this.#options
    const answer = this.#intake.push(text)
    if (answer !== '') outbox.send('client', answer)
    if (!this.#isFirstLine) return
    const verdict = beginsLikeFtp(this.#intake.pending)
    if (verdict === null) return
    this.#isFirstLine = false
    if (verdict) return
    outbox.refusal({ verb: 'OTHER', reason: 'not_ftp', code: 421, detail: this.#intake.pending.slice(0, 80) })
    close('protocol', '421 This is an FTP service, closing.')
  }

  /** Acts upon the next line. False when there is none. */
  actOnNext(server: ServerSide, data: DataSide): boolean {
    const item = this.#intake.next()
    if (item === null) return false
    switch (item.type) {
      case 'command':
        this.#dispatch(item.command, server, data)
        return true
      case 'tooLong':
        this.#refuseLine('line_too_long', `500 Line longer than ${this.#options.policy.maxLineBytes} bytes.`)
        this.#longLines += 1
        if (this.#longLines >= MAX_LONG_LINES) this.#options.close('protocol', '421 Lines too long, closing.')
        return true
      case 'controlCharacters':
        this.#refuseLine('control_characters', '500 Control characters are not allowed in a command.')
        return true
      default:
        return assertNever(item)
    }
  }

  /** During a transfer: sends the next line that may overtake. False when there is none. */
  actOnOvertaking(server: ServerSide): boolean {
    const command = this.#intake.nextOvertaking()
    if (command === null) return false
    this.#options.outbox.record({ type: 'command', verb: command.verb, line: command.line })
    server.forward(command)
    return true
  }

  /** Stops or resumes reading from the client, by what waits. */
  steerReading(): void {
    const mustPause = this.#intake.isFull || this.#intake.pendingBytes >= MAX_PENDING_BYTES
    if (mustPause === this.#isPaused) return
    this.#isPaused = mustPause
    this.#options.outbox.push({ type: mustPause ? 'pauseReading' : 'resumeReading', side: 'client' })
  }

  /** Answers a command with an error of ours; too many of them end the session. */
  refuse(command: Command, reason: RefusalReason, text: string): void {
    const verb = command.traits === null ? 'OTHER' : command.verb
    const detail = maskCommand(command)
    this.#options.outbox.refusal({ verb, reason, code: Number(text.slice(0, 3)), detail })
    this.#answerRefusal(text)
  }

  #dispatch(command: Command, server: ServerSide, data: DataSide): void {
    const { outbox, login, policy, close } = this.#options
    const { verb, traits, line } = command
    outbox.record({ type: 'command', verb: traits === null ? 'OTHER' : verb, line: maskCommand(command) })
    if (traits === null && !login.isLoggedIn) {
      this.#unknownVerbs += 1
      this.refuse(command, 'unknown_before_login', '500 Unknown command.')
      if (this.#unknownVerbs >= MAX_UNKNOWN_VERBS) close('protocol', '421 This is an FTP service, closing.')
    } else if (line === '') {
      this.refuse(command, 'syntax', '500 Empty command.')
    } else if (traits?.forbidden === true) {
      this.refuse(command, 'forbidden_verb', `502 ${verb} is not supported.`)
    } else if (verb === 'AUTH' && policy.auth === 'refuse') {
      this.refuse(command, 'auth', '502 AUTH is not supported.')
    } else if (opensData(verb)) {
      if (login.isLoggedIn || !this.#announcesToServer(verb)) data.requested(command)
      else this.refuse(command, 'login_required', '530 Please log in first.')
    } else if (traits?.transfer === undefined || data.mayTransfer(command)) {
      server.forward(command)
    }
  }

  /** PORT and EPRT make somebody connect; with an active upstream PASV and EPSV become one. */
  #announcesToServer(verb: string): boolean {
    return verb === 'PORT' || verb === 'EPRT' || this.#options.upstreamMode === 'active'
  }

  /** Refuses a line that is no command at all. */
  #refuseLine(reason: 'line_too_long' | 'control_characters', text: string): void {
    this.#options.outbox.refusal({ verb: 'OTHER', reason, code: 500, detail: '' })
    this.#answerRefusal(text)
  }

  #answerRefusal(text: string): void {
    this.#options.outbox.reply(text)
    this.#refusals += 1
    if (this.#refusals >= this.#options.policy.maxRefusals) {
      this.#options.close('refusals', '421 Too many refused commands, closing.')
    }
  }
}

function opensData(verb: string): boolean {
  return verb === 'PASV' || verb === 'EPSV' || verb === 'PORT' || verb === 'EPRT'
}
