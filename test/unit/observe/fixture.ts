import type { Config } from '../../../src/config/config.ts'
import type { PageContent } from '../../../src/observe/page/content.ts'
import { createObserver, type Recorder } from '../../../src/observe/recorder.ts'
import type { LogLevel } from '../../../src/vocabulary.ts'

export type LogLine = Readonly<Record<string, unknown>>

export interface Observed {
  readonly observer: Recorder
  /** Log lines so far, parsed. */
  lines(): LogLine[]
  /** The lines of one event, without `time`. */
  linesOf(event: string): LogLine[]
}

const limits: Config['limits'] = {
  sessions: 100,
  sessionsPerClient: 10,
  idleMs: 900_000,
  replyMs: 900_000,
  transferMs: 900_000,
  connectMs: 30_000,
  handshakeMs: 15_000,
  loginMs: 60_000,
  lineBytes: 4096,
  refusals: 10,
  pinholesPerClient: null,
}

/** An observer of the listeners `edge` and, unless told otherwise, no other. */
export function observe({
  level = 'debug',
  listeners = ['edge'],
}: {
  readonly level?: LogLevel
  readonly listeners?: readonly string[]
} = {}): Observed {
  const texts: string[] = []
  const observer = createObserver({
    config: {
      upstreams: [],
      listeners: listeners.map((name) => ({
        name,
        listen: { address: '127.0.0.1', port: 2121 },
        intercept: 'none',
        proxyProtocol: { from: [] },
        upstream: { host: 'ftp.internal', port: 21 },
        source: 'proxy',
        upstreamMode: 'client',
        upstreamVerbs: [],
        upstreamKeepAliveMs: null,
        activeSourcePort: null,
        advertise: { clients: [], servers: [] },
      })),
      limits,
      pinholes: { backend: 'relay', timeoutMs: 60_000 },
      log: { level, format: 'json' },
    },
    version: '1.2.3',
    logOutput: { write: (line) => texts.push(line) },
  })
  observer.tcpChosen({ implementation: 'epoll', reason: null })
  const lines = () => texts.map((text): LogLine => JSON.parse(text))
  return {
    observer,
    lines,
    linesOf: (event) =>
      lines()
        .filter((line) => line.event === event)
        .map(({ time: _time, ...line }) => line),
  }
}

export const client = { address: '203.0.113.9', port: 40001 }
export const server = { address: '10.0.0.5', port: 21 }

/** The proxy's own series and their values: `{ 'ftp_alg_draining': 0, … }`. */
export async function seriesOf(observer: Recorder): Promise<ReadonlyMap<string, number>> {
  const series = new Map<string, number>()
  for (const line of (await observer.exposition()).split('\n')) {
    const match = /^(ftp_alg_\S*?(?:\{.*\})?) (\S+)$/.exec(line)
    if (match?.[1] !== undefined) series.set(match[1], Number(match[2]))
  }
  return series
}

/**
 * What moved while `act` ran, by how much, without the buckets of histograms:
 * `{ 'ftp_alg_sessions_total{listener="edge"}': 1 }`. Series that appeared count from `undefined`.
 */
export async function moved(
  observer: Recorder,
  act: () => unknown,
): Promise<Readonly<Record<string, number>>> {
  const before = await seriesOf(observer)
  await act()
  const changes: Record<string, number> = {}
  for (const [name, value] of await seriesOf(observer)) {
    const old = before.get(name)
    if (old !== value && !name.includes('_bucket'))
      changes[name] = old === undefined ? Number.NaN : value - old
  }
  return changes
}

/** What the status page shows of an observer now. */
export function contentOf(observer: Recorder, differences: Partial<PageContent> = {}): PageContent {
  return {
    status: observer.status(),
    notReady: null,
    sessions: observer.sessions(),
    pinholes: observer.pinholes(100),
    rates: null,
    now: new Date(),
    choice: { filter: '', sort: null },
    canAct: false,
    ...differences,
  }
}
