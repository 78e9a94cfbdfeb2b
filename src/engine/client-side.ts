// The client's half of the control channel: what it may say and when, what is answered here, what goes upstream.

import { assertNever } from '../errors.ts'
import { type Command, isVerb, maskCommand } from '../ftp/commands.ts'
import type { DataSide } from './data-side.ts'
import { readFirstWord } from './first-line.ts'
import { ClientIntake } from './intake.ts'
import type { Login } from './login.ts'
import type { EngineOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { Refusals } from './refusals.ts'
import type { Upstream } from './upstream.ts'

export interface ClientSideParts {
  readonly options: EngineOptions
  readonly outbox: Outbox
  readonly login: Login
  readonly upstream: Upstream
  readonly refusals: Refusals
  readonly data: DataSide
}

const NOT_FTP = '421 This is an FTP service, closing.'
const MAX_UNKNOWN_VERBS = 3
const MAX_LONG_LINES = 2

export class ClientSide {
  readonly #options: EngineOptions
  readonly #outbox: Outbox
  readonly #login: Login
  readonly #upstream: Upstream
  readonly #refusals: Refusals
  readonly #data: DataSide
  readonly #intake: ClientIntake
  #isFirstLine = true
  #isPaused = false
  #unknownVerbs = 0
  #longLines = 0

  constructor({ options, outbox, login, upstream, refusals, data }: ClientSideParts) {
    this.#options = options
    this.#outbox = outbox
    this.#login = login
    this.#upstream = upstream
    this.#refusals = refusals
    this.#data = data
    this.#intake = new ClientIntake(options.policy)
  }

  /** Nothing of what the client said is left to act upon. */
  get isEmpty(): boolean {
    return this.#intake.isEmpty
  }

  received(text: string): void {
    const answer = this.#intake.push(text)
    if (answer !== '') this.#outbox.send('client', answer)
    if (this.#isFirstLine) this.#checkFirstLine()
  }

  /** Acts upon the next line. False when there is none. */
  actOnNext(): boolean {
    const item = this.#intake.next()
    if (item === null) return false
    switch (item.type) {
      case 'command':
        this.#dispatch(item.command)
        return true
      case 'tooLong': {
        const { maxLineBytes } = this.#options.policy
        this.#refusals.refuseLine('line_too_long', `500 Line longer than ${maxLineBytes} bytes.`)
        this.#longLines += 1
        if (this.#longLines >= MAX_LONG_LINES) this.#outbox.close('protocol', '421 Lines too long, closing.')
        return true
      }
      case 'controlCharacters': {
        const text = '500 Control characters are not allowed in a command.'
        this.#refusals.refuseLine('control_characters', text)
        return true
      }
      default:
        return assertNever(item)
    }
  }

  /** During a transfer: sends the next line that may overtake it. False when there is none. */
  actOnOvertaking(): boolean {
    if (this.#upstream.transfer === null || this.#intake.isEmpty) return false
    const command = this.#intake.nextOvertaking((verb) => this.#upstream.mayOvertake(verb))
    if (command === null) return false
    this.#outbox.record({ type: 'command', verb: command.verb, line: maskCommand(command) })
    this.#forward(command)
    return true
  }

  /** Stops or resumes reading from the client, by what waits. */
  steerReading(): void {
    const mustPause = this.#intake.isFull
    if (mustPause === this.#isPaused) return
    this.#isPaused = mustPause
    this.#outbox.push({ type: mustPause ? 'pauseReading' : 'resumeReading', side: 'client' })
  }

  #checkFirstLine(): void {
    const first = readFirstWord(this.#intake.pending)
    if (first === null) return
    this.#isFirstLine = false
    if (first.isFtp) return
    const refused = { verb: 'OTHER', reason: 'not_ftp', code: 421, detail: first.word } as const
    this.#outbox.record({ type: 'refusal', ...refused })
    this.#outbox.close('protocol', NOT_FTP)
  }

  #dispatch(command: Command): void {
    const { verb, traits } = command
    const refusals = this.#refusals
    const known = traits === null ? 'OTHER' : verb
    this.#outbox.record({ type: 'command', verb: known, line: maskCommand(command) })
    if (!isVerb(verb)) {
      refusals.refuse(command, 'syntax', '500 That is no command.')
    } else if (traits === null && !this.#login.isLoggedIn) {
      this.#unknownVerbs += 1
      refusals.refuse(command, 'unknown_before_login', '500 Unknown command.')
      if (this.#unknownVerbs >= MAX_UNKNOWN_VERBS) {
        this.#outbox.close('protocol', NOT_FTP)
      }
    } else if (traits?.forbidden === true) {
      refusals.refuse(command, 'forbidden_verb', `502 ${verb} is not supported.`)
    } else if (verb === 'AUTH' && this.#options.policy.auth === 'refuse') {
      refusals.refuse(command, 'auth', '502 AUTH is not supported.')
    } else if (verb === 'CCC' && this.#options.policy.auth === 'refuse') {
      refusals.refuse(command, 'auth', '534 CCC is not supported.')
    } else if (!this.#answeredAsAlg(command)) {
      this.#passOn(command)
    }
  }

  #passOn(command: Command): void {
    if (opensData(command.verb)) {
      const mayOpen = this.#login.isLoggedIn || !this.#announcesToServer(command.verb)
      if (mayOpen) this.#data.requested(command)
      else this.#refusals.refuse(command, 'login_required', '530 Please log in first.')
    } else if (command.traits?.transfer === undefined || this.#data.mayTransfer(command)) {
      this.#forward(command)
    }
  }

  #forward(command: Command): void {
    const channel = command.traits?.transfer === undefined ? null : this.#data.channels.current
    this.#upstream.forward(command, { channel: channel?.id ?? null })
    channel?.transferRequested()
    // Some servers reply once where two replies are due, some not at all.
    if (command.verb === 'ABOR') this.#outbox.push({ type: 'setTimer', timer: 'abort' })
  }

  /** The commands that RFC 6384 has a translator answer itself; true when this was one. */
  #answeredAsAlg(command: Command): boolean {
    const answer = this.#data.algs?.answer(command) ?? null
    if (answer === null) return false
    if (answer.type === 'reply') this.#outbox.reply(answer.text)
    else this.#refusals.refuse(command, answer.reason, answer.text)
    // Before login servers answer NOOP with 530 (vsftpd), which RFC 6384 §12 would have us hang up at.
    if (this.#login.isLoggedIn) this.#upstream.keepAlive()
    return true
  }

  /** PORT and EPRT make somebody connect; with an active upstream PASV and EPSV become one. */
  #announcesToServer(verb: string): boolean {
    return verb === 'PORT' || verb === 'EPRT' || this.#options.upstreamMode === 'active'
  }
}

function opensData(verb: string): boolean {
  return verb === 'PASV' || verb === 'EPSV' || verb === 'PORT' || verb === 'EPRT'
}
