import { readFileSync } from 'node:fs'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import type { MetricFamily } from '../../../src/observe/metrics/family.ts'
import * as labelSets from '../../../src/observe/metrics/labels.ts'
import { defineRuntimeMetrics } from '../../../src/observe/metrics/process.ts'
import { createEveryMetric } from '../../support/metric-catalog.ts'

const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')

const runtime = new Registry()
defineRuntimeMetrics(runtime)

/** prom-client's own say which labels they have; of ours every series exists, with all its labels. */
function labelsOf({ name, values }: MetricFamily): unknown {
  const metric = runtime.getSingleMetric(name)
  if (metric !== undefined) return 'labelNames' in metric ? metric.labelNames : []
  return Object.keys(values[0]?.labels ?? {}).filter((label) => label !== 'le')
}

interface Row {
  readonly name: string
  readonly type: string
  readonly labels: readonly string[]
  readonly help: string
}

/** Rows of the form `| name | type | labels | help |` whose type is one of Prometheus's. */
function documentedMetrics(): readonly Row[] {
  const rows = page.matchAll(/^\| `(\w+)` \| (counter|gauge|histogram) \| (.+?) \| (.+) \|$/gm)
  return [...rows].map(([, name = '', type = '', labels = '', help = '']) => ({
    name,
    type,
    labels: [...labels.matchAll(/`(\w+)`/g)].map((match) => match[1] ?? ''),
    help,
  }))
}

/** By label, or by label and metric, the values and their meanings. */
function documentedValues(): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const tables = new Map<string, Readonly<Record<string, string>>>()
  for (const section of page.split(/^### /m).slice(1)) {
    const [, label = '', metric = ''] = /^`(\w+)`(?: of `(\w+)`)?$/m.exec(section) ?? []
    const rows = section.matchAll(/^\| `([\w.]+)` \| (.+) \|$/gm)
    tables.set(
      `${label} ${metric}`,
      Object.fromEntries([...rows].map(([, value = '', text = '']) => [value, text])),
    )
  }
  return tables
}

describe('docs/metrics.md', () => {
  test('lists every metric with its type, labels and help, and no other', async () => {
    const registered = (await createEveryMetric().families()).map((family) => {
      const { name, type, help } = family
      return { name, type, labels: labelsOf(family), help }
    })
    const byName = (rows: readonly { readonly name: string }[]) =>
      rows.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    expect(byName(documentedMetrics())).toEqual(byName(registered))
  })

  test('names every value of every label, and no other', async () => {
    const documented = documentedValues()
    const used = new Set<string>()
    for (const { name, values } of await createEveryMetric().families()) {
      if (!name.startsWith('ftp_alg_')) continue
      const seen = new Map<string, Set<string>>()
      for (const { labels } of values) {
        for (const [label, value] of Object.entries(labels)) {
          const known = seen.get(label) ?? new Set()
          seen.set(label, known.add(String(value)))
        }
      }
      for (const [label, found] of seen) {
        if (
          [
            'listener',
            'upstream',
            'server',
            'command',
            'version',
            'node_version',
            'certificate',
            'le',
          ].includes(label)
        )
          continue
        const key = documented.has(`${label} ${name}`) ? `${label} ${name}` : `${label} `
        used.add(key)
        // build_info has the one backend that runs.
        if (name === 'ftp_alg_build_info') continue
        expect([name, key, Object.keys(documented.get(key) ?? {}).sort()]).toEqual([
          name,
          key,
          [...found].sort(),
        ])
      }
    }
    expect([...used].sort()).toEqual([...documented.keys()].sort())
  })

  test('says of each value what the code says', () => {
    const tables = [...documentedValues().values()].map((table) => JSON.stringify(table))
    const missing = Object.entries(labelSets)
      .filter(([, set]) => typeof set === 'object' && !tables.includes(JSON.stringify(set)))
      .map(([name]) => name)
    expect(missing).toEqual([])
  })

  test('uses only metrics that exist in its queries', () => {
    const names = new Set(documentedMetrics().map(({ name }) => name))
    const queried = [...page.matchAll(/(?:ftp_alg|nodejs|process)_\w+/g)]
      .map(([name]) => name.replace(/_bucket$/, ''))
      .filter((name) => !name.endsWith('_') && name !== 'nodejs_active_handles_total')
    expect(queried.filter((name) => !names.has(name))).toEqual([])
  })
})
