// Runs other people's programs: to their end (`runProgram`) or in the background (`startProgram`), here or in
// a network namespace. Whatever is started in the background dies with this process, however it dies.

import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'

/** Where a program runs: a network namespace, or this machine as it is. */
export interface Place {
  readonly name: string
  /** `['curl', '-s']` gives `['nsenter', '--net=/run/netns/x', '--', 'curl', '-s']`. */
  command(argv: readonly string[]): readonly string[]
}

export const thisMachine: Place = { name: 'this machine', command: (argv) => argv }

export interface ProgramOptions {
  readonly place?: Place
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export interface Ran {
  /** 128 + the signal's number when a signal ended it, as a shell would say. */
  readonly exitCode: number
  /** Latin-1: one byte is one character. */
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
}

/** Runs a program to its end; past `timeoutMs` it is killed and `timedOut` is true. Never throws for a bad exit code. */
export async function runProgram(
  argv: readonly string[],
  options: ProgramOptions & { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<Ran> {
  const child = spawnProgram(argv, options)
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  child.stdin?.on('error', () => undefined) // EPIPE: the program ended without reading its input
  child.stdin?.end(options.input ?? '')
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    child.kill('SIGKILL')
  }, options.timeoutMs ?? 60_000)
  try {
    const exitCode = await exitOf(child, argv)
    return { exitCode, stdout: stdout(), stderr: stderr(), timedOut }
  } finally {
    clearTimeout(timer)
  }
}

/** `runProgram` for what must succeed: gives stdout, throws with the whole output otherwise. */
export async function runOrThrow(
  argv: readonly string[],
  options: ProgramOptions & { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<string> {
  const ran = await runProgram(argv, options)
  if (ran.exitCode === 0) return ran.stdout
  const why = ran.timedOut ? 'timed out' : `exit code ${ran.exitCode}`
  throw new Error(`${argv.join(' ')}: ${why}\n${ran.stderr}${ran.stdout}`)
}

export interface RunningProgram {
  readonly pid: number
  /** Resolves when the program has ended, with its exit code. */
  readonly exited: Promise<number>
  /** Everything it has written to stdout and stderr so far, in order of arrival. */
  output(): string
  write(text: string): void
  signal(signal: NodeJS.Signals): void
  /** Resolves as soon as the output is as wanted; rejects when the program ends first or 20 s pass. */
  waitForOutput(
    wanted: RegExp | ((output: string) => boolean),
    options?: { readonly what?: string; readonly timeoutMs?: number },
  ): Promise<void>
  /** Resolves with the exit code; rejects, with the output, when it still runs after `timeoutMs`. */
  waitForExit(timeoutMs: number): Promise<number>
  /** Kills it, resolves when it is gone. */
  kill(): Promise<void>
}

/** Starts a program in the background. It is killed when this process ends, even by SIGKILL. */
export function startProgram(argv: readonly string[], options: ProgramOptions = {}): RunningProgram {
  const child = spawnProgram(['setpriv', '--pdeathsig', 'KILL', ...argv], options)
  let output = ''
  let ended = false
  const watchers = new Set<() => void>()
  const wake = () => {
    for (const watcher of [...watchers]) watcher()
  }
  const append = (chunk: Buffer) => {
    output += chunk.toString('latin1')
    wake()
  }
  child.stdout?.on('data', append)
  child.stderr?.on('data', append)
  child.stdin?.on('error', () => undefined)
  const exited = exitOf(child, argv).finally(() => {
    ended = true
    wake()
  })
  exited.catch(() => undefined) // reported by whoever waits
  return {
    pid: child.pid ?? -1,
    exited,
    output: () => output,
    write: (text) => child.stdin?.write(text, 'latin1'),
    signal: (signal) => child.kill(signal),
    waitForOutput: (wanted, { what = String(wanted), timeoutMs = 20_000 } = {}) =>
      new Promise((resolve, reject) => {
        const finish = (problem: string | null) => {
          clearTimeout(timer)
          watchers.delete(look)
          if (problem === null) resolve()
          else reject(new Error(`${argv.join(' ')}: ${problem} before ${what} was seen\n${output}`))
        }
        const look = () => {
          if (typeof wanted === 'function' ? wanted(output) : wanted.test(output)) finish(null)
          else if (ended) finish('ended')
        }
        const timer = setTimeout(() => finish(`${timeoutMs} ms passed`), timeoutMs)
        watchers.add(look)
        look()
      }),
    waitForExit: async (timeoutMs) => {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_, reject) => {
        const problem = () =>
          reject(new Error(`${argv.join(' ')}: still runs after ${timeoutMs} ms\n${output}`))
        timer = setTimeout(problem, timeoutMs)
      })
      try {
        return await Promise.race([exited, late])
      } finally {
        clearTimeout(timer)
      }
    },
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

function spawnProgram(argv: readonly string[], options: ProgramOptions): ChildProcess {
  const [program, ...args] = (options.place ?? thisMachine).command(argv)
  if (program === undefined) throw new Error('no program was named')
  return spawn(program, args, {
    env: { ...process.env, ...options.env },
    stdio: 'pipe',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = []
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('latin1')
}

function exitOf(child: ChildProcess, argv: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`${argv.join(' ')}: could not be started`, { cause })))
    child.once('close', (code, signal) => resolve(code ?? 128 + signalNumber(signal)))
  })
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : (constants.signals[signal] ?? 0)
}
