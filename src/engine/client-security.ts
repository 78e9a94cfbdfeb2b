// TLS as a client asks for it: AUTH, PBSZ, PROT and what may be said before and after them. RFC 4217 on RFC 2228; where
// they leave a choice, or practice has moved on, the comment says so.

import type { Command } from '../ftp/commands.ts'
import type { RefusalReason } from './contract.ts'
import type { Login } from './login.ts'
import type { ClientTlsPolicy } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { Refusals } from './refusals.ts'

export interface ClientSecurityParts {
  readonly policy: ClientTlsPolicy
  readonly outbox: Outbox
  readonly refusals: Refusals
  readonly login: Login
  /** The server is here, and to be secured first, as the client is. */
  readonly isServerFollowing: () => boolean
}

/** `following`: the server is being secured, then the client will be. `cleared`: it was secure until CCC. */
type State = 'clear' | 'following' | 'secure' | 'cleared'

export class ClientSecurity {
  readonly #parts: ClientSecurityParts
  #state: State
  #hasPbsz: boolean
  #isPrivate: boolean
  #auth: Command | null = null

  constructor(parts: ClientSecurityParts) {
    this.#parts = parts
    const isImplicit = parts.policy.mode === 'implicit'
    this.#state = isImplicit ? 'secure' : 'clear'
    // On an implicit port PBSZ 0 and PROT P are taken as said, as all servers do.
    this.#hasPbsz = isImplicit
    this.#isPrivate = isImplicit && parts.policy.dataProtection !== 'never'
  }

  get isSecure(): boolean {
    return this.#state === 'secure'
  }

  /** The next line waits until the server is secure. */
  get isBusy(): boolean {
    return this.#state === 'following'
  }

  /** PROT P is in force. */
  get isDataPrivate(): boolean {
    return this.#isPrivate
  }

  /** What FEAT adds. */
  get features(): readonly string[] {
    const { mode, ccc } = this.#parts.policy
    return [
      ...(mode === 'implicit' ? [] : ['AUTH TLS']),
      'PBSZ',
      'PROT',
      ...(ccc === 'allow' && mode !== 'off' ? ['CCC'] : []),
    ]
  }

  /** Whether `answer` would answer this command, so that it never reaches the server. */
  concerns(command: Command): boolean {
    return this.#isTooEarly(command) || ours.has(command.verb) || this.#needsProtection(command)
  }

  /** Answers what is about security, and what must not be said without it. True when it did. */
  answer(command: Command, { hasMore }: { readonly hasMore: boolean }): boolean {
    if (this.#isTooEarly(command)) {
      const first = this.#state === 'cleared' ? 'Log in before CCC' : 'Use AUTH TLS first'
      this.#refuse(command, 'tls_required', `530 ${first}.`)
    } else if (this.#needsProtection(command)) {
      this.#refuse(command, 'prot_required', '521 Data connections need PROT P.')
    } else if (ours.has(command.verb)) {
      this.#answerOurs(command, hasMore)
    } else {
      return false
    }
    return true
  }

  /** The server is secure: now the client. */
  serverSecured(): void {
    if (this.#state === 'following') this.#accept()
  }

  /** The server has no TLS, and it is to be as the client: both stay clear, where that is allowed. */
  serverRefused(): void {
    const { policy, outbox } = this.#parts
    if (this.#state !== 'following') return
    this.#state = 'clear'
    if (policy.mode === 'optional' && this.#auth !== null) {
      this.#refuse(this.#auth, 'auth_mechanism', '502 The server does not offer TLS.')
    } else {
      outbox.close('upstream', '421 The server does not offer TLS.')
    }
  }

  #answerOurs(command: Command, hasMore: boolean): void {
    if (this.#parts.policy.mode === 'off' && command.verb !== 'REIN') {
      this.#refuse(command, 'auth', `502 ${command.verb} is not supported.`)
      return
    }
    switch (command.verb) {
      case 'AUTH':
        this.#begin(command, hasMore)
        break
      case 'PBSZ':
        this.#pbsz(command)
        break
      case 'PROT':
        this.#prot(command)
        break
      case 'CCC':
        this.#clear(command, hasMore)
        break
      case 'REIN':
        // It would end TLS on one side at a time; clients that mean it reconnect.
        this.#refuse(command, 'rein', '502 REIN is not supported with TLS.')
        break
      default:
        this.#refuse(command, 'auth_mechanism', '503 No security data is exchanged with TLS.')
    }
  }

  #begin(command: Command, hasMore: boolean): void {
    const { policy, outbox, login, isServerFollowing } = this.#parts
    const mechanism = command.argument.trim().toUpperCase()
    if (this.#state !== 'clear') {
      this.#refuse(command, 'auth_twice', '503 TLS is in use already.')
    } else if (!mechanisms.has(mechanism)) {
      this.#refuse(command, 'auth_mechanism', '504 Use AUTH TLS.')
    } else if (login.isLoggedIn || login.hasBegun) {
      // RFC 2228 would have the login start over; the server's state is not ours to undo.
      this.#refuse(command, 'auth_after_user', '503 AUTH comes before USER.')
    } else if (hasMore) {
      // What stands behind AUTH may come from anybody on the way (CVE-2011-1575 and its kin).
      this.#refuse(command, 'plaintext_after_auth', '421 Plaintext where TLS must begin, closing.')
      outbox.close('protocol')
    } else {
      this.#auth = command
      // RFC 4217 has it that AUTH SSL and TLS-P imply PROT P.
      if (mechanism !== 'TLS' && mechanism !== 'TLS-C') {
        this.#hasPbsz = true
        this.#isPrivate = policy.dataProtection !== 'never'
      }
      if (!isServerFollowing()) {
        this.#accept()
        return
      }
      this.#state = 'following'
      outbox.push({ type: 'secure', side: 'server' })
    }
  }

