// What the final reply to a command that moves no data changes: the negotiation, the login, the session itself.

import { replyWithoutEndpoints } from '../ftp/harmless.ts'
import type { Abort } from './abort.ts'
import type { DataSide } from './data-side.ts'
import { editFeatures } from './features.ts'
import type { Login } from './login.ts'
import type { EngineOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { Reply } from './reply.ts'
import type { Outstanding, ReplyQueue } from './reply-queue.ts'
import type { Security } from './security.ts'
import type { Strays } from './strays.ts'
import type { Welcome } from './welcome.ts'

export interface FinalRepliesParts {
  readonly options: EngineOptions
  readonly outbox: Outbox
  readonly login: Login
  readonly queue: ReplyQueue
  readonly data: DataSide
  readonly abort: Abort
  readonly strays: Strays
  readonly security: Security
  readonly welcome: Welcome
}

export class FinalReplies {
  readonly #parts: FinalRepliesParts
  #hasSaidGoodbye = false
  /** The code of a reply that could not answer what is outstanding, until nothing is; or 0. */
  #astray = 0

  constructor(parts: FinalRepliesParts) {
    this.#parts = parts
  }

  /** QUIT was answered: nothing more will be asked. */
  get hasSaidGoodbye(): boolean {
    return this.#hasSaidGoodbye
  }

  /** A command may have been answered with a code that is none for it: silence tells. */
  get isInDoubt(): boolean {
    return this.#astray !== 0 && this.#parts.queue.firstCommand !== null
  }

  /** A final reply went to the client that answers nothing. */
  wentAstray(code: number): void {
    this.#astray = code
  }

  /** Nothing follows the reply that went astray, so it was the answer, and the client has heard it. */
  silent(): void {
    const { queue, data, abort } = this.#parts
    const entry = queue.firstCommand
    const code = this.#astray
    this.#astray = 0
    if (code === 0 || entry === null) return
    queue.done(entry)
    if (entry.purpose === 'negotiation') data.repliedAstray(code)
    else if (entry.verb === 'ABOR') abort.answered()
  }

  /** Every line of `reply` with its end where we own it, else an empty text: it has been passed on. */
  take(entry: Outstanding, reply: Reply): void {
    const { queue, abort, data, login, strays, outbox } = this.#parts
    queue.done(entry)
    // While commands wait, this may as well be the answer to a later one than it was taken for.
    if (queue.isEmpty) this.#astray = 0
    if (entry.verb === 'ABOR') abort.answered()
    else if (entry.verb !== 'STAT') abort.otherAnswered()
    if (entry.purpose === 'negotiation') {
      data.replied(reply)
    } else if (entry.purpose === 'alg' && reply.code !== 200) {
      strays.record('bad_reply', reply.line)
      outbox.close('protocol', '421 The server is out of step.')
    } else if (entry.purpose === 'replay') {
      this.#parts.welcome.replied(entry.verb, reply.code)
    } else if (entry.command !== null) {
      login.replied(entry.command, reply.code)
      this.#answered(entry.verb, reply)
    }
  }

  #answered(verb: string, reply: Reply): void {
    const { outbox, data, options, security } = this.#parts
    switch (verb) {
      case 'AUTH':
        // What agrees to TLS is passed on by whoever makes the pipe.
        if (reply.code >= 300) outbox.send('client', replyWithoutEndpoints(reply.text))
        break
      case 'FEAT': {
        const keepTls = options.passthrough === 'explicit' && security.client === null
        const tls = security.client?.features ?? []
        const features = editFeatures(reply, { keepTls, tls, translates: !data.isFaithful })
        outbox.send('client', replyWithoutEndpoints(features))
        break
      }
      case 'USER':
        security.server?.forget()
        break
      case 'REIN':
        if (reply.code < 400) data.reset()
        break
      case 'EPSV':
        if (reply.code === 200) data.onlyEpsvAllowed()
        break
      case 'QUIT':
        if (reply.code < 400) this.#hasSaidGoodbye = true
        break
    }
  }
}
