// What `run` runs: the proxy in this process, or a supervisor with workers. Both start, reload, drain and stop.

import { App, type AppOptions } from './app.ts'
import { Supervisor } from './cluster/supervisor.ts'
import { workerConfig } from './cluster/worker-config.ts'
import type { Config } from './config/config.ts'
import { isElsewhere, needsTables, tableOf, workerTable } from './firewall/table-names.ts'
import { type AdminServer, createAdminServer } from './observe/admin.ts'
import type { Recorder } from './observe/recorder.ts'
import type { InterceptionWatch } from './pinhole/nftables/interception-watch.ts'
import type { OwnTables } from './pinhole/nftables/own-tables.ts'
import { sessionsAllowed } from './process/descriptors.ts'
import { type InheritedSocket, inheritedSockets } from './process/inherited-sockets.ts'

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
  readonly trace?: AppOptions['trace']
}

export function createService({ config, observer, environment, trace }: ServiceOptions): Service {
  const options = { config, observer, inherited: inheritedSockets(environment), ...(trace && { trace }) }
  const service = config.workers > 1 ? createSupervised(options) : createSingle(options)
  const tabled = needsTables(config) ? withTables(service, options) : service
  return config.listeners.some(isElsewhere) ? withInterceptionWatched(tabled, options) : tabled
}

interface ProcessOptions extends Omit<ServiceOptions, 'environment'> {
  readonly inherited: readonly InheritedSocket[]
}

function createSingle({ config, observer, inherited, trace }: ProcessOptions): Service {
  const app = new App({ config, observer, inherited, ...(trace && { trace }) })
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

function createSupervised({ config, observer, inherited }: ProcessOptions): Service {
  const supervisor = new Supervisor({ config, observer, inherited: inherited.map(({ fd }) => fd) })
  const admin: AdminServer | null =
    config.admin === null
      ? null
      : createAdminServer({
          observer: { ...supervisor.source, log: observer.log },
          ready: () => supervisor.readiness,
          operations: supervisor.operations,
          ...config.admin,
        })
  const limitSessions = ({ limits, workers }: Config) =>
    observer.sessionLimitChanged(sessionsAllowed({ sessions: limits.sessions, workers }))
  return {
    start: async () => {
      limitSessions(config)
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
      limitSessions(next)
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

/** No other process has the tables while the service runs, and of an earlier run with other workers none are left. */
function withTables(service: Service, { config, observer }: ProcessOptions): Service {
  let tables: OwnTables | null = null
  return {
    ...service,
    start: async () => {
      // Imported only here: everything else runs where there is no Linux and no koffi.
      const { reserveTables } = await import('./pinhole/nftables/own-tables.ts')
      tables = await reserveTables(tableOf(config))
      try {
        await service.start()
      } catch (error) {
        tables.release()
        throw error
      }
      await tables.sweep(tablesUsed(config)).catch((error: unknown) => {
        observer.log('tables.keep', { error })
      })
    },
    drain: (timeoutMs) => service.drain(timeoutMs).finally(() => tables?.release()),
    stop: () => service.stop().finally(() => tables?.release()),
  }
}

/** Reports while the service runs that its interception rules are missing. */
function withInterceptionWatched(service: Service, { config, observer }: ProcessOptions): Service {
  let watch: InterceptionWatch | null = null
  return {
    ...service,
    start: async () => {
      await service.start()
      // Imported only here: everything else runs where there is no Linux and no koffi.
      const { watchInterception } = await import('./pinhole/nftables/interception-watch.ts')
      watch = await watchInterception(config, (missing) => observer.interceptionChecked(missing))
    },
    drain: (timeoutMs) => service.drain(timeoutMs).finally(() => watch?.stop()),
    stop: () => service.stop().finally(() => watch?.stop()),
  }
}

function tablesUsed(config: Config): readonly string[] {
  const table = tableOf(config)
  if (config.workers === 1) return [table]
  return Array.from({ length: config.workers }, (_, index) =>
    workerTable(table, workerConfig(config, index).dataPorts.client.first),
  )
}
