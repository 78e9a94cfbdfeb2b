// `ftp-alg doctor --limits N`: how many sessions the servers let one address have. To a server all sessions come from ours, so its
// limit for one client is its limit for all of them.

import type { Config, UpstreamTlsConfig } from '../../config/config.ts'
import { loadOpenssl } from '../../kernel/openssl.ts'
import { type SecureUpstreamResult, secureUpstream } from '../../net/upstream/secure-upstream.ts'
import type { Connection } from '../../tcp/connection.ts'
import { openTcp } from '../../tcp/open-tcp.ts'
import type { Tcp } from '../../tcp/tcp.ts'
import { ServerTls } from '../../tls/server-session.ts'
import { UpstreamContext } from '../../tls/upstream-context.ts'
import { Conversation, type Reply } from './conversation.ts'
import { type Finding, ok, warn } from './finding.ts'
import { pathText, reach } from './reach.ts'
import type { Credentials } from './try.ts'
import { type Asked, placesOf, upstreamsOf } from './upstream.ts'

export interface LimitsAsked {
  /** So many sessions at once, and no more, at each server. */
  readonly sessions: number
  /** Who logs in on each; absent: only the greeting is waited for. */
  readonly credentials?: Credentials
  /** For each session. */
  readonly timeoutMs: number
}

/** Servers are asked at the same time, the sessions at each opened one after another. */
export async function checkLimits(config: Config, asked: LimitsAsked): Promise<readonly Finding[]> {
  const places = await Promise.all(
    serversOf(config).map(async (server) => {
      const found = await placesOf(server)
      // What DNS does not know is said by the check of the server.
      return 'state' in found ? [] : found.map((place) => ({ ...server, ...place }))
    }),
  )
  const servers = [
    ...new Map(places.flat().map((server) => [`${server.host} ${server.port}`, server])).values(),
  ]
  const { tcp } = await openTcp({ isRequired: servers.some(({ tls }) => tls !== null) })
  return Promise.all(
    servers.map(({ tls, ...server }) =>
      tls === 'passes' ? notAsked(server) : new Crowd(tcp, { ...server, tls }, asked).finding(config),
    ),
  )
}

/** Those that see their clients' own addresses are left out: their limit is one client's. */
function serversOf({ listeners, upstreams }: Config): readonly Asked[] {
  const hiding = listeners.filter(({ source }) => source === 'proxy')
  const pools = new Set(
    hiding.flatMap(({ pool, routes = [] }) => [pool, ...routes.map((route) => route.pool)]),
  )
  return upstreamsOf({ listeners: hiding, upstreams: upstreams.filter(({ name }) => pools.has(name)) })
}

function notAsked({ check, host, port }: Omit<Asked, 'tls'>): Finding {
  return warn(
    `limits: ${check}`,
    `${host} port ${port} is not asked: its TLS is between it and the clients`,
    'look at its settings for the limit of one address',
  )
}

interface Server extends Asked {
  readonly tls: UpstreamTlsConfig | null
}

/** Sessions that are open at one server at once. */
class Crowd {
  readonly #tcp: Tcp
  readonly #server: Server
  readonly #asked: LimitsAsked
  readonly #left: (() => void)[] = []

  constructor(tcp: Tcp, server: Server, asked: LimitsAsked) {
    this.#tcp = tcp
    this.#server = server
    this.#asked = asked
  }

