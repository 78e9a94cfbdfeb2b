// TLS of a session on both sides, which are independent of each other.

import type { Command } from '../ftp/commands.ts'
import { ClientSecurity } from './client-security.ts'
import type { UpstreamFailure } from './contract.ts'
import type { Login } from './login.ts'
import type { ServerTlsPolicy } from './manner.ts'
import type { EngineOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import { type Refusals, reportFailure } from './refusals.ts'
import type { ReplyQueue } from './reply-queue.ts'
import { ServerProtection } from './server-protection.ts'

export interface SecurityParts {
  readonly options: EngineOptions
  readonly outbox: Outbox
  readonly queue: ReplyQueue
  readonly refusals: Refusals
  readonly login: Login
  /** The client talks with us alone. */
  readonly isServerAbsent: () => boolean
}

/** Which legs of a data channel are encrypted. */
export interface Protection {
  readonly isClientPrivate: boolean
  readonly isServerPrivate: boolean
}

export class Security {
  /** Null where neither side has TLS: then AUTH and its kin are as they ever were. */
  readonly client: ClientSecurity | null
  #server: ServerProtection | null = null
  /** The server gets TLS once the client has it. */
  #isFollowing = false
  readonly #outbox: Outbox
  readonly #queue: ReplyQueue

  constructor({ options, outbox, queue, refusals, login, isServerAbsent }: SecurityParts) {
    const { client = null, server = null } = options.tls ?? {}
    const isServerFollowing = () => this.#isFollowing && !isServerAbsent()
    this.#outbox = outbox
    this.#queue = queue
    this.client =
      client === null
        ? null
        : new ClientSecurity({ policy: client, outbox, refusals, login, isServerFollowing })
    this.towards(server)
  }

  get server(): ServerProtection | null {
    return this.#server
  }

  /** The server has yet to be secured, because the client is. */
  get owesServer(): boolean {
    return this.#isFollowing && this.client?.isSecure === true
  }

  /** That is how the server gets TLS; null: it gets none. Before it is secured. */
  towards(server: ServerTlsPolicy | null): void {
    this.#isFollowing = server?.followsClient === true
    this.#server = server === null ? null : new ServerProtection(server, this.#queue)
  }

  /** Of a data channel that is set up now. */
  get protection(): Protection {
    return {
      isClientPrivate: this.client?.isDataPrivate === true,
      isServerPrivate: this.server?.isPrivate === true,
    }
  }

  /** Something is under way that the client's next line must not overtake. */
  get isBusy(): boolean {
    return this.client?.isBusy === true || this.server?.isAsking === true
  }

  serverSecured(isSecure: boolean): void {
    if (isSecure) {
      this.server?.secured()
      this.client?.serverSecured()
    } else {
      this.client?.serverRefused()
    }
  }

  /** Asks the server for PROT where the data connection of `command` needs it, and does `then`; false when it need not ask. */
  mustAsk({ verb }: Command, then: () => void): boolean {
    const refused = () => {
      const text = '425 The server does not protect data connections as it should.'
      reportFailure(this.#outbox, { verb, reason: 'upstream_prot', text })
    }
    return this.server?.ask(this.protection, { ready: then, refused }) === true
  }

  /** A data port is about to be announced, or a client's own was accepted. */
  dataAnnounced(): void {
    if (this.client?.isDataPrivate === true) this.#outbox.push({ type: 'freshTicket' })
  }
}

/** What a client hears of a server that it cannot have. */
export function farewellFor(reason: UpstreamFailure): string {
  switch (reason) {
    case 'tls_refused':
      return '421 The FTP server does not offer TLS.'
    case 'tls_failed':
      return '421 TLS with the FTP server failed.'
    case 'tls_certificate':
      return '421 The certificate of the FTP server is not accepted.'
    case 'proxy_unreachable':
    case 'proxy_refused':
      return '421 The proxy before the FTP server refuses or cannot be reached, try again later.'
    case 'no_server':
      return '421 Too many sessions with the FTP servers, try again later.'
    case 'forbidden':
      return '421 That server is not allowed from here.'
    default:
      return '421 The FTP server cannot be reached, try again later.'
  }
}
