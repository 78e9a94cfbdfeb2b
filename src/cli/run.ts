// `ftp-alg run`: the daemon. Signals: TERM and INT drain, a second one stops at once; HUP reloads; USR2 reopens log
// files.

import cluster from 'node:cluster'
import { App } from '../app.ts'
import { obeySupervisor } from '../cluster/worker.ts'
import type { Config } from '../config/config.ts'
import { type ConfigSources, loadConfig } from '../config/load.ts'
import { keepUntilRestart, restartNeeded } from '../config/restart.ts'
import { AlgError } from '../errors.ts'
import { createObserver, type Recorder } from '../observe/recorder.ts'
import { tracker } from '../observe/tracker.ts'
import { descriptorLimit, descriptorsFor, sessionsAllowed } from '../process/descriptors.ts'
import { endProcess } from '../process/end-process.ts'
import { FIRST_FD_IN_WORKER, inheritedSockets } from '../process/inherited-sockets.ts'
import { isJournal, isSamePlace, isTerminal, withPriority } from '../process/output-place.ts'
import { Signals } from '../process/signals.ts'
import { connectServiceManager, type ServiceManager } from '../process/systemd.ts'
import { createService, type Service } from '../service.ts'
import { type ConfigWatch, watchConfigFile } from './config-watch.ts'
import { greetingOf } from './greeting.ts'

export interface RunRequest {
  readonly sources: ConfigSources
  readonly version: string
  readonly stderr: { write(text: string): unknown }
  /** The folder for a transcript of each session; null for none. */
  readonly record: string | null
}

/** Runs until a signal (or, in a worker, the supervisor) ends it, and ends the process. Errors: `AlgError` at start. */
export async function run(request: RunRequest): Promise<void> {
  await endProcess(cluster.isWorker ? await runWorker(request) : await runService(request))
}

async function runService({ sources, version, stderr, record }: RunRequest): Promise<number> {
  const watch = watchConfigFile(sources)
  const { config, warnings } = loadConfig(sources)
  const { environment } = sources
  for (const warning of warnings) stderr.write(withPriority(`warning: ${warning}\n`, 4, environment))
  const observer = createObserver({
    config,
    version,
    isLogShared: config.workers > 1,
    hasLogPriorities: isJournal(1, environment),
  })
  surviveMistakes(observer)
  const signals = new Signals()
  const trace = traceSettings(environment, record)
  const service = createService({ config, observer, environment, trace })
  process.on('SIGUSR2', () => service.reopenLogs())
  const manager = await connectServiceManager({
    environment,
    failed: (problem) => observer.log('systemd.fail', { detail: problem }),
  })
  const failed = await startOrExplain(service, observer)
  if (failed !== null) return failed
  if (isTerminal(2)) stderr.write(`${greetingOf(version, config)}\n`)
  observer.log('process.start', {
    version,
    pid: process.pid,
    workers: config.workers,
  })
  warnOfDescriptors(config, observer)
  manager.ready('Running')
  const exitCode = await untilStopped({ service, observer, manager, config, sources, signals, watch })
  observer.log('process.exit', { exit_code: exitCode })
  await manager.close()
  await observer.close()
  return exitCode
}

/** A worker has everything from its supervisor, even the configuration: it may start when the file is wrong. */
async function runWorker({ sources, version, record }: RunRequest): Promise<number> {
  // Signals are the supervisor's business.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    process.on(signal, () => undefined)
  }
  let close: () => Promise<void> = async () => undefined
  try {
    await obeySupervisor(async ({ config }) => {
      const hasLogPriorities = isJournal(1, sources.environment)
      const observer = createObserver({ config, version, isLogShared: true, hasLogPriorities })
      close = observer.close
      surviveMistakes(observer)
      const inherited = inheritedSockets(sources.environment, {
        pid: process.ppid,
        firstFd: FIRST_FD_IN_WORKER,
      })
      const trace = traceSettings(sources.environment, record)
      const app = new App({ config, observer, inherited, trace })
      await app.start()
      return {
        observer,
        operations: app.operations,
        pools: app.pools,
        sessionCount: () => app.operations.sessionCount,
        obstacles: () => app.obstacles,
        shareSessions: (sessions) => app.shareSessions(sessions),
        reload: (next) => app.reload(next),
        drain: (timeoutMs) => app.drain(timeoutMs),
        stop: () => app.stop(),
      }
    })
    return 0
  } catch (error) {
    return error instanceof AlgError ? error.exitCode : 1
  } finally {
    await close()
  }
}

/** For developers: `FTP_ALG_TRACE=session` shows the events and effects of each session's engine, on the error stream. */
function traceSettings(environment: ConfigSources['environment'], record: string | null) {
  return { isShown: environment.FTP_ALG_TRACE === 'session', folder: record }
}

/**
 * Null, or the exit code where the log has said why it cannot start to whoever would read it on the error stream too.
 *
 * Errors: why it cannot start; on a terminal they are not said in the log, where they are hard to read.
 */
