// Every series name that a scrape of ftp-alg can give, with its labels and the values they have: from the real
// registry, and from the recording rules made of it.

import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { createMetrics } from '../../src/observe/metrics.ts'
import { readPromql, type Selector } from './promql.ts'

export interface MetricCatalog {
  /** Families of the registry: `ftp_alg_session_duration_seconds`, not its `_bucket`. */
  readonly families: readonly string[]
  /** What is wrong with a query, one sentence each: unknown names, labels and label values. */
  mistakesIn(expression: string): readonly string[]
}

interface Series {
  readonly labels: ReadonlySet<string>
  /** Values by label, where they are a closed set. */
  readonly values: ReadonlyMap<string, ReadonlySet<string>>
}

/** What Prometheus adds to every series. */
const targetLabels = ['job', 'instance']
/** Names that come from a configuration, not from a closed set. */
const openLabels = ['listener', 'upstream', 'server', 'version', 'node_version', 'certificate', 'le']

/** Every family, with one listener that has TLS, which not all have. */
export function createEveryMetric() {
  const created = createMetrics({
    version: '0.0.0',
    backend: 'relay',
    listeners: [{ name: 'edge', intercepts: false, hasTls: true }],
    pools: () =>
      (['client', 'server', 'shared'] as const).map((pool) => ({ pool, ports: 1, inUse: 0, quarantined: 0 })),
    certificates: () => [
      {
        listener: 'edge',
        side: 'client',
        file: '/etc/ftp-alg/edge.crt',
        subject: 'CN=edge',
        expiresMs: Date.now(),
      },
      {
        listener: 'edge',
        side: 'server',
        file: '/etc/ftp-alg/us.crt',
        subject: 'CN=us',
        expiresMs: Date.now(),
      },
    ],
    upstreams: () => [
      {
        pool: 'mainframe',
        failovers: 0,
        servers: [
          { pool: 'mainframe', server: 'ftp-a:21', isUp: true, isBackup: false, sessions: 0, failures: 0 },
        ],
      },
    ],
  })
  created.process.runsOn('epoll')
  return created
}

export async function loadMetricCatalog(): Promise<MetricCatalog> {
  const created = createEveryMetric()
  const { families } = created
  // Prometheus' own.
  const series = new Map<string, Series>([
    ['up', { labels: new Set(targetLabels), values: new Map() }],
    [
      'ALERTS',
      { labels: new Set([...targetLabels, 'alertname', 'alertstate', 'severity']), values: new Map() },
    ],
  ])
  const metrics = await families()
  for (const { name, type, values } of metrics) {
    const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    for (const suffix of suffixes) series.set(`${name}${suffix}`, seriesOf(name, values, suffix))
  }
  for (const { record, expr } of recordingRules()) {
    const parts = readPromql(expr).selectors.map(({ metric }) => series.get(metric))
    series.set(record, {
      labels: new Set(parts.flatMap((part) => [...(part?.labels ?? [])])),
      values: new Map(),
    })
  }
  return {
    families: metrics.map(({ name }) => name),
    mistakesIn: (expression) => mistakesIn(expression, series),
  }
}

/** `{ record: 'instance:ftp_alg_sessions_active:sum', expr: 'sum without …' }` */
export function recordingRules(): readonly { readonly record: string; readonly expr: string }[] {
  const file = new URL('../../grafana/prometheus/recording.yml', import.meta.url)
  const { groups }: { groups: { rules: { record: string; expr: string }[] }[] } = parse(
    readFileSync(file, 'utf8'),
  )
  return groups.flatMap(({ rules }) => rules)
}

function seriesOf(name: string, values: readonly { readonly labels: object }[], suffix: string): Series {
  const known = new Map<string, Set<string>>()
  for (const { labels } of values) {
    for (const [label, value] of Object.entries(labels)) {
      known.set(label, (known.get(label) ?? new Set()).add(String(value)))
    }
  }
  const labels = new Set([...targetLabels, ...known.keys()])
  if (suffix !== '_bucket') labels.delete('le')
  // Garbage collection has no series before the first one ran.
  if (name === 'nodejs_gc_duration_seconds') labels.add('kind')
  for (const label of openLabels) known.delete(label)
  return { labels, values: known }
}

function mistakesIn(expression: string, series: ReadonlyMap<string, Series>): string[] {
  const { selectors, groupLabels } = readPromql(expression)
  const usable = new Set<string>()
  const mistakes = selectors.flatMap((selector) => {
    const found = series.get(selector.metric)
    if (found === undefined) return [`there is no metric ${selector.metric}`]
    for (const label of found.labels) usable.add(label)
    return matcherMistakes(selector, found)
  })
  const unknown = groupLabels.filter((label) => !usable.has(label))
  return [...mistakes, ...unknown.map((label) => `nothing in the query has the label ${label}`)]
}

function matcherMistakes({ metric, matchers }: Selector, { labels, values }: Series): string[] {
  return matchers.flatMap(({ label, value }) => {
    if (!labels.has(label)) return [`${metric} has no label ${label}`]
    const known = values.get(label)
    if (known === undefined || value.startsWith('$')) return []
    const unknown = value.split('|').filter((alternative) => !known.has(alternative))
    return unknown.map((alternative) => `${metric} never has ${label} ${alternative}`)
  })
}
