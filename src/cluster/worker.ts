// One worker: an ordinary service that takes its orders from the supervisor instead of signals, and shows itself to it
// instead of an admin listener.

import cluster from 'node:cluster'
import { assertNever } from '../errors.ts'
import type { Recorder } from '../observe/recorder.ts'
import type { ToSupervisor, ToWorker } from './messages.ts'

/** What a worker can be told to do. */
export interface WorkerService {
  readonly observer: Pick<Recorder, 'exposition' | 'status' | 'sessions' | 'pinholes' | 'reopenLogs'>
  reload(): Promise<void>
  drain(timeoutMs: number): Promise<void>
  stop(): Promise<void>
}

/** Says that the worker is ready, then obeys; resolves when it has been told to end and has ended. */
export function obeySupervisor(service: WorkerService): Promise<void> {
  return new Promise((resolve) => {
    process.on('message', (order: ToWorker) => {
      switch (order.type) {
        case 'snapshot':
          void snapshotOf(service).then((snapshot) => tell({ type: 'snapshot', id: order.id, snapshot }))
          break
        case 'reload':
          void service.reload()
          break
        case 'reopenLogs':
          service.observer.reopenLogs()
          break
        case 'drain':
          void service.drain(order.timeoutMs).finally(resolve)
          break
        case 'stop':
          void service.stop().finally(resolve)
          break
        default:
          assertNever(order)
      }
    })
    // The supervisor is gone: nobody else will tell us.
    process.on('disconnect', () => void service.stop().finally(resolve))
    tell({ type: 'started' })
  })
}

export function tell(message: ToSupervisor): void {
  if (cluster.worker?.isConnected() === true) process.send?.(message)
}

async function snapshotOf({ observer }: WorkerService) {
  return {
    exposition: await observer.exposition(),
    status: observer.status(),
    sessions: observer.sessions(),
    pinholes: observer.pinholes(),
  }
}
