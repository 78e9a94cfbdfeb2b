// PBSZ and PROT towards a server with TLS: asked before the first data channel that needs them, not at the beginning, since
// some servers want a login before, and sessions without data save two round trips.

import type { ServerTlsPolicy } from './manner.ts'
import type { Reply } from './reply.ts'
import type { ReplyQueue } from './reply-queue.ts'

type Level = 'C' | 'P'

/** What follows the server's answer. */
interface Outcome {
  readonly ready: () => void
  readonly refused: () => void
}

export class ServerProtection {
  readonly #policy: ServerTlsPolicy
  readonly #queue: ReplyQueue
  #isSecure = false
  #level: Level = 'C'
  #hasPbsz = false
  #asked: { readonly wanted: Level; readonly outcome: Outcome } | null = null

  constructor(policy: ServerTlsPolicy, queue: ReplyQueue) {
    this.#policy = policy
    this.#queue = queue
  }

  /** The control connection is encrypted. */
  secured(): void {
    this.#isSecure = true
  }

  /** The login changed: servers may have forgotten. */
  forget(): void {
    this.#hasPbsz = false
    this.#level = 'C'
  }

  /** PROT P is in force with the server. */
  get isPrivate(): boolean {
    return this.#isSecure && this.#level === 'P'
  }

  /** The server is being asked. */
  get isAsking(): boolean {
    return this.#asked !== null
  }

  /** Asks the server for what the next data connection needs, and goes on then; false when nothing has to be asked. */
  ask({ isClientPrivate }: { readonly isClientPrivate: boolean }, outcome: Outcome): boolean {
    const wanted = this.#wanted(isClientPrivate)
    if (!this.#isSecure || wanted === this.#level) return false
    this.#asked = { wanted, outcome }
    if (this.#hasPbsz) this.#askProt(wanted)
    else this.#queue.ask({ verb: 'PBSZ', line: 'PBSZ 0' })
    return true
  }

  replied({ code }: Reply): void {
    const asked = this.#asked
    if (asked === null) return
    const { wanted, outcome } = asked
    if (!this.#hasPbsz) {
      // Whatever it says of PBSZ, what counts is PROT.
      this.#hasPbsz = true
      this.#askProt(wanted)
      return
    }
    this.#asked = null
    // Where TLS is implicit P is implied too, and some servers then know no PROT (MS-FTPS §3.1.5).
    const isImplied = this.#policy.isImplicit && wanted === 'P' && code !== 534
    if (code >= 300 && !isImplied) {
      outcome.refused()
      return
    }
    this.#level = wanted
    outcome.ready()
  }

  #wanted(isClientPrivate: boolean): Level {
    switch (this.#policy.dataProtection) {
      case 'required':
        return 'P'
      case 'never':
        return 'C'
      default:
        return isClientPrivate ? 'P' : 'C'
    }
  }

  #askProt(level: Level): void {
    this.#queue.ask({ verb: 'PROT', line: `PROT ${level}` })
  }
}
