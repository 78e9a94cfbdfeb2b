// One worker: an ordinary service that takes its orders from the supervisor instead of signals, and shows itself to it
// instead of an admin listener.

import cluster from 'node:cluster'
import type { Config } from '../config/config.ts'
import { AlgError, assertNever } from '../errors.ts'
import type { Recorder } from '../observe/recorder.ts'
import type { PoolCheck } from '../vocabulary.ts'
import type { Snapshot, StartOrder, ToSupervisor, ToWorker } from './messages.ts'

/** What a worker can be asked to do. */
export interface WorkerService {
  readonly observer: Pick<Recorder, 'families' | 'status' | 'sessions' | 'pinholes' | 'reopenLogs'>
  readonly operations: WorkerOperations
  readonly pools: WorkerPools
  sessionCount(): number
  /** Listeners that cannot accept connections for now. */
  obstacles(): readonly string[]
  shareSessions(sessions: number): void
  reload(config: Config): Promise<void>
  drain(timeoutMs: number): Promise<void>
  stop(): Promise<void>
}

/** One worker checks the servers of pools; the others hear of it. */
export interface WorkerPools {
  check(isChecker: boolean): void
  heard(check: PoolCheck): void
  reportTo(report: (check: PoolCheck) => void): void
}

/** What operators do to one worker. */
export interface WorkerOperations {
  endSession(id: string): boolean
  drain(order: { readonly listeners: readonly string[]; readonly endsSessions: boolean }): void
  resume(listeners: readonly string[]): void
}

/** How often the supervisor hears how many sessions there are, and what keeps it from serving them, when that changes. */
const COUNT_MS = 100
/** How long a worker may take to stop when the supervisor is gone. */
const ORPHAN_MS = 900

/**
 * Starts when the supervisor says so, then obeys; resolves when it was asked to end and has ended, or when the
 * supervisor is gone. Errors: what `start` throws, after it was sent to the supervisor.
 */
export async function obeySupervisor(start: (order: StartOrder) => Promise<WorkerService>): Promise<void> {
  // Else Node ends this process with the supervisor's, before the kernel's tables are put in order.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true
  try {
    const running = await listen(start)
    if (running !== null) await tell({ type: 'ended', snapshot: await snapshotOf(running) })
  } catch (error) {
    await tell(failureOf(error))
    throw error
  }
}

/** Resolves with the service that ran, or null when there was none. */
function listen(start: (order: StartOrder) => Promise<WorkerService>): Promise<WorkerService | null> {
  let service: Promise<WorkerService | null> = Promise.resolve(null)
  return new Promise((resolve, reject) => {
    /** Orders come when they like; none is carried out before the service runs. */
    const whenRunning = (act: (running: WorkerService) => unknown) => {
      void service.then((running) => (running === null ? undefined : act(running))).catch(reject)
    }
    const end = (act: (running: WorkerService) => Promise<void>) => {
      void service
        .then(async (running) => {
          if (running !== null) await act(running)
          resolve(running)
        })
        .catch(reject)
    }
    process.on('message', (order: ToWorker) => {
      switch (order.type) {
        case 'start':
          service = start(order)
          whenRunning(async (running) => {
            if (order.drained.length > 0)
              running.operations.drain({ listeners: order.drained, endsSessions: false })
            running.pools.reportTo((check) => void tell({ type: 'poolChecked', check }))
            await tell({ type: 'started' })
            tellChanges(running)
          })
          break
        case 'snapshot':
          whenRunning(async (running) => {
            // One that cannot be taken, for want of a descriptor say, is no reason to end: then there is no answer.
            const snapshot = await snapshotOf(running).catch(() => null)
            if (snapshot !== null) await tell({ type: 'snapshot', id: order.id, snapshot })
          })
          break
        case 'reload':
          whenRunning(async (running) => {
            const problem = await running.reload(order.config).then(() => null, messageOf)
            await tell({ type: 'reloaded', id: order.id, problem })
          })
          break
        case 'endSession':
          whenRunning(({ operations }) =>
            tell({ type: 'sessionEnded', id: order.id, wasThere: operations.endSession(order.session) }),
          )
          break
        case 'drainListeners':
          whenRunning(({ operations }) => operations.drain(order))
          break
        case 'resumeListeners':
          whenRunning(({ operations }) => operations.resume(order.listeners))
          break
        case 'checkPools':
          whenRunning(({ pools }) => pools.check(order.isChecker))
          break
        case 'poolChecked':
          whenRunning(({ pools }) => pools.heard(order.check))
          break
        case 'reopenLogs':
          whenRunning(({ observer }) => observer.reopenLogs())
          break
        case 'askLife':
          void tell({ type: 'lives' })
          break
        case 'shareSessions':
          whenRunning((running) => running.shareSessions(order.sessions))
          break
        case 'drain':
          end((running) => running.drain(order.timeoutMs))
          break
        case 'stop':
          end((running) => running.stop())
          break
        default:
          assertNever(order)
      }
    })
    // The supervisor is gone: no order to end will come.
    process.on('disconnect', () => {
      // Whatever keeps this process must not keep the ports from a successor.
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), ORPHAN_MS).unref()
      end((running) => running.stop())
    })
    void tell({ type: 'listens' })
  })
}

function tellChanges(service: WorkerService): void {
  let sent = 0
  let toldObstacles = ''
  setInterval(() => {
    const [count, obstacles] = [service.sessionCount(), service.obstacles()]
    if (count !== sent) void tell({ type: 'sessions', count })
    if (obstacles.join() !== toldObstacles) void tell({ type: 'obstacles', obstacles })
    sent = count
    toldObstacles = obstacles.join()
  }, COUNT_MS).unref()
}

/** Resolves when the message is on its way, or cannot be sent because the supervisor is gone. */
function tell(message: ToSupervisor): Promise<void> {
  return new Promise((resolve) => {
    if (cluster.worker?.isConnected() === true) process.send?.(message, () => resolve())
    else resolve()
  })
}

async function snapshotOf({ observer }: WorkerService): Promise<Snapshot> {
  return {
    families: await observer.families(),
    status: observer.status(),
    sessions: observer.sessions(),
    pinholes: observer.pinholes(),
  }
}

function failureOf(error: unknown): ToSupervisor {
  const { code, context } =
    error instanceof AlgError ? error : { code: 'RUNTIME_FAILED' as const, context: {} }
  return { type: 'failed', code, message: messageOf(error), context }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
