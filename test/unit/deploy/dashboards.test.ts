// The rules of grafana/dashboard-linter that fit, and some of ours. Names are compared with the real registry.

import { beforeAll, describe, expect, it } from 'vitest'
import { loadAlerts } from '../../support/alerts.ts'
import { dashboardNames, loadDashboard, type Panel, panelsOf, queriesOf } from '../../support/dashboards.ts'
import { loadMetricCatalog, type MetricCatalog } from '../../support/metric-catalog.ts'
import { readPromql } from '../../support/promql.ts'

/** Families that no panel shows, and why. */
const notShown: Readonly<Record<string, string>> = {
  ftp_alg_conntrack_entries:
    'of the whole machine: node_exporter’s dashboards have it, an alert of ours tells',
  ftp_alg_conntrack_limit: 'the same',
  ftp_alg_interception_in_place: 'an alert tells at once, and without it nothing else can be seen',
  ftp_alg_listener_drained: 'an operator did it; readiness and the status page say so',
  ftp_alg_listener_intercepts: 'the configuration says so; the alerts need it',
  ftp_alg_listener_up: 'a process whose listener is not up does not start, or is not ready',
  ftp_alg_translations_forgotten_total:
    'it moves when somebody empties conntrack’s table, who knows; the log says it, too',
}

const alertNames = loadAlerts().map(({ alert }) => alert)

let catalog: MetricCatalog
beforeAll(async () => {
  catalog = await loadMetricCatalog()
})

describe.each(dashboardNames)('the dashboard %s', (name) => {
  const dashboard = loadDashboard(name)
  const panels = panelsOf(dashboard)

  it('can be provisioned and imported: fixed uid, no id, not editable', () => {
    expect(dashboard.uid).toBe(name)
    expect(dashboard.id).toBeNull()
    expect(dashboard.editable).toBe(false)
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39)
    expect(dashboard.tags).toContain('ftp-alg')
    expect(Object.keys(dashboard)).not.toContain('__inputs')
  })

  it('shows connection counts first: sessions and data connections, large, top left', () => {
    const [first, second] = panels
    expect(first?.title).toBe('Sessions')
    expect(first?.gridPos).toMatchObject({ x: 0, y: 0 })
    expect(first?.targets?.[0]?.expr).toContain('ftp_alg_sessions_active')
    expect(second?.title).toBe('Data connections')
    expect(second?.gridPos).toMatchObject({ x: first?.gridPos.w, y: 0 })
    expect(second?.targets?.[0]?.expr).toContain('ftp_alg_data_connections_active')
  })

  it('has one data source variable, and selects by job, instance and listener', () => {
    const variables = dashboard.templating.list
    expect(variables.map(({ name }) => name)).toEqual([
      'datasource',
      'job',
      'instance',
      'listener',
      'runbook',
    ])
    expect(variables[0]).toMatchObject({ type: 'datasource', label: 'Data source', query: 'prometheus' })
    for (const variable of variables.slice(1, -1)) {
      expect(variable, variable.name).toMatchObject({ type: 'query', refresh: 2 })
      expect(variable.description, variable.name).toMatch(/\.$/)
      const isOne = name === 'ftp-alg-instance' && variable.name === 'instance'
      expect(variable, variable.name).toMatchObject({ multi: !isOne, includeAll: !isOne })
    }
  })

  it('asks variables for metrics and labels that exist', () => {
    for (const variable of dashboard.templating.list.slice(1, -1)) {
      const query = typeof variable.query === 'string' ? variable.query : variable.query.query
      const [, selector = '', label] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? []
      expect(catalog.mistakesIn(`sum by (${label}) (${selector})`), query).toEqual([])
    }
  })

  it('says where choosing a listener changes nothing', () => {
    for (const { title, description, targets = [] } of panels) {
      const obeying = targets.filter(({ expr }) => expr.includes('$listener')).length
      const said = /The listener variable changes (nothing here|only a part of it)\.$/.exec(
        description ?? '',
      )?.[1]
      const expected =
        obeying > 0 && obeying === targets.length
          ? undefined
          : obeying === 0
            ? 'nothing here'
            : 'only a part of it'
      expect([title, said]).toEqual([title, expected])
    }
  })

  it.each(panels.map((panel) => [panel.title, panel] as const))('panel %s is complete', (_title, panel) => {
    expect(panel.title).not.toBe('')
    expect(panel.description).toMatch(/\.$/)
    // Grafana's own, without a query.
    if (panel.type === 'alertlist') return
    expect(panel.datasource).toEqual({ type: 'prometheus', uid: expect.stringMatching(/^\$\{datasource\}$/) })
    expect(panel.targets?.length).toBeGreaterThan(0)
    expect(panel.fieldConfig?.defaults.unit).toBeDefined()
    const refIds = panel.targets?.map(({ refId }) => refId) ?? []
    expect(new Set(refIds).size).toBe(refIds.length)
    if (panel.type === 'timeseries') {
      for (const { legendFormat, expr } of panel.targets ?? []) expect(legendFormat, expr).toBeTruthy()
    }
  })

  it('says what emptiness means wherever a panel shows only what happens', () => {
    for (const { title, targets = [], fieldConfig } of panels) {
      if (targets.length === 0 || !targets.every(({ expr }) => expr.includes('> 0'))) continue
      expect(fieldConfig?.defaults.noValue, title).toBeTruthy()
    }
  })

  it.each(queriesOf(name).map(({ place, expr }) => [place, expr] as const))('%s is sound', (_place, expr) => {
    expect(catalog.mistakesIn(expr)).toEqual([])
    const { selectors, ranges } = readPromql(expr)
    for (const { metric, matchers } of selectors) {
      const selected = matchers.map(({ label, operator, value }) => `${label}${operator}${value}`)
      expect(selected, metric).toEqual(expect.arrayContaining(['job=~$job', 'instance=~$instance']))
    }
    for (const range of ranges) expect(range).toMatch(/^(rate|increase) \$__rate_interval$/)
  })

  it('selects the listener wherever a metric has one, except for what belongs to the whole process', () => {
    for (const { place, expr } of queriesOf(name)) {
      for (const { metric, matchers } of readPromql(expr).selectors) {
        const hasListener = catalog.mistakesIn(`sum by (listener) (${metric})`).length === 0
        const isSelected = matchers.some(({ label }) => label === 'listener')
        const isOfProcess = /"Of the session limit"/.test(place)
        expect(isSelected, `${place}: ${metric}`).toBe(hasListener && !isOfProcess)
      }
    }
  })

  it('leads from panels to sections of the runbook', () => {
    const url = 'https://example.invalid/ftp-alg/blob/main/docs/runbook.md'
    expect(dashboard.templating.list.at(-1)).toMatchObject({
      type: 'textbox',
      query: url,
      current: { value: url },
    })
    for (const { title, url, targetBlank } of panels.flatMap(({ links = [] }) => links)) {
      const [, alert = ''] = /^Runbook: (\w+)$/.exec(title) ?? []
      expect(alertNames).toContain(alert)
      expect({ url, targetBlank }).toEqual({ url: `\${runbook}#${alert.toLowerCase()}`, targetBlank: true })
    }
  })

  it('has panels of its own ids that lie inside the grid and never on each other', () => {
    const everything = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
    const ids = everything.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { title, gridPos } of everything) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
    }
    for (const [index, one] of everything.entries()) {
      for (const other of everything.slice(index + 1)) {
        expect(overlap(one, other), `${one.title} and ${other.title}`).toBe(false)
      }
    }
  })
})

