// Grafana has no schema that could be checked at run time, but types: the dashboards are written out as
// TypeScript and given to the compiler.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dashboardNames, dashboardText, loadDashboard, panelsOf } from '../../support/dashboards.ts'
import { runProgram } from '../../support/programs.ts'

const root = new URL('../../../', import.meta.url).pathname
let folder: string

beforeAll(() => {
  // Inside the project, where `@grafana/schema` is found.
  mkdirSync(join(root, '.cache'), { recursive: true })
  folder = mkdtempSync(join(root, '.cache', 'dashboard-types-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the dashboards', () => {
  it.each(dashboardNames)('%s is what @grafana/schema calls a dashboard', async (name) => {
    expect(await compile(moduleOf(dashboardText(name), optionsOf(name)))).toBe('')
  })

  it('would not compile with a word that Grafana does not know, wherever it stands', async () => {
    const text = dashboardText('ftp-alg-overview')
    const options = optionsOf('ftp-alg-overview')
    expect(await compile(moduleOf(text.replace('"panels"', '"panelz"'), options))).toContain('panelz')
    expect(await compile(moduleOf(text.replace('"gridPos"', '"gridpos"'), options))).toContain('gridpos')
    expect(await compile(moduleOf(text.replace('"useValueForTime"', '"useValue"'), options))).toContain(
      'useValue',
    )
    const typo = options.map((line) => line.replace('"colorMode":"value"', '"colorMode":"valu"'))
    expect(await compile(moduleOf(text, typo))).toContain('"valu"')
  })
})

/** Options and field options are free-form in the dashboard's type; each kind of panel has a type for them. */
function optionsOf(name: (typeof dashboardNames)[number]): string[] {
  return panelsOf(loadDashboard(name)).flatMap((panel, index) => {
    const { type, options } = panel
    const custom = panel.fieldConfig?.defaults.custom
    return [
      `export const options${index} = ${JSON.stringify(options)} satisfies Some<${type}.Options>`,
      ...(custom === undefined
        ? []
        : [`export const custom${index} = ${JSON.stringify(custom)} satisfies Some<${type}.FieldConfig>`]),
    ]
  })
}

const typeImports = ['stat:Stat', 'timeseries:TimeSeries', 'heatmap:Heatmap', 'table:Table']
  .map((pair) => pair.split(':'))
  .map(([folder, file]) => {
    const module = `@grafana/schema/dist/esm/raw/composable/${folder}/panelcfg/x/${file}PanelCfg_types.gen`
    return `import type * as ${folder} from '${module}'`
  })

function moduleOf(dashboard: string, options: readonly string[]): string {
  return `import type { AnnotationQuery, Dashboard, DashboardLink } from '@grafana/schema'
${typeImports.join('\n')}

/** What stands in JSON: string enums by their text. */
type Spelled<T> = T extends string ? \`\${T}\` : T extends readonly (infer Item)[] ? Spelled<Item>[]
  : T extends object ? { [Key in keyof T]: Spelled<T[Key]> } : T

/** The same, and whatever has a default may be left out. */
type Some<T> = T extends string ? \`\${T}\` : T extends readonly (infer Item)[] ? Some<Item>[]
  : T extends object ? { [Key in keyof T]?: Some<T[Key]> } : T

/** An annotation of the Prometheus data source; Grafana's own type knows only the built-in one. */
interface PrometheusAnnotation extends Pick<AnnotationQuery, 'name' | 'datasource' | 'enable' | 'hide' | 'iconColor'> {
  expr: string
  step: string
  titleFormat: string
  textFormat: string
  useValueForTime: boolean
}

interface Target {
  refId: string
  expr: string
  legendFormat?: string
  format?: 'table' | 'heatmap' | 'time_series'
  instant?: boolean
  range?: boolean
}

/** As in public/app/plugins/panel/alertlist/types.ts of Grafana 12, whose schema has no type for it. */
namespace alertlist {
  export interface Options {
    alertName: string
    alertInstanceLabelFilter: string
    dashboardAlerts: boolean
    groupBy: string[]
    groupMode: 'default' | 'custom'
    maxItems: number
    showInstances: boolean
    sortOrder: 1 | 2 | 3 | 4 | 5
    stateFilter: { firing: boolean; pending: boolean; noData: boolean; normal: boolean; error: boolean; recovering: boolean }
    viewMode: 'list' | 'stat'
  }
}

type Panels = Spelled<NonNullable<Dashboard['panels']>[number]>
/** As Grafana itself writes those of panels; what else the type asks for is of dashboards' links. */
interface PanelLink extends Required<Pick<DashboardLink, 'title' | 'url' | 'targetBlank'>> {}
type PrometheusPanel = (Omit<Extract<Panels, { targets?: unknown }>, 'targets' | 'links'> & { targets: Target[]; links?: PanelLink[] })
type AlertList = Omit<Extract<Panels, { targets?: unknown }>, 'targets'>
type Row = Omit<Exclude<Panels, { targets?: unknown }>, 'panels'> & { panels: PrometheusPanel[] }

export const dashboard = ${dashboard.trim()} satisfies Omit<Spelled<Dashboard>, 'annotations' | 'panels'> & {
  annotations: { list: PrometheusAnnotation[] }
  panels: (PrometheusPanel | AlertList | Row)[]
}
${options.join('\n')}
`
}

/** What the compiler says, '' when nothing. */
async function compile(text: string): Promise<string> {
  writeFileSync(join(folder, 'dashboard.ts'), text)
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: true,
        rootDir: root,
        rewriteRelativeImportExtensions: false,
        skipLibCheck: true,
        noUnusedLocals: false,
      },
      include: ['dashboard.ts'],
    }),
  )
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const { stdout, stderr } = await runProgram([tsc, '-p', folder])
  return stdout + stderr
}
