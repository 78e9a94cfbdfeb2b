// The beginning of a session whose server depends on what the client says. We greet, answer what needs no server, and hear
// HOST and USER; then the server is asked for, its greeting is swallowed, what it must know is said again, and its answer to
// USER is the first that the client hears of it. Without a policy the server is asked for at once, and all of this is its own.
//
// What real clients say before USER: AUTH TLS, PBSZ, PROT (curl, wget, FileZilla, WinSCP, basic-ftp; answered by
// client-security.ts), FEAT (lftp), HOST (lftp where FEAT has it), OPTS UTF8 ON (ftp.exe of Windows).

import { type Command, parseCommand } from '../ftp/commands.ts'
import type { RefusalReason, UpstreamChoice } from './contract.ts'
import type { Choice, ClientWords, EngineOptions, WelcomePolicy } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { Refusals } from './refusals.ts'
import type { ReplyQueue } from './reply-queue.ts'
import type { Security } from './security.ts'
import { answerAlone } from './welcome-answers.ts'

export interface WelcomeParts {
  readonly options: EngineOptions
  readonly outbox: Outbox
  readonly queue: ReplyQueue
  readonly refusals: Refusals
  readonly security: Security
}

/**
 * `over`: the server speaks for itself, from the beginning or after USER. `connecting`: up to the end of its greeting.
 * `securing`, `replaying`: it is sent what the client said before.
 */
type Phase = 'over' | 'listening' | 'connecting' | 'securing' | 'replaying'

/** A service that says so much before it greets is none. */
const MAX_GREETING_BYTES = 64 * 1024

export class Welcome {
  readonly #parts: WelcomeParts
  readonly #policy: WelcomePolicy | null
  #phase: Phase = 'over'
  #greetingBytes = 0
  #serverName: string | null = null
  #host: string | null = null
  /** Lines that were answered by us and are the server's business. */
  readonly #replays = new Map<string, string>()
  #toldReplays = 0
  #user: Command | null = null
  /** What OPEN or SITE has named. */
  #opened: UpstreamChoice | null = null
  /** Where the session went because of what the client said; null: it had no choice. */
  #to: UpstreamChoice | null = null

  constructor(parts: WelcomeParts) {
    this.#parts = parts
    this.#policy = parts.options.welcome ?? null
    this.#serverName = parts.options.serverName ?? null
  }

  /** We speak with the client in place of a server. */
  get isListening(): boolean {
    return this.#phase === 'listening'
  }

  /** The client's next line waits for a server that is being connected and caught up. */
  get isBusy(): boolean {
    return this.#phase !== 'over' && this.#phase !== 'listening'
  }

