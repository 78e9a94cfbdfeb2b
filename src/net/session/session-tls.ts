// TLS of one session, towards its client and towards its server, which have nothing to do with each other.

import type { ListenerTlsConfig, UpstreamTlsConfig } from '../../config/config.ts'
import type { Effect, LegFailure, Side } from '../../engine/contract.ts'
import type { EngineOptions } from '../../engine/options.ts'
import type { TlsProblem } from '../../kernel/openssl-failure.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { Connection } from '../../tcp/connection.ts'
import type { ClientTlsFacts } from '../../tcp/proxy-protocol/tlv.ts'
import { ClientTls } from '../../tls/client-session.ts'
import type { ServerContexts } from '../../tls/server-contexts.ts'
import { ServerTls } from '../../tls/server-session.ts'
import type { TlsConnection } from '../../tls/tls-connection.ts'
import type { UpstreamTls } from '../../tls/tls-setup.ts'
import { legFailureOf } from '../data/secure-leg.ts'
import { serverTlsPolicy } from '../upstream/manners.ts'
import { type SecureUpstreamResult, secureUpstream } from '../upstream/secure-upstream.ts'
import type { ControlChannel } from './control-channel.ts'

/** What all sessions of one listener share. */
export interface TlsSetting {
  readonly client: { readonly contexts: ServerContexts; readonly config: ListenerTlsConfig } | null
  readonly server: UpstreamTls | null
  /** Of pools that have TLS of their own; null: in clear. */
  readonly pools: ReadonlyMap<string, UpstreamTls | null>
  readonly handshakeMs: number
}

/** What a session needs of TLS, where its listener has it; the rest of the room is loaded with it. */
export interface TlsSupport {
  readonly policy: NonNullable<EngineOptions['tls']>
  open(session: SessionTlsStart): SessionTls
}

export interface SessionTlsStart {
  readonly observer: SessionObserver
  /** The server, as the configuration or the interception named it; empty where `towards` will. */
  readonly host: string
  /** The client's control connection is secure, and this is the host that it asked for. */
  readonly clientSecured?: (serverName: string | null) => void
}

export function supportTls(setting: TlsSetting): TlsSupport {
  const { client, server } = setting
  return {
    policy: {
      client: client?.config ?? { mode: 'off', dataProtection: 'client', ccc: 'refuse' },
      server: server === null ? null : serverTlsPolicy(server.config),
    },
    open: (session) => new SessionTls(setting, session),
  }
}

/** Both of a session. */
interface ControlChannels {
  readonly client: ControlChannel | null
  readonly server: ControlChannel | null
  /** Writes what was to be said. */
  flush(): void
}

/** The handshake is over, well or not. */
export type Secured = (problem: TlsProblem | null) => void

export class SessionTls {
  readonly #setting: TlsSetting
  readonly #observer: SessionObserver
  readonly #clientSecured: SessionTlsStart['clientSecured']
  #host: string
  /** Null: this server gets no TLS. */
  #upstream: UpstreamTls | null
  readonly #client: ClientTls | null
  #server: ServerTls | null = null

  constructor(setting: TlsSetting, { observer, host, clientSecured }: SessionTlsStart) {
    const { client, handshakeMs } = setting
    this.#host = host
    this.#setting = setting
    this.#upstream = setting.server
    this.#observer = observer
    this.#clientSecured = clientSecured
    const flooded = () => observer.tls({ type: 'flooded', side: 'client' })
    this.#client = client === null ? null : new ClientTls({ ...client, handshakeMs, flooded })
    // The server may be spoken to with TLS only when the client asks for it: certificates may have been read again by then.
    for (const each of this.#upstreams()) each?.context.hold()
  }

  /** That server is meant from here on, of that pool or of none; before anything is encrypted with it. */
  towards(host: string, pool: string | null): void {
    const own = pool === null ? undefined : this.#setting.pools.get(pool)
    this.#host = host
    this.#upstream = own === undefined ? this.#setting.server : own
    this.#server = null
  }

  /** What a server may be given of its client's TLS; null: it has none, or none yet. */
  get clientFacts(): ClientTlsFacts | null {
    return this.#client?.facts ?? null
  }

  get serverMode(): UpstreamTlsConfig['mode'] | null {
    return this.#upstream?.config.mode ?? null
  }

  /** Before the server has said anything, or right after its greeting; not because the client has TLS. */
  get securesServerFirst(): boolean {
    return this.serverMode !== null && this.serverMode !== 'as-client'
  }

  /** Where a client has to begin with TLS: `raw` with it, and `arrived` follows once it is there. Else `raw` as it is. */
  meet(raw: Connection, arrived: () => void): Connection {
    if (this.#setting.client?.config.mode !== 'implicit') return raw
    return this.secureClient(raw, (problem) => {
      if (problem === null) arrived()
    })
  }

  secureClient(raw: Connection, secured: Secured): TlsConnection {
    const client = this.#client
    if (client === null) throw new Error('a client was promised TLS by a listener without')
    const secure: TlsConnection = client.secureControl(
      raw,
      this.#telling({
        side: 'client',
        channel: 'control',
        secured: (problem) => {
          if (problem === null) this.#clientSecured?.(secure.stream.serverName)
          secured(problem)
        },
        of: () => secure,
      }),
    )
    return secure
  }