async function startOrExplain(
  service: { start(): Promise<unknown> },
  observer: Recorder,
): Promise<number | null> {
  try {
    await service.start()
    return null
  } catch (failure) {
    const error = await withHolder(failure)
    const isOnePlace = isSamePlace(1, 2)
    const isForPeople = isOnePlace && isTerminal(2)
    if (!isForPeople) observer.log('process.fail', { error, ...worldFailure(error) })
    await observer.close()
    if (isOnePlace && !isForPeople && error instanceof AlgError) return error.exitCode
    throw error
  }
}

/** Says who has the port that we want, where the system tells. */
async function withHolder(error: unknown): Promise<unknown> {
  if (!(error instanceof AlgError) || error.context.errno !== 'EADDRINUSE') return error
  const { port } = error.context
  const { holderOf } = await import('./doctor/port-holder.ts')
  const holder = typeof port === 'number' ? holderOf(port) : null
  if (holder === null) return error
  const { code, message, context, cause } = error
  const { name, pid } = holder
  return new AlgError(code, `${message}, by ${name} (process ${pid})`, {
    context: { ...context, holder: name, holder_pid: pid },
    cause,
  })
}

/** Where in our code it was noticed that a port is taken says nothing: no stack, but the values. */
function worldFailure(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof AlgError)) return {}
  const { name, message, code, context } = error
  return { ...context, code, error: { type: name, message, code } }
}

/** An unforeseen exception ends its own session, not the others. */
function surviveMistakes(observer: Recorder): void {
  // Without a handler SIGUSR1 opens Node's inspector to whoever can reach it.
  process.on('SIGUSR1', () => undefined)
  process.on('uncaughtException', (error) => {
    observer.log('process.error', { error, report: tracker })
  })
  process.on('unhandledRejection', (error) => {
    observer.log('process.error', { error, report: tracker })
  })
}

/** More sessions than that get 421, whatever `limits.sessions` says. */
function warnOfDescriptors({ limits, workers }: Config, observer: Recorder): void {
  const { sessions } = limits
  const descriptors = descriptorLimit()
  const allowed = sessionsAllowed({ sessions, workers }, descriptors)
  if (allowed >= sessions) return
  observer.log('descriptors.low', {
    descriptors,
    descriptors_needed: descriptorsFor(Math.ceil(sessions / workers)),
    sessions,
    sessions_allowed: allowed,
  })
}

interface Running {
  readonly service: Service
  readonly observer: Recorder
  readonly manager: ServiceManager
  readonly config: Config
  readonly sources: ConfigSources
  readonly signals: Signals
  readonly watch: ConfigWatch
}

function untilStopped({
  service,
  observer,
  manager,
  config,
  sources,
  signals,
  watch,
}: Running): Promise<number> {
  let current = config
  // One after another: each compares with what the one before has made of it.
  let reloaded = Promise.resolve()
  const reloadOnce = () => {
    manager.reloading()
    reloaded = reloaded
      .then(async () => {
        watch.reading()
        current = await reload({ service, observer, config: current, sources })
        observer.configReloaded(null)
      })
      .catch((error: unknown) => observer.configReloaded(error))
      .finally(() => {
        followFile()
        manager.ready('Running')
      })
  }
  let isStopping = false
  const followFile = () => {
    if (isStopping || !current.reloadOnChange) return watch.stop()
    watch.follow((file) => {
      observer.log('config.change', { file })
      reloadOnce()
    })
  }
  return new Promise((resolve) => {
    // The second signal ends the drain as well, which must not answer for it.
    let exitCode = 0
    const stop = (signal: 'SIGTERM' | 'SIGINT') => {
      if (isStopping) {
        observer.log('process.stop', { signal })
        exitCode = signal === 'SIGINT' ? 130 : 143
        void service.stop().finally(() => resolve(exitCode))
        return
      }
      isStopping = true
      watch.stop()
      manager.stopping('Draining: no new sessions, transfers finish')
      observer.log('process.drain', {
        signal,
        timeout_ms: current.shutdown.drainTimeoutMs,
      })
      void service.drain(current.shutdown.drainTimeoutMs).finally(() => resolve(exitCode))
    }
    followFile()
    signals.actBy((signal) => (signal === 'SIGHUP' ? reloadOnce() : stop(signal)))
  })
}

async function reload({
  service,
  observer,
  config,
  sources,
}: Omit<Running, 'manager' | 'signals' | 'watch'>): Promise<Config> {
  const { config: next, warnings } = loadConfig(sources)
  for (const warning of warnings) observer.log('config.warning', { detail: warning })
  const kept = restartNeeded(config, next)
  if (kept.length > 0) {
    observer.log('config.restart_needed', { keys: kept })
  }
  const effective = keepUntilRestart(config, next)
  warnOfDescriptors(effective, observer)
  await service.reload(effective)
  return effective
}
