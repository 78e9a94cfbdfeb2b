// The server's half of the control channel: its replies, what each of them answers, what they change.

import { assertNever } from '../errors.ts'
import type { Command } from '../ftp/commands.ts'
import { type Reply, ReplyGrouper } from '../ftp/replies.ts'
import { IAC, TelnetFilter } from '../ftp/telnet.ts'
import type { ClientSide } from './client-side.ts'
import type { ProtocolError } from './contract.ts'
import type { DataSide } from './data-side.ts'
import { editFeatures } from './features.ts'
import type { Login } from './login.ts'
import type { EngineOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { Transfers } from './transfers.ts'
import type { Outstanding, Upstream } from './upstream.ts'

export interface ServerSideParts {
  readonly options: EngineOptions
  readonly outbox: Outbox
  readonly login: Login
  readonly upstream: Upstream
  readonly data: DataSide
  readonly transfers: Transfers
  readonly client: ClientSide
}

/** `pipe`: the server accepted AUTH, from here on only the two peers can read. */
type Phase = 'greeting' | 'talking' | 'pipe'

const MAX_STRAY_REPLIES = 100
/** Bytes of replies that wait behind one that is held back; then we stop reading. */
const MAX_PENDING_BYTES = 16 * 1024

export class ServerSide {
  readonly #options: EngineOptions
  readonly #outbox: Outbox
  readonly #login: Login
  readonly #upstream: Upstream
  readonly #data: DataSide
  readonly #transfers: Transfers
  readonly #client: ClientSide
  readonly #replies = new ReplyGrouper()
  #telnet: TelnetFilter | null = null
  #phase: Phase = 'greeting'
  #lastCode = 0
  #hasEnded = false
  #hasSaidGoodbye = false
  #isPaused = false
  #strayReplies = 0
  /** The late reply to an ABOR, or the end of the transfer behind it. */
  #doubtful: Reply | null = null

  constructor({ options, outbox, login, upstream, data, transfers, client }: ServerSideParts) {
    this.#options = options
    this.#outbox = outbox
    this.#login = login
    this.#upstream = upstream
    this.#data = data
    this.#transfers = transfers
    this.#client = client
  }

  get hasGreeted(): boolean {
    return this.#phase !== 'greeting'
  }

  get isPipe(): boolean {
    return this.#phase === 'pipe'
  }

  /** QUIT was answered: nothing more will be asked. */
  get hasSaidGoodbye(): boolean {
    return this.#hasSaidGoodbye
  }

  received(text: string): void {
    if (this.#telnet === null && !text.includes(IAC)) {
      this.#replies.push(text)
      return
    }
    this.#telnet ??= new TelnetFilter({ lineSoFar: this.#replies.pending, marksVerbs: false })
    const clean = this.#telnet.push(text)
    if (clean.answer !== '') this.#outbox.send('server', clean.answer)
    this.#replies.push(clean.text)
  }

  /** FIN. What came before it still counts. */
  ended(): void {
    this.#hasEnded = true
  }

  /** Acts upon the next reply, or upon the server's end after the last. False when there is nothing to do yet. */
  actOnNext(): boolean {
    if (this.#isHeldUp) return false
    if (this.#transfers.release()) return true
    const result = this.#replies.next()
    if (result === null) {
      if (this.#hasEnded) this.#hangUp()
      return false
    }
    switch (result.type) {
      case 'reply':
        this.#replied(result)
        return true
      case 'stray':
        this.#stray('bad_reply', result.line)
        if (this.hasGreeted) this.#outbox.send('client', `${result.line}\r\n`)
        else this.#outbox.close('protocol', '421 The server does not speak FTP.')
        return true
      case 'tooLong':
        this.#stray('reply_too_long', '')
        this.#outbox.close('protocol', '421 The server sent an endless reply.')
        return true
      default:
        return assertNever(result)
    }
  }

  /** Nothing more is heard of a transfer behind a reply that may have been its end: it was. True when there was one. */
  doubtIsOver(): boolean {
    const doubtful = this.#takeDoubtful()
    const { transfer } = this.#upstream
    if (doubtful === null || transfer === null) return false
    this.#transfers.replied(transfer, doubtful)
    return true
  }

  /** Stops or resumes reading from the server, by what waits behind a reply that is held back. */
  steerReading(): void {
    const mustPause = this.#isHeldUp && this.#replies.pendingBytes >= MAX_PENDING_BYTES
    if (mustPause === this.#isPaused) return
    this.#isPaused = mustPause
    this.#outbox.push({ type: mustPause ? 'pauseReading' : 'resumeReading', side: 'server' })
  }

  /** An answer waits for its pinhole or its data connection: lines do not overtake each other. */
  get #isHeldUp(): boolean {
    return this.#data.isOpeningPinhole || this.#transfers.isHolding
  }

  #replied(reply: Reply): void {
    const { code } = reply
    this.#outbox.record({ type: 'reply', code, line: reply.line })
    this.#lastCode = code
    if (this.#phase === 'greeting') {
      // 120 announces a delay; anything final ends the greeting, 220 or not.
      if (code >= 200) this.#phase = 'talking'
      this.#outbox.send('client', reply.text)
      return
    }
    const { isIdle } = this.#upstream
    const { mayHaveDelivered } = this.#data.channels
    switch (this.#upstream.isLateAbort(code, { mayBeDone: mayHaveDelivered })) {
      case 'yes':
        this.#upstream.lateAbortIsOver()
        // The client may still wait for it, or has moved on and would take it for something else.
        if (isIdle) this.#outbox.send('client', reply.text)
        return
      case 'perhaps':
        this.#doubtful = reply
        this.#outbox.push({ type: 'setTimer', timer: 'abort' })
        return
    }
    const entry = this.#upstream.match(code)
    // The transfer goes on: that was the ABOR.
    if (entry?.isTransfer === true) this.#takeDoubtful()
    if ((code === 227 || code === 229) && entry?.purpose !== 'negotiation') {
      this.#stray('unsolicited_endpoint', reply.line)
    }
    if (entry === null) this.#unsolicited(reply)
    else if (this.#transfers.concerns(entry, reply)) this.#transfers.replied(entry, reply)
    else if (code >= 200) this.#finished(entry, reply)
    else if (entry.purpose === 'command') this.#outbox.send('client', reply.text)
  }

  #takeDoubtful(): Reply | null {
    const doubtful = this.#doubtful
    if (doubtful === null) return null
    this.#doubtful = null
    this.#upstream.lateAbortIsOver()
    return doubtful
  }

  #finished(entry: Outstanding, reply: Reply): void {
    this.#upstream.done(entry)
    switch (entry.purpose) {
      case 'command':
        if (entry.command !== null) this.#answered(entry.command, reply)
        break
      case 'negotiation':
        this.#data.replied(reply)
        break
      case 'keepAlive':
        if (reply.code === 200) break
        this.#stray('bad_reply', reply.line)
        this.#outbox.close('protocol', '421 The server is out of step.')
        break
      default:
        assertNever(entry.purpose)
    }
  }

  /** The final reply to a command of the client that moves no data. */
  #answered(command: Command, reply: Reply): void {
    const { verb } = command
    if (verb === 'AUTH' && reply.code === 234) {
      this.#upgrade(reply)
      return
    }
    this.#login.replied(command, reply.code)
    if (verb === 'REIN' && reply.code < 400) this.#data.reset()
    if (verb === 'ABOR') {
      this.#outbox.push({ type: 'clearTimer', timer: 'abort' })
      if (this.#upstream.transfer === null) this.#data.channels.aborted()
    }
    const keepTls = this.#options.policy.auth === 'passthrough'
    this.#outbox.send('client', verb === 'FEAT' ? editFeatures(reply, { keepTls }) : reply.text)
    if (verb === 'QUIT' && reply.code < 400) this.#hasSaidGoodbye = true
  }

  /** The server agreed to TLS. Nobody may have said a word behind its 234 or the client's AUTH (S15, S16). */
  #upgrade(reply: Reply): void {
    if (!this.#client.isEmpty || this.#replies.isPartial) {
      const refused = { verb: 'AUTH', reason: 'plaintext_after_auth', code: 421, detail: '' } as const
      this.#outbox.record({ type: 'refusal', ...refused })
      this.#outbox.close('protocol', '421 Plaintext where TLS must begin, closing.')
      return
    }
    this.#outbox.send('client', reply.text)
    this.#data.reset()
    this.#phase = 'pipe'
    this.#outbox.push({ type: 'passThrough' })
  }

  #unsolicited(reply: Reply): void {
    const { code } = reply
    this.#outbox.send('client', reply.text)
    if (code !== 227 && code !== 229 && code !== 421) this.#stray('unsolicited_reply', reply.line)
  }

  #hangUp(): void {
    if (this.#replies.isPartial) this.#stray('server_closed_in_reply', '')
    if (this.#hasSaidGoodbye || this.#upstream.has('QUIT')) this.#outbox.close('quit')
    else if (this.#lastCode === 421) this.#outbox.close('server')
    else this.#outbox.close('server', '421 The server closed the connection.')
  }

  #stray(reason: ProtocolError, detail: string): void {
    this.#outbox.record({ type: 'protocolError', side: 'server', reason, detail })
    this.#strayReplies += 1
    if (this.#strayReplies === MAX_STRAY_REPLIES) {
      this.#outbox.close('protocol', '421 The server talks out of turn.')
    }
  }
}
