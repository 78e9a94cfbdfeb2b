// The server's half of the control channel: its replies, what each of them answers, what they change.

import { assertNever } from '../errors.ts'
import type { Command } from '../ftp/commands.ts'
import { type Reply, ReplyGrouper } from '../ftp/replies.ts'
import { TelnetFilter } from '../ftp/telnet.ts'
import type { CloseReason, ProtocolError } from './contract.ts'
import type { DataSide } from './data-side.ts'
import { editFeatures } from './features.ts'
import type { Login } from './login.ts'
import type { Outbox } from './outbox.ts'
import { type Outstanding, Pairing } from './pairing.ts'

export interface ServerSideOptions {
  readonly outbox: Outbox
  readonly login: Login
  readonly data: DataSide
  readonly keepTls: boolean
  /** A command of the client may be waiting for the reply that was just handled. */
  readonly proceed: () => void
  /** The server accepted AUTH; the reply has not been passed on. */
  readonly upgrade: (reply: Reply) => void
  readonly close: (reason: CloseReason, reply?: string) => void
}

/** `pipe` and `closed`: nothing is read any more. */
export type ServerPhase = 'greeting' | 'talking' | 'pipe' | 'closed'

const MAX_STRAY_REPLIES = 100

export class ServerSide {
  readonly #options: ServerSideOptions
  readonly #replies = new ReplyGrouper()
  readonly #telnet = new TelnetFilter()
  readonly #pairing = new Pairing()
  #phase: ServerPhase = 'greeting'
  #strayReplies = 0
  #lastCode = 0

  constructor(options: ServerSideOptions) {
    this.#options = options
  }

  get hasGreeted(): boolean {
    return this.#phase !== 'greeting'
  }

  /** No command waits for its reply. */
  get isReady(): boolean {
    return this.#phase === 'talking' && this.#pairing.isEmpty
  }

  /** The transfer command that waits for its final reply, or null. */
  get transfer(): Outstanding | null {
    return this.#pairing.transfer
  }

  /** A transfer runs, and no ABOR or QUIT is under way that everything else must wait for. */
  get maybeOvertaken(): boolean {
    return this.#pairing.transfer !== null && !this.#pairing.has('ABOR') && !this.#pairing.has('QUIT')
  }

  /** Bytes of an unfinished reply are there. */
  get isPartial(): boolean {
    return this.#replies.isPartial
  }

  /** Sends a client's command upstream. */
  forward(command: Command): void {
    const transfers = command.traits?.transfer !== undefined
    this.#pairing.add({ verb: command.verb, command, negotiates: false, transfers })
    this.#options.outbox.send('server', `${command.line}\r\n`)
    if (transfers) this.#options.data.transferRequested()
  }

  /** Sends a command of our own, whose reply belongs to the negotiation of a data channel. */
  ask(verb: string, line: string): void {
    this.#pairing.add({ verb, command: null, negotiates: true, transfers: false })
    this.#options.outbox.send('server', `${line}\r\n`)
  }

  received(text: string): void {
    const clean = this.#telnet.push(text)
    if (clean.answer !== '') this.#options.outbox.send('server', clean.answer)
    this.#replies.push(clean.text)
    while (this.#phase === 'greeting' || this.#phase === 'talking') {
      const result = this.#replies.next()
      if (result === null) return
      switch (result.type) {
        case 'reply':
          this.#replied(result.reply)
          this.#options.proceed()
          break
        case 'stray':
          this.#stray('bad_reply', result.line)
          if (this.#phase === 'greeting')
            this.#options.close('protocol', '421 The server does not speak FTP.')
          else this.#options.outbox.send('client', `${result.line}\r\n`)
          break
        case 'tooLong':
          this.#stray('reply_too_long', '')
          this.#options.close('protocol', '421 The server sent an endless reply.')
          break
        default:
          assertNever(result)
      }
    }
  }

  ended(): void {
    const { close } = this.#options
    if (this.#replies.isPartial) this.#stray('server_closed_in_reply', '')
    if (this.#lastCode === 221) close('quit')
    else if (this.#lastCode === 421) close('server')
    else close('server', '421 The server closed the connection.')
  }

  /** The reply to an ABOR does not come: some servers send one reply where two are due. */
  abortOverdue(): void {
    this.#pairing.forget('ABOR')
    this.#options.data.aborted()
  }

  stop(phase: 'pipe' | 'closed'): void {
    this.#phase = phase
  }

  #replied(reply: Reply): void {
    const { outbox, data } = this.#options
    outbox.record({ type: 'reply', code: reply.code, line: reply.line })
    this.#lastCode = reply.code
    if (this.#phase === 'greeting') {
      // 120 announces a delay; anything final ends the greeting, 220 or not.
      if (reply.code >= 200) this.#phase = 'talking'
      outbox.send('client', reply.text)
      return
    }
    const entry = this.#pairing.match(reply.code)
    if (entry === null) {
      if (reply.code === 227 || reply.code === 229) this.#stray('unsolicited_endpoint', reply.line)
      else if (reply.code !== 421) this.#stray('unsolicited_reply', reply.line)
      outbox.send('client', reply.text)
    } else if (entry.negotiates) {
      if (reply.code >= 200) data.replied(reply)
    } else if (entry.transfers) {
      this.#transferReplied(entry, reply)
    } else {
      this.#plainReplied(entry, reply)
    }
  }

  #transferReplied(entry: Outstanding, reply: Reply): void {
    const { outbox, data } = this.#options
    if (reply.code >= 200 && entry.command !== null) {
      const path = entry.command.argument
      outbox.record({
        type: 'transfer',
        verb: entry.verb,
        path,
        code: reply.code,
        channel: data.currentChannel,
      })
      if (this.#pairing.has('ABOR')) outbox.push({ type: 'setTimer', timer: 'abort' })
    }
    data.transferReplied(reply, { isAnswered: entry.isAnswered })
  }

  #plainReplied({ verb, command }: Outstanding, reply: Reply): void {
    const { outbox, data, login, keepTls, upgrade, close } = this.#options
    const isFinal = reply.code >= 200
    if (isFinal && verb === 'AUTH' && reply.code === 234) {
      upgrade(reply)
      return
    }
    if (isFinal && command !== null) login.replied(command, reply.code)
    if (isFinal && verb === 'REIN' && reply.code < 400) data.reset()
    if (isFinal && verb === 'ABOR') {
      outbox.push({ type: 'clearTimer', timer: 'abort' })
      if (this.#pairing.transfer === null) data.aborted()
    }
    outbox.send('client', verb === 'FEAT' ? editFeatures(reply, { keepTls }) : reply.text)
    if (verb === 'QUIT' && isFinal && reply.code < 400 && this.#pairing.transfer === null) close('quit')
  }

  #stray(reason: ProtocolError, detail: string): void {
    this.#options.outbox.record({ type: 'protocolError', side: 'server', reason, detail })
    this.#strayReplies += 1
    if (this.#strayReplies === MAX_STRAY_REPLIES) {
      this.#options.close('protocol', '421 The server talks out of turn.')
    }
  }
}
