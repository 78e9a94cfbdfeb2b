// A real Prometheus (Debian's), in the place of what it scrapes.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { debianTree } from './debian.ts'
import { type Place, runProgram, startProgram } from './programs.ts'

export interface Prometheus {
  /** Asks for the values now; throws what Prometheus says when the query is wrong. */
  query(expression: string): Promise<readonly Sample[]>
  /** Asks for the last `seconds`, one value a second; points are Unix seconds and values. */
  queryRange(expression: string, seconds: number): Promise<readonly Series[]>
  /** The same, with the largest value of each series. */
  queryMaxima(expression: string, seconds: number): Promise<readonly Sample[]>
  /** Resolves with the samples as soon as there are any, and all of them satisfy; throws after `timeoutMs`. */
  waitFor(
    expression: string,
    satisfies: (samples: readonly Sample[]) => boolean,
    timeoutMs?: number,
  ): Promise<readonly Sample[]>
  /** `GET /api/v1/rules`: each rule's name and whether it can be evaluated. */
  rules(): Promise<readonly { readonly name: string; readonly health: string; readonly lastError?: string }[]>
  stop(): Promise<void>
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly points: readonly (readonly [number, number])[]
}

export interface PrometheusOptions {
  readonly place: Place
  readonly port: number
  /** The text of prometheus.yml. */
  readonly config: string
}

export async function startPrometheus({ place, port, config }: PrometheusOptions): Promise<Prometheus> {
  const tree = await debianTree(['prometheus'])
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-prometheus-'))
  await writeFile(join(folder, 'prometheus.yml'), config)
  const program = startProgram(
    [
      tree.program('usr/bin/prometheus'),
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { place, env: tree.env },
  )
  const ask = async (path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> => {
    const fields = Object.entries(parameters).flatMap(([name, value]) => [
      '--data-urlencode',
      `${name}=${value}`,
    ])
    const url = `http://127.0.0.1:${port}/api/v1/${path}`
    const { stdout, stderr } = await runProgram(['curl', '-sS', '-G', '-m', '20', ...fields, url], { place })
    const answer: { status?: string; error?: string; data?: unknown } = JSON.parse(stdout || '{}')
    if (answer.status === 'success') return answer.data
    throw new Error(`${path} ${JSON.stringify(parameters)}: ${answer.error ?? stderr}\n${program.output()}`)
  }
  const query: Prometheus['query'] = async (expression) => vectorOf(await ask('query', { query: expression }))
  const queryRange: Prometheus['queryRange'] = async (expression, seconds) => {
    const end = Date.now() / 1000
    const range = { start: String(end - seconds), end: String(end), step: '1' }
    return matrixOf(await ask('query_range', { query: expression, ...range }))
  }
  await program.waitForOutput(/Server is ready to receive web requests/)
  return {
    query,
    queryRange,
    queryMaxima: async (expression, seconds) => {
      const series = await queryRange(expression, seconds)
      return series.map(({ labels, points }) => ({
        labels,
        value: Math.max(...points.map(([, value]) => value)),
      }))
    },
    waitFor: async (expression, satisfies, timeoutMs = 20_000) => {
      const deadline = Date.now() + timeoutMs
      for (;;) {
        const samples = await query(expression)
        if (samples.length > 0 && satisfies(samples)) return samples
        if (Date.now() > deadline) throw new Error(`${expression} is still ${JSON.stringify(samples)}`)
        await pause(100)
      }
    },
    rules: async () => {
      // Written down as Prometheus documents it; a wrong shape fails right here.
      const { groups } = (await ask('rules')) as {
        groups: { rules: { name: string; health: string; lastError?: string }[] }[]
      }
      return groups.flatMap(({ rules }) => rules)
    },
    stop: async () => {
      await program.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

interface Answer<Content> {
  readonly result: readonly ({ readonly metric: Readonly<Record<string, string>> } & Content)[]
}

function vectorOf(data: unknown): Sample[] {
  const { result } = data as Answer<{ readonly value: readonly [number, string] }>
  return result.map(({ metric, value }) => ({ labels: metric, value: numberOf(value[1]) }))
}

/** Without the points where there is no number. */
function matrixOf(data: unknown): Series[] {
  const { result } = data as Answer<{ readonly values: readonly (readonly [number, string])[] }>
  return result.map(({ metric, values }) => ({
    labels: metric,
    points: values
      .map(([at, value]) => [at, numberOf(value)] as const)
      .filter(([, value]) => !Number.isNaN(value)),
  }))
}

function numberOf(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text)
}
