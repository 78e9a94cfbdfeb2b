// The Grafana dashboards as tests read them.

import { readFileSync } from 'node:fs'

export interface Dashboard {
  readonly uid: string
  readonly id: null
  readonly title: string
  readonly editable: boolean
  readonly schemaVersion: number
  readonly tags: readonly string[]
  readonly templating: { readonly list: readonly Variable[] }
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] }
  readonly panels: readonly Panel[]
}

export interface Variable {
  readonly name: string
  readonly label: string
  readonly description: string
  readonly type: string
  readonly refresh?: number
  readonly multi?: boolean
  readonly includeAll?: boolean
  readonly query: string | { readonly query: string }
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly links?: readonly { readonly title: string; readonly url: string; readonly targetBlank: boolean }[]
  readonly targets?: readonly Target[]
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string; readonly noValue?: string; readonly custom?: unknown }
  }
  /** They depend on the kind of panel. */
  readonly options?: unknown
  readonly panels?: readonly Panel[]
}

export interface Target {
  readonly refId: string
  readonly expr: string
  readonly legendFormat?: string
}

const folder = new URL('../../grafana/dashboards/', import.meta.url)

export const dashboardNames = ['ftp-alg-overview', 'ftp-alg-instance'] as const

export function dashboardText(name: (typeof dashboardNames)[number]): string {
  return readFileSync(new URL(`${name}.json`, folder), 'utf8')
}

export function loadDashboard(name: (typeof dashboardNames)[number]): Dashboard {
  return JSON.parse(dashboardText(name))
}

/** All that show data, those in collapsed rows too. */
export function panelsOf({ panels }: Pick<Dashboard, 'panels'>): readonly Panel[] {
  return panels.flatMap((panel) =>
    panel.type === 'row' ? panelsOf({ panels: panel.panels ?? [] }) : [panel],
  )
}

export interface Query {
  /** Where it is: `ftp-alg-overview, "Sessions", A`. */
  readonly place: string
  readonly expr: string
}

/** Of every panel and annotation. */
export function queriesOf(name: (typeof dashboardNames)[number]): readonly Query[] {
  const dashboard = loadDashboard(name)
  return [
    ...panelsOf(dashboard).flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, expr }) => ({ place: `${name}, "${title}", ${refId}`, expr })),
    ),
    ...dashboard.annotations.list.map(({ name: title, expr }) => ({
      place: `${name}, annotation "${title}"`,
      expr,
    })),
  ]
}
