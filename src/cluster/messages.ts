// What the supervisor and its workers say to each other, as JSON over the cluster's own channel.

import type { Config } from '../config/config.ts'
import type { ErrorCode } from '../errors.ts'
import type { MetricFamily } from '../observe/metrics/family.ts'
import type { ListView, PinholeView, SessionView, StatusView } from '../observe/view/shapes.ts'
import type { PoolCheck } from '../vocabulary.ts'

/** Everything an admin server needs of one worker, taken at one moment. */
export interface Snapshot {
  readonly families: readonly MetricFamily[]
  readonly status: StatusView
  readonly sessions: ListView<SessionView>
  readonly pinholes: ListView<PinholeView>
}

/** What a worker needs to begin. */
export interface StartOrder {
  readonly type: 'start'
  /** The worker's own, see `workerConfig`. */
  readonly config: Config
  /** Listeners that operators have drained. */
  readonly drained: readonly string[]
}

export type ToWorker =
  /** The first one. */
  | StartOrder
  | { readonly type: 'snapshot'; readonly id: number }
  | { readonly type: 'reload'; readonly id: number; readonly config: Config }
  | { readonly type: 'endSession'; readonly id: number; readonly session: string }
  | { readonly type: 'drainListeners'; readonly listeners: readonly string[]; readonly endsSessions: boolean }
  | { readonly type: 'resumeListeners'; readonly listeners: readonly string[] }
  /** Whether it checks the servers of pools, for all. */
  | { readonly type: 'checkPools'; readonly isChecker: boolean }
  /** What the one that checks has found. */
  | { readonly type: 'poolChecked'; readonly check: PoolCheck }
  | { readonly type: 'reopenLogs' }
  /** Answered at once, whatever else goes on. */
  | { readonly type: 'askLife' }
  /** How many sessions it may have, of those that all may have together. */
  | { readonly type: 'shareSessions'; readonly sessions: number }
  | { readonly type: 'drain'; readonly timeoutMs: number }
  | { readonly type: 'stop' }

export type ToSupervisor =
  /** It hears orders from now on. */
  | { readonly type: 'listens' }
  | { readonly type: 'started' }
  /** It cannot start: an `AlgError` in parts. */
  | {
      readonly type: 'failed'
      readonly code: ErrorCode
      readonly message: string
      readonly context: Readonly<Record<string, unknown>>
    }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: Snapshot }
  /** `problem` is null when it has the new configuration. */
  | { readonly type: 'reloaded'; readonly id: number; readonly problem: string | null }
  /** `wasThere` is false when it has no such session. */
  | { readonly type: 'sessionEnded'; readonly id: number; readonly wasThere: boolean }
  /** The number of its sessions has changed. */
  | { readonly type: 'sessions'; readonly count: number }
  /** What it found, for the others. */
  | { readonly type: 'poolChecked'; readonly check: PoolCheck }
  /** What keeps sessions from being served for now has changed. */
  | { readonly type: 'obstacles'; readonly obstacles: readonly string[] }
  /** The answer to `askLife`. */
  | { readonly type: 'lives' }
  /** It has drained or stopped, and ends. */
  | { readonly type: 'ended'; readonly snapshot: Snapshot }

/** Set in a worker's environment: which one it is, from 0. */
export const WORKER_INDEX = 'FTP_ALG_WORKER_INDEX'
