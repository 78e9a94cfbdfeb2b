import type { Command } from '../ftp/commands.ts'
import type { Outbox } from './outbox.ts'

/** Who is logged in, as far as the server's replies tell. */
export class Login {
  readonly #outbox: Outbox
  /** Whose password comes next; empty once logged in. */
  #user = ''
  #isLoggedIn = false

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  get isLoggedIn(): boolean {
    return this.#isLoggedIn
  }

  /**
   * Follows the final reply to USER, PASS, ACCT and REIN.
   *
   * 230 and 232 log in; 202 says that a password was superfluous; 331 and 332 ask for more, so a second USER ends
   * the first login.
   */
  replied({ verb, argument }: Command, code: number): void {
    switch (verb) {
      case 'USER':
        this.#user = argument
        if (code === 331 || code === 332) this.#change(false)
        break
      case 'PASS':
      case 'ACCT':
        break
      case 'REIN':
        if (code < 400) this.#change(false)
        return
      default:
        return
    }
    if (code === 230 || code === 232 || (code === 202 && verb !== 'USER')) {
      this.#outbox.record({ type: 'login', user: this.#user, accepted: true, code })
      this.#user = ''
      this.#change(true)
    } else if (code >= 400 && this.#user !== '') {
      this.#outbox.record({ type: 'login', user: this.#user, accepted: false, code })
    }
  }

  #change(loggedIn: boolean): void {
    if (loggedIn === this.#isLoggedIn) return
    this.#isLoggedIn = loggedIn
    this.#outbox.push({ type: 'loginChanged', loggedIn })
  }
}
