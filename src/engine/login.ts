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

  /** A user was named, and is not logged in yet. */
  get hasBegun(): boolean {
    return this.#user !== ''
  }

  /**
   * Follows the final reply to USER, PASS, ACCT and REIN.
   *
   * A password after the login changes nothing, whatever the server says to it.
   *
   * Any 2xx logs in: 230, 232, 202 for a superfluous password, and 200 or 220 of some devices. 331 and 332 ask for
   * more, so a second USER ends the first login.
   */
  replied({ verb, argument }: Command, code: number): void {
    switch (verb) {
      case 'USER':
        this.#user = argument
        if (code >= 300 && code < 400) this.#change(false)
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
    if (this.#isLoggedIn && this.#user === '') return
    if (code >= 200 && code < 300) {
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
