import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadAlertCases, loadAlerts } from '../../support/alerts.ts'
import { loadMetricCatalog, type MetricCatalog, recordingRules } from '../../support/metric-catalog.ts'

const alerts = loadAlerts()
const cases = loadAlertCases()
const runbook = readFileSync(new URL('../../../docs/runbook.md', import.meta.url), 'utf8')
const headings = [...runbook.matchAll(/^### (.*)$/gm)].map(([, heading = '']) => heading)

let catalog: MetricCatalog
beforeAll(async () => {
  catalog = await loadMetricCatalog()
})

describe.each(alerts.map((alert) => [alert.alert, alert] as const))('the alert %s', (name, alert) => {
  it('asks for metrics and labels that exist', () => {
    expect(catalog.mistakesIn(alert.expr)).toEqual([])
  })

  it('has a severity, a summary, a description', () => {
    expect(alert.labels.severity).toMatch(/^(critical|warning|info)$/)
    expect(alert.annotations.summary).toMatch(/\{\{ \$labels\.(instance|job) \}\}/)
    expect(alert.annotations.description).toMatch(/\.$/)
  })

  it('leads to its section in the runbook', () => {
    // One setting of Prometheus makes links of all of them.
    const base = '{{ with $externalLabels.ftp_alg_runbook }}{{ . }}{{ else }}docs/runbook.md{{ end }}'
    expect(alert.annotations.runbook_url).toBe(`${base}#${name.toLowerCase()}`)
    expect(headings).toContain(name)
  })

  it('is tested both firing and silent', () => {
    const own = cases.filter(({ alertname }) => alertname === name)
    expect(own.some(({ exp_alerts: expected }) => expected.length > 0)).toBe(true)
    expect(own.some(({ exp_alerts: expected }) => expected.length === 0)).toBe(true)
  })
})

describe('the runbook', () => {
  it('has a section for each alert and for nothing else', () => {
    expect(headings).toEqual(alerts.map(({ alert }) => alert))
  })

  it('says for each alert what it means, what to look at and what to do', () => {
    for (const section of runbook.split(/^### /m).slice(1)) {
      const name = section.split('\n', 1)[0]
      for (const part of ['**Symptom.**', '**Look at.**', '**Causes and actions.**']) {
        expect(section, `${name}: ${part}`).toContain(part)
      }
    }
  })

  it('quotes queries that can be asked', () => {
    const queries = [...runbook.matchAll(/^```promql\n([\s\S]*?)^```/gm)].map(([, query = '']) =>
      query.trim(),
    )
    expect(queries.length).toBeGreaterThan(10)
    for (const query of queries) expect(catalog.mistakesIn(query), query).toEqual([])
  })
})

describe('the recording rules', () => {
  it.each(recordingRules().map(({ record, expr }) => [record, expr] as const))(
    '%s is named level:metric:operation and made of metrics that exist',
    (record, expr) => {
      expect(record).toMatch(/^instance(_\w+)?:ftp_alg_\w+:\w+$/)
      expect(catalog.mistakesIn(expr)).toEqual([])
    },
  )
})
