// The product itself, as its user starts it: `node dist/main.js run …`, here or in a network namespace.

import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Place, runProgram, startProgram, thisMachine } from './programs.ts'

export interface ProxyOptions {
  readonly place?: Place
  /** The text of a configuration file. */
  readonly config?: string
  /** Flags of `ftp-alg run`, for example `['--listen', '127.0.0.1:2121']`. */
  readonly flags?: readonly string[]
  /** Where the admin listener is, as the flags or the file say; passed as `--admin` too. */
  readonly admin?: { readonly address: string; readonly port: number }
  readonly env?: Readonly<Record<string, string>>
}

/** One line of the JSON log. */
export type LogRecord = Readonly<Record<string, unknown>>

export interface RunningProxy {
  readonly pid: number
  /** Everything on stdout and stderr. */
  output(): string
  records(): readonly LogRecord[]
  /** Resolves with the first record that matches, already logged or yet to come. */
  waitForRecord(matches: (record: LogRecord) => boolean, what: string): Promise<LogRecord>
  /** A GET on the admin listener, from the same namespace: `get('/metrics')`. */
  get(path: string): Promise<{ readonly status: number; readonly body: string }>
  metrics(): Promise<string>
  signal(signal: NodeJS.Signals): void
  /** Sends SIGTERM; throws, with the log, when the exit code is not 0. */
  stop(): Promise<void>
  /** Ends it without asking, for tests that failed already. */
  kill(): Promise<void>
}

const main = new URL('../../dist/main.js', import.meta.url).pathname
const defaultAdmin = { address: '127.0.0.1', port: 9121 }

/** Starts the proxy and resolves once `/readyz` answers 200. */
export async function startProxy(options: ProxyOptions = {}): Promise<RunningProxy> {
  if (!existsSync(main)) throw new Error('dist/main.js does not exist: run `npm run build`')
  const { place = thisMachine, admin = defaultAdmin } = options
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-proxy-'))
  const flags = ['--admin', authority(admin), ...(options.flags ?? [])]
  if (options.config !== undefined) {
    await writeFile(join(folder, 'config.yaml'), options.config)
    flags.push('--config', join(folder, 'config.yaml'))
  }
  const program = startProgram([process.execPath, '--enable-source-maps', main, 'run', ...flags], {
    place,
    ...(options.env === undefined ? {} : { env: options.env }),
  })
  const records = () => parseRecords(program.output())
  const get = async (path: string) => {
    const url = `http://${authority(admin)}${path}`
    const asked = await runProgram(['curl', '-sS', '-m', '20', '-w', '\n%{http_code}', url], { place })
    const [, body = '', status = '0'] = /^([\s\S]*)\n(\d+)$/.exec(asked.stdout) ?? []
    return { status: Number(status), body }
  }
  const removeFolder = () => rm(folder, { recursive: true, force: true })
  const kill = async () => {
    await program.kill()
    await removeFolder()
  }
  const proxy: RunningProxy = {
    pid: program.pid,
    output: program.output,
    records,
    waitForRecord: async (matches, what) => {
      const seen = () => records().find(matches)
      await program.waitForOutput(() => seen() !== undefined, { what })
      const record = seen()
      if (record === undefined) throw new Error(`the record of ${what} has vanished`)
      return record
    },
    get,
    metrics: async () => {
      const { status, body } = await get('/metrics')
      if (status !== 200) throw new Error(`/metrics answered ${status}: ${body}`)
      return body
    },
    signal: program.signal,
    stop: async () => {
      program.signal('SIGTERM')
      const timer = setTimeout(() => program.signal('SIGKILL'), 30_000)
      const exitCode = await program.exited
      clearTimeout(timer)
      await removeFolder()
      if (exitCode !== 0) throw new Error(`the proxy ended with exit code ${exitCode}\n${program.output()}`)
    },
    kill,
  }
  try {
    await becomesReady(place, admin, program.exited)
  } catch (error) {
    await kill()
    throw new Error(`the proxy did not become ready\n${program.output()}`, { cause: error })
  }
  return proxy
}

async function becomesReady(
  place: Place,
  admin: NonNullable<ProxyOptions['admin']>,
  exited: Promise<number>,
): Promise<void> {
  const script = `until curl -sf -m 2 -o /dev/null "$0"; do sleep 0.05; done`
  const asking = runProgram(['sh', '-c', script, `http://${authority(admin)}/readyz`], {
    place,
    timeoutMs: 20_000,
  })
  const first = await Promise.race([asking, exited])
  if (typeof first === 'number') throw new Error(`it ended with exit code ${first}`)
  if (first.timedOut) throw new Error('/readyz did not answer 200 within 20 s')
}

function parseRecords(output: string): readonly LogRecord[] {
  const records: LogRecord[] = []
  for (const line of output.split('\n')) {
    if (!line.startsWith('{')) continue
    try {
      records.push(JSON.parse(line))
    } catch {
      // The last line may be half written.
    }
  }
  return records
}

function authority({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