describe('the dashboards together', () => {
  it('show every metric of ftp-alg', () => {
    const asked = new Set(
      dashboardNames
        .flatMap(queriesOf)
        .flatMap(({ expr }) => readPromql(expr).selectors)
        .map(({ metric }) => metric.replace(/_(bucket|sum|count)$/, '')),
    )
    const missing = catalog.families.filter(
      (family) => family.startsWith('ftp_alg_') && !asked.has(family) && notShown[family] === undefined,
    )
    expect(missing).toEqual([])
  })

  it('lead to the section of every alert that a panel shows the cause of', () => {
    const linked = new Set(
      dashboardNames
        .flatMap((name) => panelsOf(loadDashboard(name)))
        .flatMap(({ links = [] }) => links.map(({ title }) => title.replace('Runbook: ', ''))),
    )
    expect(alertNames.filter((name) => !linked.has(name))).toEqual([
      'FtpAlgAbsent',
      'FtpAlgInterceptionMissing',
      'FtpAlgConntrackNearlyFull',
    ])
  })

  it('list the alerts', () => {
    const lists = panelsOf(loadDashboard('ftp-alg-overview')).filter(({ type }) => type === 'alertlist')
    expect(lists).toMatchObject([
      { options: { alertName: 'FtpAlg', stateFilter: { firing: true, pending: true, normal: false } } },
    ])
    // The filter is a part of the name.
    for (const name of alertNames) expect(name).toContain('FtpAlg')
  })

  it('need no recording rules, so that they work without them', () => {
    for (const { place, expr } of dashboardNames.flatMap(queriesOf)) {
      for (const { metric } of readPromql(expr).selectors) expect(metric, place).not.toContain(':')
    }
  })
})

describe('the check of names', () => {
  it('finds a metric, a label and a label value that do not exist', () => {
    expect(catalog.mistakesIn('rate(ftp_alg_sessions_totals[5m])')).toEqual([
      'there is no metric ftp_alg_sessions_totals',
    ])
    expect(catalog.mistakesIn('sum by (mode) (ftp_alg_transfers_total{side="client"})')).toEqual([
      'ftp_alg_transfers_total has no label side',
      'nothing in the query has the label mode',
    ])
    expect(catalog.mistakesIn('ftp_alg_transfers_total{result=~"ok|broken"}')).toEqual([
      'ftp_alg_transfers_total never has result broken',
    ])
    expect(() => catalog.mistakesIn('sum by (job (up)')).toThrow('no PromQL')
  })
})

function overlap({ gridPos: one }: Panel, { gridPos: other }: Panel): boolean {
  const apartX = one.x + one.w <= other.x || other.x + other.w <= one.x
  const apartY = one.y + one.h <= other.y || other.y + other.h <= one.y
  return !apartX && !apartY
}
