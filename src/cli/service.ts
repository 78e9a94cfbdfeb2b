// What `run` runs: the proxy in this process, or a supervisor with workers. Both start, reload, drain and stop.

import { App } from '../app.ts'
import { Supervisor } from '../cluster/supervisor.ts'
import type { Config } from '../config/config.ts'
import { type AdminServer, createAdminServer } from '../observe/admin.ts'
import type { Recorder } from '../observe/recorder.ts'
import { type InheritedSocket, inheritedSockets } from '../process/inherited-sockets.ts'

export interface Service {
  /** Errors: `AlgError`, with nothing left running. */
  start(): Promise<void>
  reload(config: Config): Promise<void>
  /** Goes on with the log files that stand at their paths now. */
  reopenLogs(): void
  drain(timeoutMs: number): Promise<void>
  stop(): Promise<void>
}

export interface ServiceOptions {
  readonly config: Config
  readonly observer: Recorder
  readonly environment: Readonly<Record<string, string | undefined>>
}

export function createService({ config, observer, environment }: ServiceOptions): Service {
  const inherited = inheritedSockets(environment)
  if (config.workers > 1) return createSupervised({ config, observer, inherited })
  const app = new App({ config, observer, inherited })
  return {
    start: async () => {
      await app.start()
    },
    reload: (next) => app.reload(next),
    reopenLogs: () => observer.reopenLogs(),
    drain: (timeoutMs) => app.drain(timeoutMs),
    stop: () => app.stop(),
  }
}

interface SupervisedOptions extends Omit<ServiceOptions, 'environment'> {
  readonly inherited: readonly InheritedSocket[]
}

function createSupervised({ config, observer, inherited }: SupervisedOptions): Service {
  const supervisor = new Supervisor({ config, observer, inherited: inherited.map(({ fd }) => fd) })
  const admin: AdminServer | null =
    config.admin === null
      ? null
      : createAdminServer({
          observer: { ...supervisor.source, log: observer.log },
          ready: () => supervisor.readiness,
          listen: config.admin.listen,
        })
  return {
    start: async () => {
      await supervisor.start()
      try {
        await admin?.start()
      } catch (error) {
        await supervisor.stop()
        throw error
      }
    },
    reload: (next) => {
      observer.setLogLevel(next.log.level)
      return supervisor.reload(next)
    },
    reopenLogs: () => supervisor.reopenLogs(),
    drain: async (timeoutMs) => {
      await supervisor.drain(timeoutMs)
      await admin?.stop()
    },
    stop: async () => {
      await supervisor.stop()
      await admin?.stop()
    },
  }
}
