// Which command does a reply answer? One command is outstanding at a time, except that ABOR, STAT and QUIT may
// follow a transfer that is still running. A reply that answers nothing is text.

import type { Command } from '../ftp/commands.ts'

/** A command that went upstream and has no final reply yet. */
export interface Outstanding {
  readonly verb: string
  /** Null for a command of our own (a conversion's PASV, say). */
  readonly command: Command | null
  /** The reply belongs to the negotiation of a data channel. */
  readonly negotiates: boolean
  readonly transfers: boolean
  /** A 1xx reply was seen. */
  started: boolean
  /** The client has been answered already: what the server says is dropped. */
  isAnswered: boolean
}

/** The queue of commands that wait for their replies; at most four. */
export class Pairing {
  readonly #waiting: Outstanding[] = []

  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** The transfer that waits for its final reply, if one does. */
  get transfer(): Outstanding | null {
    return this.#waiting.find((entry) => entry.transfers) ?? null
  }

  /** One of ABOR, STAT and QUIT follows a transfer already, or did and outlived it. */
  has(verb: string): boolean {
    return this.#waiting.some((entry) => entry.verb === verb)
  }

  add(entry: Omit<Outstanding, 'started' | 'isAnswered'>): void {
    this.#waiting.push({ ...entry, started: false, isAnswered: false })
  }

  /**
   * The command that a reply of this code answers, or null. A final reply (200 and up) removes it.
   *
   * STAT may be answered while the transfer goes on, so it takes the status codes; 221 belongs to QUIT; else the
   * oldest command is meant.
   */
  match(code: number): Outstanding | null {
    let index = 0
    if (this.#waiting.length > 1) {
      const taker = this.#waiting.findIndex((entry) => takes(entry.verb, code))
      if (taker > 0) index = taker
    }
    const entry = this.#waiting[index] ?? null
    if (entry !== null && code >= 200) this.#waiting.splice(index, 1)
    return entry
  }

  /** Gives up waiting for a command's reply. */
  forget(verb: string): void {
    const index = this.#waiting.findIndex((entry) => entry.verb === verb)
    if (index >= 0) this.#waiting.splice(index, 1)
  }
}

function takes(verb: string, code: number): boolean {
  switch (verb) {
    case 'STAT':
      return (code >= 211 && code <= 213) || (code >= 500 && code <= 504)
    case 'QUIT':
      return code === 221
    default:
      return false
  }
}
