import { expect, vi } from 'vitest'
import { App } from '../../src/app.ts'
import type {
  AdvertiseRule,
  Config,
  LimitsConfig,
  PolicyConfig,
  PortRangeConfig,
  UpstreamMode,
} from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createObserver, type Recorder } from '../../src/observe/recorder.ts'
import type { SessionView, StatusView } from '../../src/observe/view/shapes.ts'
import { within } from '../support/peers/patience.ts'
import type { Endpoint } from '../support/peers/scripted-server.ts'

interface Range {
  readonly first: number
  readonly last: number
  readonly announceOffset?: number
}

/** What differs from the default configuration. */
export interface ProxyPlan {
  /** Default 127.0.0.1. */
  readonly listen?: string
  /** Default 0. */
  readonly listenPort?: number
  readonly upstreamMode?: UpstreamMode
  readonly activeSourcePort?: number
  readonly dataPorts?: Range | { readonly client: Range; readonly server: Range }
  readonly pinholeTimeoutMs?: number
  readonly limits?: Partial<LimitsConfig>
  readonly policy?: Partial<PolicyConfig>
  readonly passthrough?: 'explicit' | 'implicit'
  readonly advertise?: {
    readonly clients?: readonly AdvertiseRule[]
    readonly servers?: readonly AdvertiseRule[]
  }
  readonly drainTimeoutMs?: number
  readonly logLevel?: 'debug' | 'info'
}

export type LogRecord = Readonly<Record<string, unknown>>

/** The whole application in this process, with its real observer. */
export class ProxyUnderTest implements Endpoint {
  readonly app: App
  readonly address: string
  readonly port: number
  readonly #observer: Recorder
  readonly #log: Log

  private constructor({ app, at, observer, log }: { app: App; at: Endpoint; observer: Recorder; log: Log }) {
    this.app = app
    // A wildcard is reached through loopback.
    this.address = at.address === '::' || at.address === '0.0.0.0' ? '127.0.0.1' : at.address
    this.port = at.port
    this.#observer = observer
    this.#log = log
  }

  static async start(
    plan: ProxyPlan & {
      readonly upstream: Endpoint
      readonly dataPorts: NonNullable<ProxyPlan['dataPorts']>
    },
  ): Promise<ProxyUnderTest> {
    const log = new Log()
    const config = configOf(plan)
    const observer = createObserver({ config, version: '0.0.0-test', logOutput: log })
    const app = new App({ config, observer })
    const { listeners } = await app.start()
    const [listener] = listeners
    if (listener === undefined) throw new Error('no listener was started')
    return new ProxyUnderTest({ app, at: listener.at, observer, log })
  }

  get status(): StatusView {
    return this.#observer.status()
  }

  get sessions(): readonly SessionView[] {
    return this.#observer.sessions().items
  }

  get listener(): StatusView['listeners'][number] {
    const [listener] = this.status.listeners
    if (listener === undefined) throw new Error('the status shows no listener')
    return listener
  }

  /** All of `/metrics`. */
  metrics(): Promise<string> {
    return this.#observer.exposition()
  }

  /** The sum of all series of a metric that have these labels. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    const lines = (await this.metrics()).split('\n').filter((line) => /^\w+/.exec(line)?.[0] === name)
    if (lines.length === 0) throw new Error(`/metrics has no ${name}`)
    return lines
      .filter((line) => wanted.every((label) => line.includes(label)))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** The log so far, as text. */
  get log(): string {
    return this.#log.lines.join('')
  }

  get records(): readonly LogRecord[] {
    return this.#log.records
  }

  recordsOf(event: string): readonly LogRecord[] {
    return this.records.filter((record) => record.event === event)
  }

  /** The first record of this event, already written or yet to come. */
  record(event: string, matches: (record: LogRecord) => boolean = () => true): Promise<LogRecord> {
    return this.#log.wait((record) => record.event === event && matches(record), event)
  }

  /** Nothing of any session is left, and no defect of the proxy's own was seen. */
  async forgetsEverything(): Promise<void> {
    await vi.waitFor(() => expect(this.remains).toEqual(nothing), { timeout: 15_000, interval: 20 })
    expect(this.records.filter(({ event }) => event === 'session.fail')).toEqual([])
  }

  /** What is open now. */
  get remains(): typeof nothing {
    const { sessions_active, data_connections_active, pinholes_active } = this.listener
    const ports = this.status.pools.reduce((total, pool) => total + pool.in_use, 0)
    return { sessions_active, data_connections_active, pinholes_active, ports }
  }
}

const nothing = { sessions_active: 0, data_connections_active: 0, pinholes_active: 0, ports: 0 }

/** Takes log lines as the observer writes them. */
class Log {
  readonly lines: string[] = []
  readonly records: LogRecord[] = []
  readonly #watchers = new Set<(record: LogRecord) => void>()

  write(line: string): void {
    this.lines.push(line)
    const record: LogRecord = JSON.parse(line)
    this.records.push(record)
    for (const watcher of [...this.#watchers]) watcher(record)
  }

  wait(matches: (record: LogRecord) => boolean, what: string): Promise<LogRecord> {
    const seen = this.records.find(matches)
    if (seen !== undefined) return Promise.resolve(seen)
    const coming = new Promise<LogRecord>((resolve) => {
      const watcher = (record: LogRecord) => {
        if (!matches(record)) return
        this.#watchers.delete(watcher)
        resolve(record)
      }
      this.#watchers.add(watcher)
    })
    return within(coming, { what: `the log record ${what}`, soFar: () => this.lines.slice(-20).join('') })
  }
}

/** The defaults of the product, then what the plan says. */
function configOf(
  plan: ProxyPlan & { readonly upstream: Endpoint; readonly dataPorts: NonNullable<ProxyPlan['dataPorts']> },
): Config {
  const { upstream, dataPorts, advertise } = plan
  const { config } = loadConfig({
    flags: {
      upstream: 'localhost',
      listen: '127.0.0.1:0',
      admin: 'off',
      'log-level': plan.logLevel ?? 'info',
    },
    environment: {},
  })
  return {
    ...config,
    listeners: config.listeners.map((listener) => ({
      ...listener,
      name: 'edge',
      listen: { address: plan.listen ?? '127.0.0.1', port: plan.listenPort ?? 0 },
      upstream: { host: upstream.address, port: upstream.port },
      upstreamMode: plan.upstreamMode ?? 'client',
      activeSourcePort: plan.activeSourcePort ?? null,
      ...(plan.passthrough && { passthrough: plan.passthrough }),
      advertise: { clients: advertise?.clients ?? [], servers: advertise?.servers ?? [] },
    })),
    dataPorts:
      'client' in dataPorts
        ? { client: range(dataPorts.client), server: range(dataPorts.server), shared: false }
        : { client: range(dataPorts), server: range(dataPorts), shared: true },
    pinholes: { ...config.pinholes, timeoutMs: plan.pinholeTimeoutMs ?? config.pinholes.timeoutMs },
    limits: { ...config.limits, ...plan.limits },
    policy: { ...config.policy, ...plan.policy },
    shutdown: { drainTimeoutMs: plan.drainTimeoutMs ?? 5_000 },
  }
}

function range({ first, last, announceOffset = 0 }: Range): PortRangeConfig {
  return { first, last, announceOffset }
}
