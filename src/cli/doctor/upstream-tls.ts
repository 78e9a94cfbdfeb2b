// Whether the servers speak TLS as the configuration asks, and what they show.

import { X509Certificate } from 'node:crypto'
import type { UpstreamTlsConfig } from '../../config/config.ts'
import { loadOpenssl } from '../../kernel/openssl.ts'
import type { TlsProblem } from '../../kernel/openssl-failure.ts'
import { type SecureUpstreamResult, secureUpstream } from '../../net/upstream/secure-upstream.ts'
import { openTcp } from '../../tcp/open-tcp.ts'
import type { Tcp } from '../../tcp/tcp.ts'
import { subjectOf } from '../../tls/certificate.ts'
import { ServerTls } from '../../tls/server-session.ts'
import type { TlsConnection } from '../../tls/tls-connection.ts'
import { keyPinOf, UpstreamContext } from '../../tls/upstream-context.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { type Path, reach } from './reach.ts'

export interface TlsAsked {
  readonly check: string
  readonly host: string
  readonly port: number
  readonly tls: UpstreamTlsConfig
  /** Absent: as null. */
  readonly path?: Path
}

/**
 * Goes as far as a session does before its login: greeting, AUTH TLS, handshake, or the handshake at once. Then a second time,
 * resuming the session of the first as data connections will. Sends nothing else but NOOP and QUIT.
 */
export async function checkUpstreamTls(asked: TlsAsked, timeoutMs: number): Promise<Finding> {
  const { check, host, port } = asked
  const visit = new Visit(asked)
  const timer = setTimeout(() => visit.giveUp(timeoutMs), timeoutMs)
  try {
    return await visit.finding()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return fail(
      check,
      `${host} port ${port}: ${text}`,
      'check the address, the port and the firewalls on the way',
    )
  } finally {
    clearTimeout(timer)
    visit.leave()
  }
}

/** Longer than a client waits. */
const HANDSHAKE_MS = 60_000

class Visit {
  readonly #asked: TlsAsked
  readonly #left: (() => void)[] = []
  readonly #late: Promise<never>
  #giveUp: (error: Error) => void = () => undefined

