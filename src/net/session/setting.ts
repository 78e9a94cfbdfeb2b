import type { UpstreamMode } from '../../config/config.ts'
import type { Side } from '../../engine/contract.ts'
import type { Policy } from '../../engine/policy.ts'
import type { PinholeBackend } from '../../pinhole/backend.ts'
import type { Dialer } from '../upstream/dial.ts'
import type { Upstreams } from '../upstream/upstreams.ts'
import type { Advertiser } from './advertise.ts'

/** What all sessions of one listener share. */
export interface SessionSetting {
  readonly upstreamMode: UpstreamMode
  /** One object for all sessions. */
  readonly policy: Policy
  readonly limits: {
    readonly idleMs: number
    readonly loginMs: number
    readonly connectMs: number
  }
  readonly pinholeTimeoutMs: number
  readonly backend: PinholeBackend
  readonly dialer: Dialer
  /** The port of ours from which the client is called; 0 for any. */
  readonly activeSourcePort: number
  /** Whose address the server sees. */
  readonly source: 'proxy' | 'client'
  readonly upstreams: Upstreams
  readonly advertise: Readonly<Record<Side, Advertiser>>
  /** Added to a listening port when it is announced. */
  readonly announceOffset: Readonly<Record<Side, number>>
}
