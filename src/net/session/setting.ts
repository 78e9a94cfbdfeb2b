import type { UpstreamMode } from '../../config/config.ts'
import type { PassthroughKind, Side } from '../../engine/contract.ts'
import type { DataVerb } from '../../engine/data-request.ts'
import type { UpstreamManner } from '../../engine/manner.ts'
import type { Policy } from '../../engine/policy.ts'
import type { Network } from '../../ftp/addresses.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { PinholeBackend } from '../../pinhole/backend.ts'
import type { Connection } from '../../tcp/connection.ts'
import type { Introduction } from '../../tcp/proxy-protocol/tlv.ts'
import type { Translation } from '../arrival/translation.ts'
import type { UpstreamTarget } from '../upstream/attempt.ts'
import type { Destinations } from '../upstream/destinations.ts'
import type { Dialer } from '../upstream/dial.ts'
import type { Pool } from '../upstream/pool/pool.ts'
import type { Upstreams } from '../upstream/upstreams.ts'
import type { Advertiser } from './advertise.ts'
import type { DeadlineLimits } from './deadlines.ts'
import type { TlsSupport } from './session-tls.ts'
import type { OpenTrace } from './trace.ts'

/** What all sessions of one listener share. */
export interface SessionSetting {
  readonly upstreamMode: UpstreamMode
  /** One object for all sessions. */
  readonly policy: Policy
  readonly limits: DeadlineLimits
  /** The verbs that the server is asked with, in order; empty: as the client does. */
  readonly upstreamVerbs: readonly DataVerb[]
  /** After this much silence of the client in a transfer, we send NOOP in its place; null: never. */
  readonly upstreamKeepAliveMs: number | null
  readonly pinholeTimeoutMs: number
  /** Null: sessions are not traced. */
  readonly trace: OpenTrace | null
  /** Null: TLS on neither side. */
  readonly tls: TlsSupport | null
  /** TLS between the two peers alone; null: it is refused, or ours. */
  readonly passthrough: PassthroughKind | null
  readonly backend: PinholeBackend
  /** Who may come to a data port in each peer's place. */
  readonly dataPeers: Readonly<Record<Side, readonly Network[]>>
  readonly dialer: Dialer
  /** The port of ours from which the client is called; 0 for any. */
  readonly activeSourcePort: number
  /** Whose address the server sees. */
  readonly source: 'proxy' | 'client'
  readonly upstreams: Upstreams
  /** Null: the target of each session is its server. */
  readonly pool: Pool | null
  /** Of pools whose servers are spoken to in their own manner, by name. */
  readonly manners: ReadonlyMap<string, UpstreamManner>
  /** Null: the server does not depend on what a client says. */
  readonly destinations: Destinations | null
  readonly advertise: Readonly<Record<Side, Advertiser>>
  /** Added to a listening port when it is announced. */
  readonly announceOffset: Readonly<Record<Side, number>>
}

/** What one session begins with. */
export interface SessionStart {
  readonly setting: SessionSetting
  /** The client's control connection. */
  readonly connection: Connection
  /** Null where the client has to say more. */
  readonly target: UpstreamTarget | null
  /** The address the client believes to talk to, where that is not ours: the intercepted destination. */
  readonly interceptedDestination: string | null
  /** The address the client connected to, where a balancer's header names it and it is not ours: announced for data, too. */
  readonly reachedAt: string | null
  /** What the balancer says of the client beside that; null: nothing, or there is none. */
  readonly introduction: Introduction | null
  /** Where the kernel translates it: whether it still does. Null elsewhere. */
  readonly translation: Pick<Translation, 'keep'> | null
  readonly observer: SessionObserver
}