  clientArrived(): void {
    const policy = this.#policy
    if (policy === null) {
      this.#parts.outbox.push({ type: 'connectUpstream' })
      return
    }
    const choice = policy.choose({ serverName: this.#earlyServerName(), host: undefined, user: undefined })
    if (choice.type === 'connect') {
      this.#parts.outbox.push({ type: 'connectUpstream', to: choice.to })
    } else if (choice.type === 'refused') {
      this.#refuseArrival(choice)
    } else {
      this.#phase = 'listening'
      this.#parts.outbox.reply('220 Ready.')
    }
  }

  clientSecured(serverName: string | null): void {
    this.#serverName = serverName?.toLowerCase() ?? null
  }

  /** Something of the server's greeting was read. False when it is not for the client. */
  passesGreeting(text: string): boolean {
    this.#greetingBytes += text.length
    if (this.#greetingBytes <= MAX_GREETING_BYTES) return this.#phase === 'over'
    this.#parts.outbox.close('protocol', '421 The server does not speak FTP.')
    return false
  }

  /** The server has greeted, or refused to. */
  greeted(code: number): void {
    if (this.#phase !== 'connecting') return
    const { outbox, security } = this.#parts
    if (code >= 300) {
      outbox.close('upstream', '421 The FTP server takes no session now, try again later.')
    } else if (security.owesServer) {
      this.#phase = 'securing'
      outbox.push({ type: 'secure', side: 'server' })
    } else {
      this.#replay()
    }
  }

  serverSecured(isSecure: boolean): void {
    if (this.#phase !== 'securing') return
    // The client has our word that the channel is safe.
    if (isSecure) this.#replay()
    else this.#parts.outbox.close('upstream', '421 The FTP server does not offer TLS.')
  }

  /** The server's answer to what was said again. */
  replied(verb: string, code: number): void {
    const isUnknownVerb = code === 500 || code === 502
    if (verb === 'HOST' && code >= 400 && !isUnknownVerb && this.#policy?.usesHost !== true) {
      this.#parts.outbox.close('upstream', '421 The FTP server does not know that host.')
      return
    }
    this.#toldReplays += 1
    if (this.#toldReplays === this.#replays.size) this.#logIn()
  }

  /** Whether `answer` would answer this command although there is a server. */
  concerns({ verb }: Command): boolean {
    return this.#phase === 'over' && this.#to !== null && (verb === 'HOST' || verb === 'USER')
  }

  /** Answers what the client says while it has no server, and what would mean another one later. True when it did. */
  answer(command: Command): boolean {
    if (this.#phase === 'listening') this.#answer(command)
    else if (this.concerns(command)) this.#answerLater(command)
    else return false
    return true
  }

  #answer(command: Command): void {
    switch (command.verb) {
      case 'USER':
        this.#named(command)
        break
      case 'HOST':
        this.#hosted(command)
        break
      case 'OPTS':
        this.#opts(command)
        break
      case 'OPEN':
      case 'SITE':
        this.#open(command)
        break
      default:
        answerAlone(command, { ...this.#parts, usesHost: this.#policy?.usesHost === true })
    }
  }

  /** Where the session goes never changes (S33): another user may log in if that is where the server is. */
  #answerLater(command: Command): void {
    if (command.verb === 'HOST') {
      this.#refuse(command, 'host_name', '503 HOST comes before USER.')
      return
    }
    const choice = this.#choose(command.argument)
    if (choice?.type === 'connect' && keyOf(choice.to) === keyOf(this.#to))
      this.#tellUser(command, choice.user)
    else this.#refuse(command, 'no_route', '530 This user has another server, connect again.')
  }

  #named(command: Command): void {
    const { serverName, host } = { serverName: this.#serverName, host: this.#host }
    if (serverName !== null && host !== null && serverName !== host) {
      this.#refuse(command, 'host_name', '530 TLS and HOST name different hosts.')
      return
    }
    const choice = this.#choose(command.argument)
    if (choice?.type === 'refused') {
      this.#refuse(command, choice.reason, choice.text)
    } else if (choice?.type === 'connect') {
      this.#user = choice.user === undefined ? command : parseCommand(`USER ${choice.user}`)
      this.#to = choice.to
      this.#phase = 'connecting'
      this.#parts.outbox.push({ type: 'connectUpstream', to: choice.to })
    } else {
      throw new Error('a client has said everything, and its server is still not known')
    }
  }

  #choose(user: string): Choice | null {
    // A server that is known needs no further name: what stands behind an @ may be the user's.
    const to = this.#opened ?? (this.#policy?.open === null ? null : this.#toWithout(user))
    if (to !== null) return { type: 'connect', to }
    return this.#policy?.choose({ serverName: this.#serverName, host: this.#host, user }) ?? null
  }

  /** The server that the session has, for a user without one. */
  #toWithout(user: string): UpstreamChoice | null {
    return user.includes('@') ? null : this.#to
  }

  /** What FileZilla and lftp say to FTP proxies of the types OPEN and SITE. */
  #open(command: Command): void {
    const choice = this.#policy?.open?.(command.argument) ?? null
    if (choice?.type === 'connect') {
      this.#opened = choice.to
      this.#parts.outbox.reply('220 Who is it?')
    } else if (choice?.type === 'refused') {
      this.#refuse(command, choice.reason, choice.text)
    } else {
      this.#refuse(command, 'login_required', '530 Please log in first.')
    }
  }

  /** @see RFC 7151 §3 */
  #hosted(command: Command): void {
    const host = hostOf(command.argument)
    if (host === null) {
      this.#refuse(command, 'syntax', '501 HOST needs the name of a host.')
      return
    }
    const isOther = this.#serverName !== null && this.#serverName !== host
    const words: ClientWords = { serverName: this.#serverName, host, user: undefined }
    const isNowhere = !isOther && this.#policy?.choose(words).type === 'refused'
    if (isOther || isNowhere) {
      const text = isOther ? '504 TLS was asked for another host.' : '504 Unknown host.'
      this.#refuse(command, 'host_name', text)
      return
    }
    this.#host = host
    this.#replays.set('HOST', command.line)
    this.#parts.outbox.reply('220 Host noted.')
  }

  #opts(command: Command): void {
    if (!/^ *UTF-?8( +ON)? *$/i.test(command.argument)) {
      this.#refuse(command, 'login_required', '530 Please log in first.')
      return
    }
    this.#replays.set('OPTS', command.line)
    this.#parts.outbox.reply('200 UTF8 noted.')
  }

  #replay(): void {
    this.#phase = 'replaying'
    for (const [verb, line] of this.#replays) this.#parts.queue.replay({ verb, line })
    if (this.#replays.size === 0) this.#logIn()
  }

  #logIn(): void {
    this.#phase = 'over'
    if (this.#user !== null) this.#parts.queue.forward(this.#user, { channel: null })
    this.#user = null
  }

  #tellUser(command: Command, user: string | undefined): void {
    this.#parts.queue.forward(user === undefined ? command : parseCommand(`USER ${user}`), { channel: null })
  }

  /** At the arrival: undefined where it may come with AUTH TLS. */
  #earlyServerName(): string | null | undefined {
    const mode = this.#parts.options.tls?.client.mode ?? 'off'
    return mode === 'off' || mode === 'implicit' ? this.#serverName : undefined
  }

  #refuseArrival({ reason, text }: Extract<Choice, { readonly type: 'refused' }>): void {
    const { outbox, options } = this.#parts
    outbox.record({ type: 'refusal', verb: 'OTHER', reason, code: 421, detail: '' })
    // A client that waits for TLS understands nothing else.
    if (options.passthrough === 'implicit') outbox.close('refusals')
    else outbox.close('refusals', `421${text.slice(3)}`)
  }

  #refuse(command: Command, reason: RefusalReason, text: string): void {
    this.#parts.refusals.refuse(command, reason, text)
  }
}

function keyOf(to: UpstreamChoice | null): string | null {
  if (to === null) return null
  return 'route' in to ? to.route : `${to.host} ${to.port}`
}

/** A name in lower case, or an address, which RFC 7151 puts in brackets where it is IPv6. Null for anything else. */
function hostOf(argument: string): string | null {
  const host = argument.trim().toLowerCase()
  return /^([0-9a-z_-]+(\.[0-9a-z_-]+)*\.?|\[[0-9a-f:.]+\])$/.test(host) && host.length <= 255
    ? host.replace(/\.$/, '')
    : null
}