  constructor(asked: TlsAsked) {
    this.#asked = asked
    this.#late = new Promise<never>((_, reject) => {
      this.#giveUp = reject
    })
    this.#late.catch(() => undefined)
  }

  giveUp(timeoutMs: number): void {
    this.#giveUp(new Error(`no TLS within ${timeoutMs} ms`))
  }

  leave(): void {
    for (const close of this.#left) close()
  }

  async finding(): Promise<Finding> {
    const { check, host, port, tls } = this.#asked
    const { tcp } = await openTcp({ isRequired: true })
    const { result, session } = await this.#connect(tcp, tls)
    if (result.type === 'refused') return this.#refused(result.reply)
    if (result.type === 'failed') return this.#failed(tcp, result.problem)
    const { protocol, cipher } = controlOf(session).stream
    const reuse = (await this.#isResumed(tcp, session))
      ? 'sessions resume, as data connections will'
      : 'sessions do not resume: each data connection takes a full handshake'
    const verified = { full: 'authority and name', chain: 'authority', pin: 'pin', none: 'not looked at' }[
      tls.verify
    ]
    const found = `${host} port ${port} speaks ${protocol} (${cipher}); ${shownBy(session)}; accepted: ${verified}; ${reuse}`
    return tls.verify === 'none'
      ? warn(check, found, `verify: pin, with pins: [${keyPinOf(controlOf(session).stream) ?? ''}]`)
      : ok(check, found)
  }

  /** `again`: the handshake of a data connection, on a control connection. */
  async #connect(tcp: Tcp, tls: UpstreamTlsConfig, again?: ServerTls) {
    const { host, port, path } = this.#asked
    const session = again ?? (await this.#session(tls))
    const secureControl: ServerTls['secureControl'] =
      again === undefined
        ? (raw, secured) => session.secureControl(raw, secured)
        : (raw, secured) => session.secureData(raw, secured)
    const way = { place: { host, port }, path, timeoutMs: HANDSHAKE_MS }
    const connection = await this.#inTime(reach(tcp, way))
    this.#left.push(() => connection.destroy())
    const how = tls.mode === 'implicit' ? 'implicit' : 'explicit'
    const result = await this.#inTime(
      new Promise<SecureUpstreamResult>((resolve) => {
        secureUpstream({ connection, tls: { secureControl }, how }, resolve)
      }),
    )
    return { result, session }
  }

  async #session(tls: UpstreamTlsConfig): Promise<ServerTls> {
    const { host } = this.#asked
    const upstream = new UpstreamContext(await loadOpenssl(), tls)
    this.#left.push(() => upstream.release())
    return new ServerTls({ upstream, host, handshakeMs: HANDSHAKE_MS, truncation: tls.truncation })
  }

  /** A ticket of TLS 1.3 has come once the server has said something. */
  async #isResumed(tcp: Tcp, session: ServerTls): Promise<boolean> {
    const control = controlOf(session)
    await this.#inTime(
      new Promise<void>((resolve) => {
        control.start({
          received: () => {
            resolve()
            return true
          },
          ended: resolve,
          drained: () => undefined,
          closed: () => resolve(),
        })
        control.write('NOOP\r\n')
      }),
    )
    const { result } = await this.#connect(tcp, this.#asked.tls, session)
    control.end('QUIT\r\n')
    return result.type === 'secure' && 'stream' in result.connection
      ? (result.connection as TlsConnection).stream.isResumed
      : false
  }

  #refused(reply: string): Finding {
    const { check, host, port, tls } = this.#asked
    const found = `${host} port ${port} refuses AUTH TLS: ${printable(reply)}`
    switch (tls.mode) {
      case 'optional':
        return warn(check, `${found}; passwords and files go on in clear`, 'switch TLS on at the server')
      case 'as-client':
        return warn(check, `${found}; so will clients hear`, 'switch TLS on at the server')
      default:
        return fail(check, found, 'switch TLS on at the server, or upstreamTls: { mode: off }')
    }
  }

  /** What it showed is seen by asking again and looking away. */
  async #failed(tcp: Tcp, { reason, detail }: TlsProblem): Promise<Finding> {
    const { check, host, port, tls } = this.#asked
    const found = `${host} port ${port}: TLS failed: ${detail}`
    const cure = cureFor(reason, tls)
    if (reason !== 'certificate' && reason !== 'host_name' && reason !== 'pin')
      return fail(check, found, cure)
    const blind = { ...tls, verify: 'none', pins: [] } as const
    const { result, session } = await this.#connect(tcp, blind)
    return fail(check, result.type === 'secure' ? `${found}; ${shownBy(session)}` : found, cure)
  }

  #inTime<T>(done: Promise<T>): Promise<T> {
    return Promise.race([done, this.#late])
  }
}

function controlOf({ control }: ServerTls): TlsConnection {
  if (control === null) throw new Error('a server is secure that was never spoken to')
  return control
}

/** `its certificate is CN=ftp.example.net of CN=Example CA until 2027-01-31, key sha256/…` */
function shownBy(session: ServerTls): string {
  const { stream } = controlOf(session)
  const der = stream.peerCertificate()
  if (der === null) return 'it shows no certificate'
  const certificate = new X509Certificate(der)
  const until = new Date(certificate.validTo).toISOString().slice(0, 10)
  const issuer = certificate.issuer.replaceAll('\n', ', ')
  return `its certificate is ${printable(subjectOf(certificate))} of ${printable(issuer)} until ${until}, key ${keyPinOf(stream)}`
}

function cureFor(reason: TlsProblem['reason'], tls: UpstreamTlsConfig): string {
  switch (reason) {
    case 'certificate':
      return tls.ca === null
        ? 'upstreamTls.ca: the file of the authority that vouches for it; or verify: pin'
        : `is ${tls.ca} the authority of this server? Has its certificate ended?`
    case 'host_name':
      return 'upstreamTls.name: a name that its certificate has'
    case 'pin':
      return 'has its key been changed on purpose? Then upstreamTls.pins'
    case 'version':
      return `it speaks nothing newer than ${tls.minVersion} asks for: minVersion, or update the server`
    case 'not_tls':
      return 'is it implicit or explicit? upstreamTls.mode, and the port'
    default:
      return 'look at the server’s log'
  }
}

function printable(text: string): string {
  return text.trim().replaceAll(/[^\x20-\x7e]/g, '?')
}