  async finding(config: Config): Promise<Finding> {
    const { host, port, check, path } = this.#server
    const allowed = allowedSessions(config, this.#server)
    const wanted = Math.min(this.#asked.sessions, allowed)
    let taken = 0
    let refusal: string | null = null
    try {
      while (taken < wanted && refusal === null) {
        refusal = await this.#open()
        if (refusal === null) taken += 1
      }
    } finally {
      for (const leave of this.#left) leave()
    }
    const name = `limits: ${check}`
    const where = `${host} port ${port}${pathText(path)}`
    if (refusal === null)
      return ok(name, `${where} takes ${taken} sessions from here at once${this.#reach(taken, allowed)}`)
    if (taken === 0) return warn(name, `${where} takes no session from here: ${refusal}`, firstCure(refusal))
    const found = `${where} takes ${taken} sessions from here at once, beside those that were open; to the next: ${refusal}`
    return warn(
      name,
      found,
      `${settingFor(refusal)}: as many as limits.sessions (${config.limits.sessions}); or limits.sessions: ${taken}`,
    )
  }

  /** What an `ok` leaves open. */
  #reach(taken: number, allowed: number): string {
    if (taken === allowed) return ', as many as there may be'
    if (this.#asked.credentials !== undefined) return ', logged in; more were not tried'
    return '; more were not tried, nor a login, and some servers count logins (--user)'
  }

  /** Opens one more session and leaves it open; gives what the server said instead, or null. */
  async #open(): Promise<string | null> {
    const { credentials } = this.#asked
    // Servers take their time before they refuse a password: Pure-FTPd up to ten seconds.
    const timeoutMs = this.#asked.timeoutMs * (credentials === undefined ? 1 : 3)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, `nothing within ${timeoutMs} ms`)
    })
    try {
      return await Promise.race([this.#greetAndLogIn(), late])
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    } finally {
      clearTimeout(timer)
    }
  }

  async #greetAndLogIn(): Promise<string | null> {
    const { host, port, tls, path } = this.#server
    const way = { place: { host, port }, path, timeoutMs: this.#asked.timeoutMs }
    let connection = await reach(this.#tcp, way)
    this.#left.push(() => connection.close('QUIT\r\n'))
    if (tls?.mode === 'implicit') connection = await this.#secure(connection, 'implicit')
    let conversation = new Conversation(connection)
    const greeting = await conversation.reply()
    if (greeting.code >= 300) return printable(greeting)
    if (tls !== null && tls.mode !== 'implicit') {
      connection = await this.#secure(connection, 'talking')
      conversation = new Conversation(connection)
    }
    return this.#asked.credentials === undefined ? null : logIn(conversation, this.#asked.credentials)
  }

  /** As a session would: where TLS is optional, a server that has none is spoken to in clear. */
  async #secure(connection: Connection, how: 'implicit' | 'talking'): Promise<Connection> {
    const { host, tls } = this.#server
    if (tls === null) return connection
    const upstream = new UpstreamContext(await loadOpenssl(), tls)
    this.#left.push(() => upstream.release())
    const { timeoutMs } = this.#asked
    const session = new ServerTls({ upstream, host, handshakeMs: timeoutMs, truncation: tls.truncation })
    const result = await new Promise<SecureUpstreamResult>((resolve) => {
      secureUpstream({ connection, tls: session, how }, resolve)
    })
    if (result.type === 'failed') throw new Error(`TLS failed: ${result.problem.detail}`)
    if (result.type === 'refused' && tls.mode === 'required')
      throw new Error(`AUTH TLS: ${result.reply.trim()}`)
    return result.connection
  }
}

async function logIn(conversation: Conversation, { user, password }: Credentials): Promise<string | null> {
  const known = await conversation.ask(`USER ${user}`)
  const reply = known.code === 331 ? await conversation.ask(`PASS ${password}`) : known
  return reply.code >= 400 ? printable(reply) : null
}

/** How many sessions of ours a server can come to have. */
function allowedSessions({ limits, upstreams }: Config, { host, port }: Asked): number {
  const own = upstreams
    .flatMap(({ servers }) => servers)
    .find((server) => server.host === host && server.port === port)
  return Math.min(limits.sessions, own?.maxSessions ?? limits.sessions)
}

/** The words are those of vsftpd 3.0.3, ProFTPD 1.3.8 and Pure-FTPd 1.0.50. */
function settingFor(refusal: string): string {
  if (/from your internet address/i.test(refusal)) return 'max_per_ip in vsftpd.conf'
  if (/too many connected users/i.test(refusal)) return 'max_clients in vsftpd.conf'
  if (/maximum number.*from your host/i.test(refusal)) return 'MaxClientsPerHost in proftpd.conf'
  if (/from this IP/i.test(refusal)) return 'MaxClientsPerIP of Pure-FTPd (-C)'
  if (/\(the maximum\) are already logged in/i.test(refusal)) return 'MaxClientsNumber of Pure-FTPd (-c)'
  return 'the limit of the server for one address (max_per_ip, MaxClientsPerHost, MaxConnectionsPerHost, MaxClientsPerIP)'
}

function firstCure(refusal: string): string {
  if (refusal.startsWith('530'))
    return '--user, and the password in FTP_ALG_TRY_PASSWORD; or its limit is reached already'
  return 'is its limit reached already? See the line of this server above'
}

function printable({ text }: Reply): string {
  return text.trim().replaceAll(/[^\x20-\x7e]/g, '?')
}
