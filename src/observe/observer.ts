// What the rest of the program may say about itself. One call feeds the log line and the counter, so the two
// cannot disagree. Only this folder knows pino and prom-client.

import type {
  AuditRecord,
  CloseReason,
  LegFailure,
  Mode,
  PinholeCloseReason,
  PinholeFailure,
  Side,
  UpstreamFailure,
} from '../engine/contract.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type {
  BackendName,
  CertificateUse,
  DataPath,
  FirewallChain,
  IntruderReason,
  PoolUpstreamUse,
  PoolUse,
  RejectReason,
  TcpImplementation,
  TlsReport,
} from '../vocabulary.ts'
import type { EventName } from './log/events.ts'

export interface Observer {
  /** A client connected and gets a session. */
  sessionOpened(session: {
    readonly listener: string
    readonly client: Endpoint
    /** What a balancer says of the client; absent or null: nothing. */
    readonly introduction?: { readonly serverName: string | null; readonly tls: string | null } | null
  }): SessionObserver
  /** A client connected and was sent away with 421. */
  sessionRejected(rejected: {
    readonly listener: string
    readonly client: Endpoint
    readonly reason: RejectReason
    readonly detail?: string
  }): void
  /** A client connected, and a defect of ours left it without a session. */
  sessionFailed(failed: {
    readonly listener: string
    readonly client: Endpoint
    readonly error: unknown
  }): void
  /** An unexpected peer connected to one of our data ports. */
  pinholeIntruded(intruder: {
    readonly from: Endpoint
    readonly port: number
    readonly reason: IntruderReason
  }): void
  /** A peer's packets passed a pinhole and were dropped by a chain that is not ours. `session` is the id of its owner. */
  pinholeSwallowed(swallowed: {
    readonly session: string
    readonly peer: string
    readonly at: Endpoint
    readonly chain: FirewallChain
  }): void
  listenerStarted(listener: {
    readonly listener: string
    readonly at: Endpoint
    readonly sessionLimit: number
  }): void
  /** It cannot accept connections for now, or can again. */
  listenerChanged(listener: { readonly listener: string; readonly isAccepting: boolean }): void
  /** An operator has taken it out of service, or back into it. */
  listenerDrained(listener: { readonly listener: string; readonly isDrained: boolean }): void
  /** Which implementation of TCP runs; `reason` says why it is the slower one. */
  tcpChosen(choice: { readonly implementation: TcpImplementation; readonly reason: string | null }): void
  /** How many sessions may be open at once from now on, over all listeners. */
  sessionLimitChanged(sessions: number): void
  /** `figures` is called at every scrape. */
  poolsMeasuredBy(figures: () => readonly PoolUse[]): void
  /** The same for the servers of pools. */
  upstreamsMeasuredBy(figures: () => readonly PoolUpstreamUse[]): void
  /** A server of a pool is down, or up again. */
  upstreamServerChanged(change: {
    readonly pool: string
    readonly server: string
    /** Where its name has several, or null. */
    readonly address: string | null
    readonly isUp: boolean
    readonly why: string
  }): void
  /** `certificates` is called at every scrape. */
  certificatesMeasuredBy(certificates: () => readonly CertificateUse[]): void
  /** The certificates of a listener were read, at start or because they may have changed; or the old ones stay. */
  certificatesRead(read: {
    readonly listener: string
    readonly certificates: readonly CertificateUse[]
    readonly failure: unknown | null
  }): void
  /** It ends within 14 days, or has ended. */
  certificateExpires(certificate: CertificateUse): void
  draining(): void
  /** What is missing of the rules that bring clients to listeners that intercept; null when nothing is. */
  interceptionChecked(missing: string | null): void
  /** Whatever has no counter of its own: start, stop, configuration, warnings. Fields are flat snake_case. */
  log(event: EventName, fields?: Readonly<Record<string, unknown>>): void
}

/** Everything one session reports. Calls are cheap: children and labels are resolved when it opens. */
export interface SessionObserver {
  /** Short unique id in every log line of this session, for example `k3v9x0q2m1`. */
  readonly id: string
  /** The name of the listener that the client came to. */
  readonly listener: string
  /** The server was chosen by a route of the listener; its name. */
  routed(chosen: { readonly route: string }): void
  upstreamConnected(upstream: { readonly server: Endpoint; readonly durationMs: number }): void
  upstreamFailed(failed: {
    readonly server: string
    readonly reason: UpstreamFailure
    readonly detail: string
  }): void
  /** The kernel had forgotten how to translate a redirected client's control connection; that was restored, or cannot be. */
  translationForgotten(forgotten: { readonly isRestored: boolean }): void
  controlBytes(bytes: { readonly from: Side; readonly count: number }): void
  record(record: AuditRecord): void
  pinholeOpened(opened: {
    readonly pinhole: number
    readonly from: Side
    readonly expect: string
    readonly announce: Endpoint
    readonly target: Endpoint | null
    readonly backend: BackendName
    readonly durationMs: number
  }): void
  pinholeFailed(failed: {
    readonly pinhole: number
    readonly reason: PinholeFailure
    readonly detail: string
  }): void
  pinholeClosed(closed: {
    readonly pinhole: number
    readonly backend: BackendName
    readonly reason: PinholeCloseReason | 'used' | 'expired' | 'abandoned'
    /** What ended one that was abandoned. */
    readonly endedBy?: PinholeCloseReason
    /** Milliseconds from announced to connected or closed. */
    readonly ageMs: number
  }): void
  /** Both legs are up. `mode` is the client's: who opens the data connection as the client sees it. */
  dataOpened(opened: {
    readonly channel: number
    readonly mode: Mode
    readonly path: DataPath
    readonly setupMs: number
  }): void
  dataFailed(failed: {
    readonly channel: number
    readonly mode: Mode
    readonly side: Side
    readonly reason: LegFailure
  }): void
  /** A data connection from or to another address than the control peer's, as `policy.dataPeers` or `policy.fxp` allow it. */
  foreignPeer(foreign: { readonly side: Side }): void
  /** Bytes delivered since the last call for this channel. `upload` is client to server. */
  dataBytes(bytes: {
    readonly direction: 'upload' | 'download'
    readonly path: DataPath
    readonly count: number
  }): void
  /** The totals are for the log line; counters have had them from `dataBytes`, which must be called before. */
  dataEnded(ended: {
    readonly channel: number
    readonly mode: Mode
    readonly path: DataPath
    readonly uploadBytes: number
    readonly downloadBytes: number
    readonly durationMs: number
    readonly result: 'ok' | 'reset'
  }): void
  /** A handshake, or what became of its connection. */
  tls(report: TlsReport & { readonly side: Side }): void
  /** The last call. */
  closed(closed: { readonly reason: CloseReason; readonly durationMs: number }): void
  /** A defect of ours, caught by the session driver: logged with its stack, ends this session only. */
  failed(error: unknown): void
}
