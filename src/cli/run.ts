// `ftp-alg run`: the daemon. Signals: TERM and INT drain, a second one stops at once; HUP reloads.

import { App } from '../app.ts'
import type { Config } from '../config/config.ts'
import { type ConfigSources, loadConfig } from '../config/load.ts'
import { restartNeeded } from '../config/restart.ts'
import { AlgError } from '../errors.ts'
import { createObserver, type Recorder } from '../observe/recorder.ts'
import { inheritedSockets } from '../process/inherited-sockets.ts'
import { connectServiceManager, type ServiceManager } from '../process/systemd.ts'

export interface RunRequest {
  readonly sources: ConfigSources
  readonly version: string
  readonly stderr: { write(text: string): unknown }
}

/** Runs until a signal ends it; gives the exit code. Errors: `AlgError` when it cannot start. */
export async function run({ sources, version, stderr }: RunRequest): Promise<number> {
  const { config, warnings } = loadConfig(sources)
  for (const warning of warnings) stderr.write(`warning: ${warning}\n`)
  const observer = createObserver({ config, version })
  const app = new App({ config, observer, inherited: inheritedSockets(sources.environment) })
  const manager = await connectServiceManager({
    environment: sources.environment,
    failed: (problem) => observer.log('warn', 'systemd.failed', problem),
  })
  // Without a handler SIGUSR1 opens Node's inspector to whoever can reach it.
  process.on('SIGUSR1', () => undefined)
  process.on('uncaughtException', (error) => {
    observer.log('error', 'process.error', 'unexpected error, the process goes on', { error })
  })
  process.on('unhandledRejection', (error) => {
    observer.log('error', 'process.error', 'unexpected rejection, the process goes on', { error })
  })
  try {
    await app.start()
  } catch (error) {
    const fields = error instanceof AlgError ? { code: error.code, ...error.context } : {}
    observer.log('error', 'process.failed', 'cannot start', { error, ...fields })
    await observer.close()
    throw error
  }
  observer.log('info', 'process.started', 'ftp-alg is running', { version, pid: process.pid })
  manager.ready('Running')
  const exitCode = await untilStopped({ app, observer, manager, config, sources })
  observer.log('info', 'process.stopped', 'ftp-alg has stopped', { exit_code: exitCode })
  await manager.close()
  await observer.close()
  return exitCode
}

interface Running {
  readonly app: App
  readonly observer: Recorder
  readonly manager: ServiceManager
  readonly config: Config
  readonly sources: ConfigSources
}

function untilStopped({ app, observer, manager, config, sources }: Running): Promise<number> {
  let current = config
  process.on('SIGHUP', () => {
    manager.reloading()
    reload({ app, observer, config: current, sources })
      .then(
        (reloaded) => {
          current = reloaded
          observer.configReloaded(null)
        },
        (error: unknown) => observer.configReloaded(error),
      )
      .finally(() => manager.ready('Running'))
  })
  return new Promise((resolve) => {
    let isStopping = false
    const stop = (signal: 'SIGTERM' | 'SIGINT') => {
      if (isStopping) {
        observer.log('warn', 'process.stop', 'second signal, stopping at once', { signal })
        void app.stop().finally(() => resolve(signal === 'SIGINT' ? 130 : 143))
        return
      }
      isStopping = true
      manager.stopping('Draining: no new sessions, transfers finish')
      observer.log('info', 'process.drain', 'draining: no new sessions, transfers finish', {
        signal,
        timeout_ms: current.shutdown.drainTimeoutMs,
      })
      void app.drain(current.shutdown.drainTimeoutMs).finally(() => resolve(0))
    }
    process.on('SIGTERM', () => stop('SIGTERM'))
    process.on('SIGINT', () => stop('SIGINT'))
  })
}

async function reload({ app, observer, config, sources }: Omit<Running, 'manager'>): Promise<Config> {
  const { config: next, warnings } = loadConfig(sources)
  for (const warning of warnings) observer.log('warn', 'config.warning', warning)
  const kept = restartNeeded(config, next)
  if (kept.length > 0) {
    observer.log('warn', 'config.restart_needed', 'some changes need a restart', { keys: kept })
  }
  await app.reload(next)
  return next
}
