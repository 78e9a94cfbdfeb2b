// What systemd wants to hear from a `Type=notify` service: ready, reloading, stopping, a line for
// `systemctl status`, and a sign of life. Without systemd ($NOTIFY_SOCKET unset) all of it does nothing.
//
// The message goes through libsystemd (koffi), else through the program systemd-notify: Node itself cannot send
// datagrams to a Unix socket.
//
// @see sd_notify(3), systemd.service(5) under Type=, NotifyAccess= and WatchdogSec=

import { spawn } from 'node:child_process'
import { loadFfi } from '../kernel/ffi.ts'

export interface ServiceManager {
  /** How messages leave: `none` when systemd does not listen or nothing can send them. */
  readonly channel: 'libsystemd' | 'systemd-notify' | 'none'
  /** The service works: after start, and again after each reload. From the first call on the watchdog is fed. */
  ready(status: string): void
  /** A reload has begun; `ready` says that it is over, whether it changed anything or not. */
  reloading(): void
  /** The service ends. The watchdog is fed until `close`: a drain may take longer than it waits. */
  stopping(status: string): void
  /** One line for people in `systemctl status`. */
  status(text: string): void
  /** Feeds the watchdog no more; resolves when the messages on their way have been handed over. */
  close(): Promise<void>
}

export interface ServiceManagerOptions {
  /** NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are read. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Called once when systemd waits for messages and none can be sent. */
  readonly failed: (problem: string) => void
  /** Replaced by tests only. */
  readonly channels?: readonly OpenChannel[]
}

/** Hands over assignments such as `['READY=1', 'STATUS=…']` and resolves when that is done. */
export type Send = (assignments: readonly string[]) => Promise<void>

/** Gives a channel that works, or throws. */
export type OpenChannel = () => Promise<{
  readonly name: 'libsystemd' | 'systemd-notify'
  readonly send: Send
}>

export async function connectServiceManager(options: ServiceManagerOptions): Promise<ServiceManager> {
  const { environment, failed, channels = [openLibsystemd, openSystemdNotify] } = options
  if ((environment.NOTIFY_SOCKET ?? '') === '') return silentManager
  const problems: string[] = []
  for (const open of channels) {
    try {
      const { name, send } = await open()
      return createManager({ name, send, failed, watchdogMs: watchdogInterval(environment) })
    } catch (error) {
      problems.push(messageOf(error))
    }
  }
  failed(`systemd waits for messages, and none can be sent: ${problems.join('; ')}`)
  return silentManager
}

/**
 * How often to give a sign of life: half of what systemd allows, as sd_watchdog_enabled(3) advises.
 *
 * `{ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }` gives 15000 to process 7 and null to any other.
 */
export function watchdogInterval(
  environment: ServiceManagerOptions['environment'],
  pid: number = process.pid,
): number | null {
  const { WATCHDOG_USEC, WATCHDOG_PID } = environment
  if (WATCHDOG_USEC === undefined || !/^[1-9][0-9]{0,15}$/.test(WATCHDOG_USEC)) return null
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(pid)) return null
  return Math.max(1, Math.floor(Number(WATCHDOG_USEC) / 2000))
}

export const openLibsystemd: OpenChannel = async () => {
  const ffi = await loadFfi()
  const notify: (unsetEnvironment: number, state: string) => number = ffi
    .load('libsystemd.so.0')
    .func('int sd_notify(int unset_environment, const char *state)')
  const send: Send = async (assignments) => {
    // Above 0: sent. Below: -errno, for example -2 when the socket is gone.
    const result = notify(0, assignments.join('\n'))
    if (result <= 0) throw new Error(`sd_notify gave ${result}`)
  }
  return { name: 'libsystemd', send }
}

export const openSystemdNotify: OpenChannel = async () => {
  await run(['--version'])
  return { name: 'systemd-notify', send: run }
}

const silentManager: ServiceManager = {
  channel: 'none',
  ready: () => undefined,
  reloading: () => undefined,
  stopping: () => undefined,
  status: () => undefined,
  close: async () => undefined,
}

interface Connected extends Pick<ServiceManagerOptions, 'failed'> {
  readonly name: 'libsystemd' | 'systemd-notify'
  readonly send: Send
  readonly watchdogMs: number | null
}

function createManager({ name, send, failed, watchdogMs }: Connected): ServiceManager {
  let last: Promise<void> = Promise.resolve()
  let watchdog: NodeJS.Timeout | null = null
  let hasFailed = false
  // One after another, or STOPPING could arrive before READY.
  const tell = (...assignments: string[]) => {
    last = last
      .then(() => send(assignments))
      .catch((error: unknown) => {
        if (!hasFailed) failed(`systemd could not be told ${assignments[0]}: ${messageOf(error)}`)
        hasFailed = true
      })
  }
  return {
    channel: name,
    ready: (status) => {
      tell('READY=1', statusLine(status))
      if (watchdogMs === null || watchdog !== null) return
      // A timer of the event loop: when the loop hangs, systemd hears nothing and restarts us.
      watchdog = setInterval(() => tell('WATCHDOG=1'), watchdogMs).unref()
    },
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: (status) => tell('STOPPING=1', statusLine(status)),
    status: (text) => tell(statusLine(text)),
    close: () => {
      if (watchdog !== null) clearInterval(watchdog)
      return last
    },
  }
}

/** A line break would begin another assignment. */
function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/\p{Cc}+/gu, ' ')}`
}

function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('systemd-notify', args, { stdio: 'ignore' })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`systemd-notify ended with exit code ${code}`))
    })
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