  get server(): ServerTls {
    if (this.#upstream === null) throw new Error('a server that gets no TLS was to be spoken to with it')
    const { context: upstream, config } = this.#upstream
    const { handshakeMs } = this.#setting
    const flooded = () => this.#observer.tls({ type: 'flooded', side: 'server' })
    const { truncation } = config
    this.#server ??= new ServerTls({ upstream, host: this.#host, handshakeMs, truncation, flooded })
    return this.#server
  }

  carryOut(
    effect: Extract<Effect, { readonly type: 'secure' | 'clear' | 'freshTicket' }>,
    peers: ControlChannels,
    done: (result: SecureUpstreamResult['type']) => void,
  ): void {
    if (effect.type === 'freshTicket') {
      this.#client?.freshTicket()
      return
    }
    peers.flush()
    if (effect.type === 'clear') {
      this.#client?.clearControl((raw) => peers.client?.seat(raw))
      return
    }
    this.#secure(effect.side, peers, done)
  }

  /** A control connection that stands goes on with TLS: the client's at once, the server's by AUTH, after which `done` follows. */
  #secure(
    side: Side,
    { client, server }: ControlChannels,
    done: (result: SecureUpstreamResult['type']) => void,
  ): void {
    if (side === 'client') {
      client?.secure((raw) => this.secureClient(raw, () => undefined))
      return
    }
    if (server === null) return
    const startedMs = performance.now()
    const call = { connection: server.lend(), tls: this.server, how: 'talking' } as const
    secureUpstream(call, (result) => {
      this.tellServer(result.type === 'failed' ? result.problem : null, startedMs)
      if (result.type !== 'failed') server.seat(result.connection)
      done(result.type)
    })
  }

  /** A data connection; `truncated` may follow once, before its end. */
  secureData(
    { side, raw }: { readonly side: Side; readonly raw: Connection },
    secured: (reason: LegFailure | 'closed' | null) => void,
    truncated: () => void,
  ): TlsConnection {
    const party = side === 'client' ? this.#client : this.#server
    if (party === null) throw new Error(`a data connection of a ${side} without TLS was to have it`)
    const secure: TlsConnection = party.secureData(
      raw,
      this.#telling({
        side,
        channel: 'data',
        secured: (problem) => secured(problem === null ? null : legFailureOf(problem.reason)),
        of: () => secure,
      }),
      () => {
        this.#observer.tls({ type: 'truncated', side })
        truncated()
      },
    )
    return secure
  }

  /** The server's control connection is secure, or could not be made so. */
  tellServer(problem: TlsProblem | null, startedMs: number): void {
    const connection = this.#server?.control ?? null
    this.#tell({ side: 'server', channel: 'control', connection, problem, startedMs })
  }

  /** The server has no TLS, and none is insisted on. */
  tellDowngrade(detail: string): void {
    this.#observer.tls({ type: 'downgraded', side: 'server', detail: detail.trim() })
  }

  /** The session is over. */
  release(): void {
    this.#client?.release()
    for (const each of this.#upstreams()) each?.context.release()
  }

  /** All that the session may come to use. */
  #upstreams(): readonly (UpstreamTls | null)[] {
    const { server, pools } = this.#setting
    return pools.size === 0 ? [server] : [server, ...pools.values()]
  }

  #telling(call: {
    readonly side: Side
    readonly channel: 'control' | 'data'
    readonly secured: Secured
    readonly of: () => TlsConnection
  }): Secured {
    const { side, channel, secured, of } = call
    const startedMs = performance.now()
    return (problem) => {
      this.#tell({ side, channel, connection: of(), problem, startedMs })
      secured(problem)
    }
  }

  #tell(handshake: {
    readonly side: Side
    readonly channel: 'control' | 'data'
    readonly connection: TlsConnection | null
    readonly problem: TlsProblem | null
    readonly startedMs: number
  }): void {
    const { side, channel, connection, problem, startedMs } = handshake
    if (problem !== null) {
      this.#observer.tls({ type: 'failed', side, channel, ...problem })
    } else if (connection !== null) {
      const { protocol, cipher, isResumed, serverName } = connection.stream
      const durationMs = performance.now() - startedMs
      this.#observer.tls({
        type: 'secured',
        side,
        channel,
        protocol,
        cipher,
        isResumed,
        serverName,
        durationMs,
      })
    }
  }
}
