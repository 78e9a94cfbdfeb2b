// The server's half of the control channel: a stream of lines, each of which leaves as it came. Held are only replies to
// commands that we own (an endpoint, FEAT, AUTH) and the success of a transfer whose data are not delivered yet.

import { mayNameEndpoint, replyWithoutEndpoints, withoutEndpoint } from '../ftp/harmless.ts'
import { type ReplyLine, ReplyLines } from '../ftp/replies.ts'
import type { Abort } from './abort.ts'
import type { ClientSide } from './client-side.ts'
import type { DataSide } from './data-side.ts'
import type { FinalReplies } from './final-replies.ts'
import type { Outbox } from './outbox.ts'
import type { Passthrough } from './passthrough.ts'
import type { Outstanding, ReplyQueue } from './reply-queue.ts'
import { fateOf, type ReplyUnderWay } from './reply-under-way.ts'
import type { Strays } from './strays.ts'
import type { Transfers } from './transfers.ts'
import type { Welcome } from './welcome.ts'

export interface ServerSideParts {
  readonly outbox: Outbox
  readonly queue: ReplyQueue
  readonly data: DataSide
  readonly abort: Abort
  readonly transfers: Transfers
  readonly client: ClientSide
  readonly strays: Strays
  readonly finals: FinalReplies
  readonly welcome: Welcome
  readonly passthrough: Passthrough
}

type Phase = 'greeting' | 'talking'

/** Bytes that wait behind a reply that is held back; then we stop reading. */
const MAX_PENDING_BYTES = 16 * 1024
const MAX_OWNED_BYTES = 64 * 1024

export class ServerSide {
  readonly #parts: ServerSideParts
  readonly #outbox: Outbox
  readonly #lines = new ReplyLines()
  #phase: Phase = 'greeting'
  #lastCode = 0
  #hasEnded = false
  #isPaused = false
  #reply: ReplyUnderWay | null = null
  /** The first line of a success that must wait. */
  #held: ReplyLine | null = null

  constructor(parts: ServerSideParts) {
    this.#parts = parts
    this.#outbox = parts.outbox
  }

  get hasGreeted(): boolean {
    return this.#phase !== 'greeting'
  }

  /** A reply has begun and is not complete. */
  get isInReply(): boolean {
    return this.#reply !== null
  }

  /** The running transfer's success was heard and is held. */
  get isHoldingSuccess(): boolean {
    return this.#held !== null
  }

  received(text: string): void {
    this.#lines.push(text)
  }

  /** FIN. What came before it still counts. */
  ended(): void {
    this.#hasEnded = true
  }

