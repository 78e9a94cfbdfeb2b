// The client's half of the control channel. A line that we need not understand goes to the server at once, whatever is
// outstanding. What must be judged or answered by us waits for the answers before it, and what is behind it waits too.

import { assertNever } from '../errors.ts'
import { type Command, isVerb, maskCommand } from '../ftp/commands.ts'
import type { Abort } from './abort.ts'
import type { DataSide } from './data-side.ts'
import { readFirstWord } from './first-line.ts'
import { ClientIntake, type Intake } from './intake.ts'
import type { Login } from './login.ts'
import type { EngineOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { Refusals } from './refusals.ts'
import type { ReplyQueue } from './reply-queue.ts'
import type { Security } from './security.ts'
import type { Welcome } from './welcome.ts'

export interface ClientSideParts {
  readonly options: EngineOptions
  readonly outbox: Outbox
  readonly login: Login
  readonly queue: ReplyQueue
  readonly refusals: Refusals
  readonly data: DataSide
  readonly abort: Abort
  readonly security: Security
  readonly welcome: Welcome
}

const NOT_FTP = '421 This is an FTP service, closing.'
const MAX_UNKNOWN_VERBS = 3
const MAX_LONG_LINES = 2

export class ClientSide {
  readonly #parts: ClientSideParts
  readonly #outbox: Outbox
  readonly #intake: ClientIntake
  #isFirstLine = true
  #isPaused = false
  #unknownVerbs = 0
  #longLines = 0

  constructor(parts: ClientSideParts) {
    this.#parts = parts
    this.#outbox = parts.outbox
    this.#intake = new ClientIntake(parts.options.policy)
  }

  /** Nothing of what the client said is left to act upon. */
  get isEmpty(): boolean {
    return this.#intake.isEmpty
  }

  /** The next line waits for a server that some servers never say: the answer to a NOOP. */
  get isWaitingForNoops(): boolean {
    return this.#parts.queue.holdsOnlyNoops && this.#intake.peek() !== null
  }

  received(text: string): void {
    this.#intake.push(text)
    if (this.#isFirstLine) this.#checkFirstLine()
  }

  /** Acts upon the next line, if its time has come. */
  actOnNext(): boolean {
    const { queue, abort } = this.#parts
    const item = this.#intake.peek()
    this.#answerTelnet()
    if (item === null) return false
    if (!this.#mustWait(item)) {
      this.#intake.take()
      this.#act(item)
      return true
    }
    if (queue.transfer === null || abort.isPending || queue.has('QUIT')) return false
    const command = this.#intake.takeAbort()
    this.#answerTelnet()
    if (command === null) return false
    this.#recordCommand(command)
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

  #answerTelnet(): void {
    const answer = this.#intake.takeAnswer()
    if (answer !== '') this.#outbox.send('client', answer)
  }

  #checkFirstLine(): void {
    const first = readFirstWord(this.#intake.unread)
    if (first === null) return
    this.#isFirstLine = false
    if (first.isFtp) return
    const refused = { verb: 'OTHER', reason: 'not_ftp', code: 421, detail: first.word } as const
    this.#outbox.record({ type: 'refusal', ...refused })
    this.#outbox.close('protocol', NOT_FTP)
  }

  /** Whether a line waits for what is outstanding. */
  #mustWait(item: Intake): boolean {
    const { queue, data, login, abort, welcome } = this.#parts
    if (welcome.isBusy) return true
    if (queue.isEmpty)
      return data.isNegotiating || (item.type === 'command' && this.#endsTooEarly(item.command))
    if (item.type !== 'command' || data.isNegotiating || queue.isFull) return true
    if (queue.has('AUTH') || queue.has('REIN') || queue.has('QUIT')) return true
    const { command } = item
    const { verb, traits } = command
    if (this.#isAnsweredByUs(command) || opensData(verb)) return true
    switch (verb) {
      case 'FEAT':
      case 'AUTH':
      case 'REIN':
        return true
      case 'USER':
        return login.isLoggedIn || queue.transfer !== null
      case 'QUIT':
        return this.#endsTooEarly(command)
      case 'ABOR':
        return abort.isPending
      default:
        if (traits?.transfer === undefined) return false
        return queue.transfer !== null || abort.isPending || !data.isReadyForTransfer
    }
  }

  /** What ends things does not overtake data that the client sent before it. */
  #endsTooEarly({ verb }: Command): boolean {
    if (verb !== 'QUIT' && verb !== 'REIN' && !opensData(verb)) return false
    return this.#parts.data.isUploading
  }

  /** Commands that never reach the server: their answer keeps its place among the replies. */
  #isAnsweredByUs(command: Command): boolean {
    const { login, options, data, security, welcome } = this.#parts
    const { verb, traits } = command
    if (security.client?.concerns(command) === true || welcome.concerns(command)) return true
    if (!isVerb(verb) || traits?.forbidden === true) return true
    if (traits === null && !login.isLoggedIn) return true
    if ((verb === 'AUTH' || verb === 'CCC') && options.passthrough !== 'explicit') return true
    return verb === 'ALGS' && data.algs !== null
  }

  #act(item: Intake): void {
    const { refusals, options } = this.#parts
    switch (item.type) {
      case 'command':
        this.#dispatch(item.command)
        break
      case 'tooLong': {
        const { maxLineBytes } = options.policy
        refusals.refuseLine('line_too_long', `500 Line longer than ${maxLineBytes} bytes.`)
        this.#longLines += 1
        if (this.#longLines >= MAX_LONG_LINES) this.#outbox.close('protocol', '421 Lines too long, closing.')
        break
      }
      case 'controlCharacters':
        refusals.refuseLine('control_characters', '500 Control characters are not allowed in a command.')
        break
      default:
        assertNever(item)
    }
  }

  #recordCommand(command: Command): void {
    const verb = command.traits === null ? 'OTHER' : command.verb
    this.#outbox.record({ type: 'command', verb, line: maskCommand(command) })
  }

  #dispatch(command: Command): void {
    const { refusals, login, options, security, welcome } = this.#parts
    const { verb, traits } = command
    this.#recordCommand(command)
    const isAnswered = security.client?.answer(command, { hasMore: !this.#intake.isEmpty }) === true
    if (isAnswered) return
    if (!isVerb(verb)) {
      refusals.refuse(command, 'syntax', '500 That is no command.')
    } else if (traits === null && !login.isLoggedIn) {
      this.#unknownVerbs += 1
      refusals.refuse(command, 'unknown_before_login', '500 Unknown command.')
      if (this.#unknownVerbs >= MAX_UNKNOWN_VERBS) this.#outbox.close('protocol', NOT_FTP)
    } else if (traits?.forbidden === true) {
      refusals.refuse(command, 'forbidden_verb', `502 ${verb} is not supported.`)
    } else if (verb === 'AUTH' && options.passthrough !== 'explicit') {
      refusals.refuse(command, 'auth', '502 AUTH is not supported.')
    } else if (verb === 'CCC' && options.passthrough !== 'explicit') {
      refusals.refuse(command, 'auth', '534 CCC is not supported.')
    } else if (!welcome.answer(command) && !this.#answeredAsAlg(command)) {
      this.#passOn(command)
    }
  }

  #passOn(command: Command): void {
    const { login, data, refusals } = this.#parts
    if (opensData(command.verb)) {
      const mayOpen = login.isLoggedIn || !this.#announcesToServer(command.verb)
      if (mayOpen) data.requested(command)
      else refusals.refuse(command, 'login_required', '530 Please log in first.')
    } else if (command.traits?.transfer === undefined || data.mayTransfer(command)) {
      this.#forward(command)
    }
  }

  #forward(command: Command): void {
    const { queue, data, abort } = this.#parts
    const direction = command.traits?.transfer
    const channel = direction === undefined ? null : data.channels.current
    queue.forward(command, { channel: channel?.id ?? null })
    channel?.transferRequested(direction ?? null)
    if (command.verb === 'ABOR') abort.sent()
  }

  /** The commands that RFC 6384 has a translator answer itself; true when this was one. */
  #answeredAsAlg(command: Command): boolean {
    const { data, refusals, login, queue } = this.#parts
    const answer = data.algs?.answer(command) ?? null
    if (answer === null) return false
    if (answer.type === 'reply') this.#outbox.reply(answer.text)
    else refusals.refuse(command, answer.reason, answer.text)
    // Before login servers answer NOOP with 530 (vsftpd), which RFC 6384 §12 would have us hang up at.
    if (login.isLoggedIn) queue.noop('alg')
    return true
  }

  /** PORT and EPRT make somebody connect; with an active upstream PASV and EPSV become one. */
  #announcesToServer(verb: string): boolean {
    return verb === 'PORT' || verb === 'EPRT' || this.#parts.data.upstreamMode === 'active'
  }
}

function opensData(verb: string): boolean {
  return verb === 'PASV' || verb === 'EPSV' || verb === 'PORT' || verb === 'EPRT'
}
