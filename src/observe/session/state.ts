// What is known of one session while it is open: written by its recorder, read by the live view.

import type { Mode, PassthroughKind, Side } from '../../engine/contract.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { BackendName } from '../../vocabulary.ts'
import type { Log, LogFields } from '../log.ts'
import type { ListenerMetrics } from '../metrics.ts'
import type { TransferLog } from '../transfers/transfer-log.ts'
import type { RefusalRing } from '../view/refusals.ts'

/** What all sessions of the process share. */
export interface SessionSurroundings {
  readonly log: Log
  readonly refusals: RefusalRing
  readonly transferLog: TransferLog
  /** Every session that is open, oldest first. */
  readonly live: Set<LiveSession>
}

/** A pinhole that waits for its peer. */
export interface OpenedPinhole {
  readonly pinhole: number
  readonly from: Side
  readonly expect: string
  readonly announce: Endpoint
  readonly target: Endpoint | null
  readonly backend: BackendName
  readonly openedAt: number
}

/** Fields and no closures: 10,000 idle sessions each keep one. */
export class LiveSession {
  readonly id: string
  readonly client: Endpoint
  readonly metrics: ListenerMetrics
  readonly around: SessionSurroundings
  /** Milliseconds of `performance.now()`, whole. */
  readonly openedAt = Math.round(performance.now())
  server: Endpoint | null = null
  /** The name of the route that chose it, where there are routes. */
  route: string | undefined = undefined
  user: string | null = null
  isLoggedIn = false
  /** The server has said its first final reply. */
  isGreeted = false
  mode: Mode | null = null
  /** TLS between the peers alone has begun, by AUTH or with the first byte. */
  passthrough: PassthroughKind | null = null
  lastCommand: string | null = null
  uploadBytes = 0
  downloadBytes = 0
  /** Data channels with both legs up now. */
  channelsUp = 0
  transfers = 0
  refusals = 0
  /** Null while there are none, which is nearly always. */
  pinholes: OpenedPinhole[] | null = null

  constructor(id: string, client: Endpoint, metrics: ListenerMetrics, around: SessionSurroundings) {
    this.id = id
    this.client = client
    this.metrics = metrics
    this.around = around
  }

  /** What every line of this session carries, and more. */
  fields(more: LogFields): LogFields {
    return { session_id: this.id, listener: this.metrics.name, client_ip: this.client.address, ...more }
  }
}