  /** Acts upon the next line, or upon the server's end after the last. False when there is nothing to do yet. */
  actOnNext(): boolean {
    const { data, abort } = this.#parts
    if (data.isAnswering) return false
    if (this.#held !== null && abort.state !== 'doubtful') return this.#releaseHeld(this.#held)
    const part = this.#lines.next()
    const answer = this.#lines.takeAnswer()
    if (answer !== '') this.#outbox.send('server', answer)
    if (part === null) {
      if (this.#hasEnded && this.#held === null) this.#hangUp()
      return false
    }
    if (part.type === 'fragment') this.#passFragment(withoutEndpoint(part))
    else this.#take(part)
    return true
  }

  /** The server has said nothing for a second: a line without an end is passed on as far as it came. */
  silent(): void {
    const { data, finals } = this.#parts
    if (!this.#lines.isPartial) finals.silent()
    if (!this.#lines.hasFragment || data.isAnswering || this.#held !== null) return
    if (this.#reply !== null && this.#reply.fate !== 'pass') return
    // It may become an endpoint that must not be passed on.
    if (mayNameEndpoint(this.#lines.begun)) return
    this.#passFragment(this.#lines.takeFragment())
  }

  /** Half a line stands there, or what came last may have been an answer all the same. */
  get waitsForSilence(): boolean {
    return this.#lines.hasFragment || this.#parts.finals.isInDoubt
  }

  /** Nothing more is heard of a transfer behind a reply that may have been its end: it was. */
  doubtIsOver(): void {
    const { abort, queue, transfers } = this.#parts
    if (abort.state !== 'doubtful') return
    abort.lateReplied()
    const { transfer } = queue
    if (this.#held !== null && transfer !== null && transfers.mustHold(transfer, this.#held.code))
      transfers.held()
  }

  /** Stops or resumes reading from the server, by what waits behind a reply that is held back. */
  steerReading(): void {
    const isHeldUp = this.#parts.data.isAnswering || this.#held !== null
    const mustPause = isHeldUp && this.#lines.pendingBytes >= MAX_PENDING_BYTES
    if (mustPause === this.#isPaused) return
    this.#isPaused = mustPause
    this.#outbox.push({ type: mustPause ? 'pauseReading' : 'resumeReading', side: 'server' })
  }

  #releaseHeld(line: ReplyLine): boolean {
    const { queue, transfers } = this.#parts
    const { transfer } = queue
    if (transfer !== null && transfers.mustHold(transfer, line.code)) return false
    this.#held = null
    this.#begin(line, transfer)
    return true
  }

  #passFragment(text: string): void {
    const reply = this.#reply
    if (reply?.fate === 'own') this.#tooLong()
    else if (reply?.fate !== 'drop') this.#pass(text)
  }

  #pass(text: string): void {
    if (this.#phase !== 'greeting' || this.#parts.welcome.passesGreeting(text))
      this.#outbox.send('client', text)
  }

  #take(line: ReplyLine): void {
    switch (line.place) {
      case 'outside':
        if (line.text !== '') this.#parts.strays.record('bad_reply', line.text)
        this.#pass(withoutEndpoint(line))
        break
      case 'only':
      case 'first':
        this.#replyBegins(line)
        break
      case 'inner':
        this.#goOn(line)
        break
      case 'last':
        this.#goOn(line)
        this.#finish(line)
        break
    }
  }

  #replyBegins(line: ReplyLine): void {
    const { queue, abort, transfers } = this.#parts
    const { code } = line
    if (this.#phase === 'greeting') {
      this.#begin(line, null)
      return
    }
    if (this.#held !== null) this.#settleDoubt(this.#held, code)
    const late = abort.isLate(code)
    if (late === 'perhaps') {
      this.#held = line
      abort.doubt()
      return
    }
    if (late === 'yes') {
      abort.lateReplied()
      // The client may still wait for it, or has moved on and would take it for something else.
      this.#open(line, { entry: null, fate: queue.isEmpty ? 'pass' : 'drop', text: '' })
      return
    }
    const entry = queue.match(code)
    if (entry !== null && transfers.mustHold(entry, code)) {
      this.#held = line
      transfers.held()
      return
    }
    this.#begin(line, entry)
  }

  /** More is heard: if of the transfer, what was doubtful was the late reply to an ABOR, which is not waited for. */
  #settleDoubt(doubtful: ReplyLine, code: number): void {
    const { queue, abort } = this.#parts
    this.#held = null
    abort.lateReplied()
    if (queue.match(code)?.isTransfer !== true) this.#begin(doubtful, queue.transfer)
  }

  #begin(line: ReplyLine, entry: Outstanding | null): void {
    const { transfers } = this.#parts
    if (entry !== null && transfers.concerns(entry, line.code)) transfers.began(entry, line.code)
    this.#open(line, { entry, fate: fateOf(entry), text: '' })
  }

  #open(line: ReplyLine, reply: ReplyUnderWay): void {
    this.#reply = reply
    this.#goOn(line)
    if (line.place === 'only') this.#finish(line)
  }

  /** Passes on, keeps or drops a line of the reply under way. */
  #goOn(line: ReplyLine): void {
    const reply = this.#reply
    if (reply?.fate === 'drop') return
    if (reply?.fate === 'own') {
      reply.text += line.rest
      if (reply.text.length > MAX_OWNED_BYTES) this.#tooLong()
      return
    }
    const harmless = withoutEndpoint(line)
    if (harmless !== line.rest) this.#parts.strays.record('unsolicited_endpoint', line.text)
    this.#pass(harmless)
  }

  #tooLong(): void {
    this.#parts.strays.record('reply_too_long', '')
    this.#outbox.close('protocol', '421 The server sent an endless reply.')
  }

  /** The last line of a reply was read. */
  #finish(line: ReplyLine): void {
    const { code, text } = line
    const { transfers, finals, strays } = this.#parts
    const reply = this.#reply
    this.#reply = null
    this.#outbox.record({ type: 'reply', code, line: text })
    this.#lastCode = code
    if (this.#phase === 'greeting') {
      // 120 announces a delay; anything final ends the greeting, 220 or not.
      if (code < 200) return
      this.#phase = 'talking'
      this.#parts.welcome.greeted(code)
      return
    }
    const entry = reply?.entry ?? null
    if (reply === null || entry === null) {
      if (reply?.fate === 'drop' || code === 421) return
      finals.wentAstray(code)
      if (code !== 227 && code !== 229) strays.record('unsolicited_reply', text)
      return
    }
    if (transfers.concerns(entry, code)) {
      if (code >= 200) transfers.ended(entry, code)
      return
    }
    if (code < 200) return
    finals.take(entry, { code, line: text, text: reply.text })
    if (entry.verb === 'AUTH' && code < 300) this.#upgrade(reply.text)
  }

  /** The server agreed to TLS. Nothing may stand behind its answer or behind the client's AUTH (S15, S16). */
  #upgrade(text: string): void {
    if (!this.#parts.client.isEmpty || this.#lines.isPartial) {
      const refused = { verb: 'AUTH', reason: 'plaintext_after_auth', code: 421, detail: '' } as const
      this.#outbox.record({ type: 'refusal', ...refused })
      this.#outbox.close('protocol', '421 Plaintext where TLS must begin, closing.')
      return
    }
    this.#outbox.send('client', replyWithoutEndpoints(text))
    this.#parts.data.reset()
    this.#parts.passthrough.begin()
  }

  #hangUp(): void {
    const { queue } = this.#parts
    if (this.#lines.isPartial) {
      this.#parts.strays.record('server_closed_in_reply', '')
      if (this.#lines.hasFragment && (this.#reply === null || this.#reply.fate === 'pass')) {
        const place = this.#lines.isInReply ? 'inner' : 'only'
        const { begun: text } = this.#lines
        this.#pass(withoutEndpoint({ place, text, rest: this.#lines.takeFragment() }))
      }
    }
    if (this.#parts.finals.hasSaidGoodbye || queue.has('QUIT')) this.#outbox.close('quit')
    else if (this.#lastCode === 421) this.#outbox.close('server')
    else this.#outbox.close('server', '421 The server closed the connection.')
  }
}
