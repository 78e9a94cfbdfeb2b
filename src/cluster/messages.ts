// What the supervisor and its workers say to each other, as JSON over the cluster's own channel.

import type { ListView, PinholeView, SessionView, StatusView } from '../observe/view/shapes.ts'

/** Everything an admin server needs of one worker, taken at one moment. */
export interface Snapshot {
  readonly exposition: string
  readonly status: StatusView
  readonly sessions: ListView<SessionView>
  readonly pinholes: ListView<PinholeView>
}

export type ToWorker =
  | { readonly type: 'snapshot'; readonly id: number }
  | { readonly type: 'reload' }
  | { readonly type: 'reopenLogs' }
  | { readonly type: 'drain'; readonly timeoutMs: number }
  | { readonly type: 'stop' }

export type ToSupervisor =
  | { readonly type: 'started' }
  /** It cannot start; `exitCode` is what the process would have exited with. */
  | { readonly type: 'failed'; readonly message: string; readonly exitCode: 1 | 2 | 3 }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: Snapshot }

/** Set in a worker's environment: which one it is, from 0. */
export const WORKER_INDEX = 'FTP_ALG_WORKER_INDEX'
