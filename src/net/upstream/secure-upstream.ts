// From a TCP connection to a server to one that is secure: before the engine hears of it, so that nothing of a session can be
// said in clear.

import { ReplyLines } from '../../ftp/replies.ts'
import type { TlsProblem } from '../../kernel/openssl-failure.ts'
import type { Connection } from '../../tcp/connection.ts'
import type { ServerTls } from '../../tls/server-session.ts'

export interface SecureUpstreamCall {
  readonly connection: Connection
  readonly tls: Pick<ServerTls, 'secureControl'>
  /** `implicit`: TLS from the first byte. `explicit`: greeting, AUTH TLS, TLS. `talking`: the same after the greeting. */
  readonly how: 'implicit' | 'explicit' | 'talking'
}

/** `refused`: the server has no TLS, and the connection is still good. Otherwise it is closed. */
export type SecureUpstreamResult =
  | { readonly type: 'secure'; readonly connection: Connection; readonly greeting: string }
  | {
      readonly type: 'refused'
      readonly connection: Connection
      readonly greeting: string
      readonly reply: string
    }
  | { readonly type: 'failed'; readonly problem: TlsProblem }

export interface Securing {
  /** No callback is called any more, and the connection is closed. */
  cancel(): void
}

/** A server that says so much before TLS begins is none. */
const MAX_CLEAR_BYTES = 16 * 1024

/** Calls back once. Times are the caller's: it may cancel. */
export function secureUpstream(
  call: SecureUpstreamCall,
  done: (result: SecureUpstreamResult) => void,
): Securing {
  const attempt = new Attempt(call, done)
  attempt.start()
  return attempt
}

class Attempt implements Securing {
  readonly #call: SecureUpstreamCall
  readonly #done: (result: SecureUpstreamResult) => void
  readonly #lines = new ReplyLines()
  #connection: Connection
  /** The reply under way, and what stood before it, as it came. */
  #text = ''
  #clearBytes = 0
  #greeting = ''
  #awaits: 'greeting' | 'auth' | 'tls' = 'greeting'
  #isOver = false

  constructor(call: SecureUpstreamCall, done: (result: SecureUpstreamResult) => void) {
    this.#call = call
    this.#done = done
    this.#connection = call.connection
  }

  start(): void {
    const { how } = this.#call
    if (how === 'implicit') {
      this.#shake()
      return
    }
    this.#connection.start({
      received: (bytes, byteCount) => {
        this.#received(bytes.toString('latin1', 0, byteCount))
        return true
      },
      ended: () => this.#fail(HUNG_UP),
      drained: () => undefined,
      closed: () => this.#fail(HUNG_UP),
    })
    if (how === 'talking') this.#sayAuth()
  }

  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#connection.destroy()
  }

  #received(text: string): void {
    if (this.#isOver || this.#awaits === 'tls') return
    this.#clearBytes += text.length
    if (this.#clearBytes > MAX_CLEAR_BYTES) {
      this.#fail({ reason: 'not_tls', detail: 'the server talks and talks before TLS' })
      return
    }
    this.#lines.push(text)
    for (let reply = this.#nextReply(); reply !== null; reply = this.#nextReply()) {
      if (this.#awaits === 'greeting') this.#greeted(reply)
      else this.#answered(reply)
      if (this.#isOver || this.#awaits !== 'greeting') return
    }
  }

  /** The next whole reply with whatever stands before it; null when none is complete. */
  #nextReply(): ClearReply | null {
    for (let part = this.#lines.next(); part !== null; part = this.#lines.next()) {
      if (part.type === 'fragment') continue
      this.#text += part.rest
      if (part.place !== 'only' && part.place !== 'last') continue
      const reply = { code: part.code, text: this.#text }
      this.#text = ''
      return reply
    }
    const answer = this.#lines.takeAnswer()
    if (answer !== '') this.#connection.write(answer)
    return null
  }

  #greeted({ code, text }: ClearReply): void {
    this.#greeting += text
    // 120 announces a delay.
    if (code < 200) return
    if (code >= 300) this.#fail({ reason: 'closed', detail: `the server greets with ${text.trim()}` })
    else this.#sayAuth()
  }

  #sayAuth(): void {
    if (this.#lines.isPartial) {
      this.#fail(PLAINTEXT)
      return
    }
    this.#awaits = 'auth'
    this.#connection.write('AUTH TLS\r\n')
  }

  #answered({ code, text }: ClearReply): void {
    // Whoever speaks between here and TLS is not the server (S16).
    if (this.#lines.isPartial) {
      this.#fail(PLAINTEXT)
    } else if (code === 234 || code === 334) {
      this.#shake()
    } else {
      this.#isOver = true
      this.#done({ type: 'refused', connection: this.#connection, greeting: this.#greeting, reply: text })
    }
  }

  #shake(): void {
    this.#awaits = 'tls'
    this.#connection = this.#call.tls.secureControl(this.#connection, (problem) => {
      if (problem !== null) {
        this.#fail(problem)
      } else if (!this.#isOver) {
        this.#isOver = true
        this.#done({ type: 'secure', connection: this.#connection, greeting: this.#greeting })
      }
    })
  }

  #fail(problem: TlsProblem): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#connection.destroy()
    this.#done({ type: 'failed', problem })
  }
}

interface ClearReply {
  readonly code: number
  /** With its line ends. */
  readonly text: string
}

const HUNG_UP: TlsProblem = { reason: 'closed', detail: 'the server closed the connection before TLS' }
const PLAINTEXT: TlsProblem = { reason: 'not_tls', detail: 'the server spoke in clear where TLS must begin' }
