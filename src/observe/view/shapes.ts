// What `/api/v1/…` answers, as JSON: flat snake_case, the names of the log fields. Built on request only.

import type { Mode, Side } from '../../engine/contract.ts'
import type { BackendName, FirewallChain, PoolUse, TcpImplementation } from '../../vocabulary.ts'
import type { RecentOutcomes } from './recent.ts'

export interface StatusView {
  readonly version: string
  /** Of the machine or pod. */
  readonly hostname: string
  readonly node_version: string
  readonly backend: BackendName
  /** Which implementation of TCP runs, and why it is the slower one (else null); null until one does. */
  readonly tcp: { readonly implementation: TcpImplementation; readonly reason: string | null } | null
  readonly pid: number
  /** ISO 8601, UTC, like every time here. */
  readonly started_at: string
  readonly uptime_ms: number
  readonly memory_rss_bytes: number
  readonly draining: boolean
  readonly config: {
    readonly last_reload_successful: boolean
    /** When the configuration in use was read. */
    readonly accepted_at: string
    readonly reloads_accepted: number
    readonly reloads_refused: number
  }
  readonly log_lines_lost: number
  readonly intruders_total: number
  /** Sessions ended by a defect of this proxy. */
  readonly session_defects_total: number
  /** Connections of the whole machine that the kernel tracks; null where nothing of ours is. */
  readonly conntrack: { readonly entries: number; readonly limit: number } | null
  /** What is missing of the rules that bring clients here, or null. */
  readonly interception_missing: string | null
  /** Peers that pinholes let in and a chain of the firewall dropped, in the last two minutes. */
  readonly swallowed_lately: Readonly<Record<FirewallChain, number>>
  /** Null when the configuration asks for none. */
  readonly transfer_log: TransferLogView | null
  readonly listeners: readonly ListenerView[]
  readonly pools: readonly PoolView[]
  /** Of the pools of FTP servers. */
  readonly servers: readonly ServerView[]
  /** The last ones first, at most 50. */
  readonly refusals: readonly RefusalView[]
}

/** Of the last two minutes. */
export interface LatelyView {
  /** Control connections to servers. */
  readonly upstream: RecentOutcomes
  /** Sessions that the server sent away in its greeting. */
  readonly sent_away: RecentOutcomes
  /** Data connections, with the pinholes that were not used. */
  readonly data: RecentOutcomes
}

export interface TransferLogView {
  readonly file: string
  readonly format: 'json' | 'xferlog'
  /** Why it cannot be written now, `'no space left on device (ENOSPC)'`, or null when all is well. */
  readonly problem: string | null
  readonly lines_written: number
  readonly lines_lost: number
}

export interface ListenerView {
  readonly listener: string
  /** It takes connections that were meant for others. */
  readonly intercepts: boolean
  readonly up: boolean
  /** An operator keeps new sessions away. */
  readonly drained: boolean
  readonly address: string | null
  readonly port: number | null
  readonly sessions_active: number
  readonly sessions_limit: number
  readonly sessions_total: number
  readonly sessions_rejected_total: number
  readonly commands_denied_total: number
  readonly upstream_failures_total: number
  readonly data_connections_active: number
  readonly data_connections_failed_total: number
  readonly pinholes_active: number
  readonly upload_bytes: number
  readonly download_bytes: number
  /** Those of TLS. */
  readonly certificates: readonly CertificateView[]
  /** Why the files that are there now are refused, while older ones are in use; else null. */
  readonly certificates_problem: string | null
  readonly lately: LatelyView
}

export interface CertificateView {
  /** To whom it is shown. */
  readonly side: Side
  readonly file: string
  readonly subject: string
  readonly expires_at: string
  /** Negative once it has ended. */
  readonly expires_in_ms: number
}

export interface PoolView {
  readonly pool: PoolUse['pool']
  readonly ports: number
  readonly in_use: number
  readonly quarantined: number
}

export interface ServerView {
  /** The pool's name. */
  readonly upstream: string
  /** `HOST:PORT`, as configured. */
  readonly server: string
  /** To every worker. */
  readonly up: boolean
  readonly backup: boolean
  readonly sessions_active: number
  /** Sessions and checks that failed there. */
  readonly failures_total: number
}

export type SessionState = 'connecting' | 'login' | 'idle' | 'waiting' | 'transfer' | 'passthrough'

export interface SessionView {
  readonly session_id: string
  readonly listener: string
  readonly client_ip: string
  readonly client_port: number
  readonly server_ip: string | null
  readonly server_port: number | null
  readonly user: string | null
  /** `waiting`: a pinhole is open and its peer has not come. `passthrough`: TLS that we cannot see into. */
  readonly state: SessionState
  /** Of the last data channel, as the client sees it. */
  readonly mode: Mode | null
  readonly last_command: string | null
  readonly upload_bytes: number
  readonly download_bytes: number
  readonly transfers: number
  readonly refusals: number
  readonly opened_at: string
  readonly age_ms: number
}

export interface PinholeView {
  readonly session_id: string
  readonly listener: string
  readonly client_ip: string
  readonly pinhole: number
  /** The side whose data connection is awaited. */
  readonly from: Side
  readonly expected_ip: string
  readonly announced_ip: string
  readonly announced_port: number
  readonly target_ip: string | null
  readonly target_port: number | null
  readonly backend: BackendName
  readonly age_ms: number
  readonly expires_in_ms: number
}

/** A command denied, a connection rejected, or an intruder at a data port. */
export interface RefusalView {
  readonly time: string
  /** The event's name in the log. */
  readonly event: 'command.deny' | 'session.reject' | 'pinhole.intrude'
  readonly reason: string
  readonly client_ip: string
  readonly listener: string | null
  readonly session_id: string | null
  readonly command: string | null
  readonly reply_code: number | null
  readonly detail: string | null
  /** How often this happened to this client, `time` being the last. */
  readonly count: number
}

/** What `/api/v1/status` answers. */
export interface StatusAnswer extends StatusView {
  readonly ready: boolean
  readonly not_ready_reason: string | null
}

/** A list that may be cut short: `total` counts all there are. */
export interface ListView<Item> {
  readonly total: number
  readonly items: readonly Item[]
}
