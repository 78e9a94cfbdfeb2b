import type { ChildProcess } from 'node:child_process'
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { Account } from './accounting.ts'

export interface ChildOptions {
  readonly program: string
  readonly args: readonly string[]
  /** Network namespace by name; null is our own. */
  readonly namespace: string | null
  /** Charged with all that the child and its children do. */
  readonly account: Account | null
  readonly workingDirectory: string
  /** Receives standard error, and standard output unless `stdout` is a pipe. */
  readonly logFile: string
  readonly stdout: 'log' | 'pipe'
  readonly environment?: Readonly<Record<string, string>>
}

export interface Child {
  readonly pid: number
  readonly process: ChildProcess
  /** Resolves with a sentence: `exited with code 1`, `was killed by SIGTERM`. */
  readonly exited: Promise<string>
  isAlive(): boolean
  /** The last lines of the log, for messages. */
  logTail(): string
  /** Asks the whole process group to end, insists after two seconds, and takes the stragglers of its account with it. */
  stop(): Promise<void>
}

/** More than any run opens, or as much as we may. */
const raiseLimit = 'ulimit -n 200000 2>/dev/null || ulimit -n "$(ulimit -H -n)"'

/**
 * The order matters: the shell joins the group and raises the limit, nsenter changes only the network, and both are
 * replaced by the program, whose pid is therefore the one that we know.
 */
const prelude = `if [ -n "$0" ]; then echo $$ > "$0"; fi; ${raiseLimit}; exec "$@"`
const patienceMs = 2000

const living = new Set<Child>()
let isOver = false

export function startChild(options: ChildOptions): Child {
  if (isOver) throw new Error('the run is over')
  const { program, args, namespace, account, workingDirectory, logFile, stdout, environment } = options
  const entering = namespace === null ? [] : ['nsenter', `--net=/run/netns/${namespace}`, '--']
  const log = openSync(logFile, 'a')
  const process_ = spawn('/bin/sh', ['-c', prelude, account?.joinFile ?? '', ...entering, program, ...args], {
    cwd: workingDirectory,
    detached: true,
    env: { ...process.env, ...environment },
    stdio: ['pipe', stdout === 'pipe' ? 'pipe' : log, log],
  })
  closeSync(log)
  const { pid } = process_
  if (pid === undefined) throw new Error(`cannot start ${program}: /bin/sh did not run`)
  let alive = true
  const exited = new Promise<string>((resolve) => {
    const gone = (sentence: string): void => {
      alive = false
      resolve(sentence)
    }
    process_.once('exit', (code, signal) =>
      gone(signal === null ? `exited with code ${code}` : `was killed by ${signal}`),
    )
    process_.once('error', (error) => gone(`did not start: ${error.message}`))
  })
  // A child that is gone closes its end of the pipe, and that is no event for us.
  process_.stdin?.on('error', () => {})
  const child: Child = {
    pid,
    process: process_,
    exited,
    isAlive: () => alive,
    logTail: () => tailOf(logFile),
    stop: () => stop(child, account),
  }
  living.add(child)
  return child
}

let knownLimit = 0

/** Descriptors that each child may open. */
export function openFileLimit(): number {
  if (knownLimit === 0)
    knownLimit = Number(execFileSync('/bin/sh', ['-c', `${raiseLimit}; ulimit -n`], { encoding: 'utf8' }))
  return knownLimit
}

/** For the end of the run, whatever brought it about. */
export async function stopAllChildren(): Promise<void> {
  isOver = true
  await Promise.all([...living].map((child) => child.stop()))
}

/** For handlers that cannot wait. */
export function killAllChildren(): void {
  for (const child of living) signalGroup(child, 'SIGKILL')
}

async function stop(child: Child, account: Account | null): Promise<void> {
  if (!living.delete(child)) return
  signalGroup(child, 'SIGTERM')
  await within(patienceMs, child.exited)
  signalGroup(child, 'SIGKILL')
  await within(patienceMs, child.exited)
  if (account === null || account.joinFile === null || !account.isOfOne) return
  for (const pid of account.pids(child.pid)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // Gone by itself in the meantime.
    }
  }
}

/** Never once the leader is gone: its number may belong to somebody else by now. Its account knows who is left. */
function signalGroup(child: Child, signal: NodeJS.Signals): void {
  if (!child.isAlive()) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // It went at this very moment.
  }
}

export async function within<T>(milliseconds: number, wanted: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds)
  })
  const first = await Promise.race([wanted, late])
  clearTimeout(timer)
  return first
}

function tailOf(logFile: string): string {
  const lines = readFileSync(logFile, 'latin1').trimEnd().split('\n')
  return lines.slice(-8).join('\n') || 'its log is empty'
}
