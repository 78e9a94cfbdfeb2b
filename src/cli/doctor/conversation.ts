// A client's half of a control channel, one command after another.

import { ReplyLines } from '../../ftp/replies.ts'
import type { Connection } from '../../tcp/connection.ts'

export interface Reply {
  readonly code: number
  /** The last line, without its end. */
  readonly text: string
}

/** Takes the connection over; what has arrived on it is read from its beginning. */
export class Conversation {
  readonly #connection: Connection
  readonly #lines = new ReplyLines()
  readonly #replies: Reply[] = []
  #ended: Error | null = null
  #wake: (() => void) | null = null

  constructor(connection: Connection) {
    this.#connection = connection
    const end = (error: Error | null) => {
      this.#ended ??= error ?? new Error('the server closed the connection')
      this.#wake?.()
    }
    connection.start({
      received: (bytes, byteCount) => {
        this.#read(bytes.toString('latin1', 0, byteCount))
        return true
      },
      ended: () => end(null),
      drained: () => undefined,
      closed: end,
    })
  }

  /** The next reply that is not 1xx. Rejects when the server ends the connection before it. */
  async reply(): Promise<Reply> {
    for (;;) {
      const reply = this.#replies.shift()
      if (reply !== undefined) return reply
      if (this.#ended !== null) throw this.#ended
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  ask(line: string): Promise<Reply> {
    this.#connection.write(`${line}\r\n`)
    return this.reply()
  }

  #read(text: string): void {
    this.#lines.push(text)
    for (let part = this.#lines.next(); part !== null; part = this.#lines.next()) {
      if (part.type === 'fragment' || (part.place !== 'only' && part.place !== 'last')) continue
      if (part.code >= 200) this.#replies.push({ code: part.code, text: part.text })
    }
    const answer = this.#lines.takeAnswer()
    if (answer !== '') this.#connection.write(answer)
    this.#wake?.()
  }
}