  /** What stands behind CCC was encrypted, or was not: the two cannot be told apart (RFC 4217 §9). */
  #clear(command: Command, hasMore: boolean): void {
    const { policy, outbox, login } = this.#parts
    if (this.#state !== 'secure') {
      this.#refuse(command, 'ccc', '533 There is nothing to clear.')
    } else if (policy.ccc === 'refuse' || !login.isLoggedIn) {
      this.#refuse(command, 'ccc', policy.ccc === 'refuse' ? '534 CCC is not allowed.' : '534 Log in first.')
    } else if (hasMore) {
      this.#refuse(command, 'ccc', '421 Nothing may follow CCC before its reply, closing.')
      outbox.close('protocol')
    } else {
      outbox.reply('200 The control connection goes on in clear.')
      outbox.push({ type: 'clear' })
      this.#state = 'cleared'
    }
  }

  #accept(): void {
    const { outbox } = this.#parts
    outbox.reply('234 Proceed with the TLS handshake.')
    outbox.push({ type: 'secure', side: 'client' })
    this.#state = 'secure'
  }

  #pbsz(command: Command): void {
    if (this.#state !== 'secure') {
      this.#refuse(command, 'prot_level', '503 AUTH TLS comes before PBSZ.')
      return
    }
    this.#hasPbsz = true
    this.#parts.outbox.reply('200 PBSZ=0')
  }

  #prot(command: Command): void {
    const { policy, outbox } = this.#parts
    const level = command.argument.trim().toUpperCase()
    if (this.#state === 'cleared') {
      // What is in clear may come from anyone on the way.
      this.#refuse(command, 'prot_level', '503 PROT comes before CCC.')
    } else if (this.#state !== 'secure' || !this.#hasPbsz) {
      this.#refuse(command, 'prot_level', '503 AUTH TLS and PBSZ come before PROT.')
    } else if (level === 'S' || level === 'E') {
      this.#refuse(command, 'prot_level', '536 TLS protects with P or C.')
    } else if (level !== 'P' && level !== 'C') {
      this.#refuse(command, 'prot_level', '504 Use PROT P or PROT C.')
    } else if (level === 'P' && policy.dataProtection === 'never') {
      this.#refuse(command, 'prot_level', '534 Data connections are not encrypted here.')
    } else if (level === 'C' && policy.dataProtection === 'required') {
      this.#refuse(command, 'prot_level', '534 Data connections must be encrypted here.')
    } else {
      this.#isPrivate = level === 'P'
      outbox.reply(`200 PROT ${level} it is.`)
    }
  }

  /** With TLS required nothing but the way to it is open before. */
  #isTooEarly({ verb }: Command): boolean {
    const { mode } = this.#parts.policy
    if (this.#state === 'cleared') return mode !== 'optional' && credentials.has(verb)
    return mode === 'required' && this.#state !== 'secure' && !beforeTls.has(verb)
  }

  #needsProtection({ verb, traits }: Command): boolean {
    const { policy } = this.#parts
    if (policy.dataProtection !== 'required' || this.#isPrivate) return false
    return traits?.transfer !== undefined || dataVerbs.has(verb)
  }

  #refuse(command: Command, reason: RefusalReason, text: string): void {
    this.#parts.refusals.refuse(command, reason, text)
  }
}

const ours: ReadonlySet<string> = new Set('AUTH PBSZ PROT CCC REIN ADAT MIC CONF ENC'.split(' '))
const beforeTls: ReadonlySet<string> = new Set(
  'AUTH PBSZ PROT CCC FEAT HELP HOST NOOP OPTS QUIT SYST'.split(' '),
)
const credentials: ReadonlySet<string> = new Set(['USER', 'PASS', 'ACCT'])
const dataVerbs: ReadonlySet<string> = new Set('PASV EPSV PORT EPRT'.split(' '))
const mechanisms: ReadonlySet<string> = new Set(['TLS', 'TLS-C', 'SSL', 'TLS-P'])
