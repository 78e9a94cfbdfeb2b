// The Prometheus alerts and their tests, as other tests read them.

import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

export interface Alert {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: {
    readonly summary: string
    readonly description: string
    /** A template that gives `docs/runbook.md#ftpalgdown`, or a link. */
    readonly runbook_url: string
  }
}

interface AlertCase {
  readonly alertname: string
  readonly exp_alerts: readonly unknown[]
}

export const prometheusFolder = new URL('../../grafana/prometheus/', import.meta.url).pathname

export function loadAlerts(): readonly Alert[] {
  const { groups }: { groups: { rules: Alert[] }[] } = parse(
    readFileSync(`${prometheusFolder}alerts.yml`, 'utf8'),
  )
  return groups.flatMap(({ rules }) => rules)
}

/** Every moment at which `alerts_test.yml` looks at an alert. */
export function loadAlertCases(): readonly AlertCase[] {
  const { tests }: { tests: { alert_rule_test?: AlertCase[] }[] } = parse(
    readFileSync(`${prometheusFolder}alerts_test.yml`, 'utf8'),
  )
  return tests.flatMap(({ alert_rule_test: cases = [] }) => cases)
}
