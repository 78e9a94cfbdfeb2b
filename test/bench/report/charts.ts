import { formatRatio } from './number.ts'
import type { Table } from './summary.ts'
import { ratioOf } from './summary.ts'
import type { Bar } from './svg.ts'
import { drawBars } from './svg.ts'

interface Wanted {
  readonly name: string
  readonly table: string
  readonly metric: string
  readonly title: string
}

/** In the order of the page. */
const wanted: readonly Wanted[] = [
  { name: 'session-cpu', table: 'sessions-16', metric: 'cpu', title: 'CPU time per session' },
  { name: 'session-rate', table: 'sessions-16', metric: 'rate', title: 'Sessions per second, 16 clients' },
  { name: 'download-cpu', table: 'bulk-down', metric: 'cpu', title: 'CPU time per downloaded byte' },
  { name: 'upload-cpu', table: 'bulk-up', metric: 'cpu', title: 'CPU time per uploaded byte' },
  { name: 'round-trip', table: 'round-trip', metric: 'noop50', title: 'Round trip of a command (median)' },
  {
    name: 'ftps-download-cpu',
    table: 'both-bulk-down',
    metric: 'cpu',
    title: 'FTPS on both sides: CPU time per downloaded byte',
  },
  {
    name: 'ftps-session-cpu',
    table: 'front-sessions-16',
    metric: 'cpu',
    title: 'FTPS towards clients: CPU time per session',
  },
  { name: 'memory', table: 'idle-5000', metric: 'memory', title: 'Memory per idle session' },
]

/** A chart for each headline metric that was measured for at least two systems. */
export function drawCharts(
  tables: readonly Table[],
  titles: ReadonlyMap<string, string>,
): { readonly name: string; readonly title: string; readonly svg: string }[] {
  return wanted.flatMap(({ name, table: tableId, metric, title }) => {
    const table = tables.find(({ id }) => id === tableId)
    const column = table?.metrics.find(({ id }) => id === metric)
    if (table === undefined || column === undefined || table.reference === null) return []
    const { reference } = table
    const bars = table.rows.flatMap(({ systemId }): Bar[] => {
      const ratio = ratioOf(table, metric, { of: systemId, to: reference })
      if (ratio === null) return []
      const label = titles.get(systemId) ?? systemId
      return [{ label, value: ratio, text: formatRatio(ratio), kind: kindOf(label, systemId === reference) }]
    })
    if (bars.length < 2) return []
    bars.sort((a, b) => (column.better === 'less' ? a.value - b.value : b.value - a.value))
    const direction = column.better === 'less' ? 'shorter is better' : 'longer is better'
    const subtitle = `${titles.get(reference) ?? reference} = 1; ${direction}`
    return [{ name, title, svg: drawBars({ title, subtitle, bars }) }]
  })
}

function kindOf(label: string, isReference: boolean): Bar['kind'] {
  if (isReference) return 'reference'
  return label.startsWith('ftp-alg') ? 'ours' : 'other'
}
