import type { Metric } from '../measures/measure.ts'
import type { Findings } from '../runner.ts'

/** One metric of one system: the median of its rounds and how far they lay apart. */
export interface Cell {
  readonly median: number
  readonly low: number
  readonly high: number
  /** By round; null where a round gave nothing. */
  readonly rounds: readonly (number | null)[]
}

/** A table: one measure, systems down, metrics across. */
export interface Table {
  readonly id: string
  readonly title: string
  readonly method: string
  readonly metrics: readonly Metric[]
  readonly rows: readonly Row[]
  readonly reference: string | null
}

export interface Row {
  readonly systemId: string
  readonly cells: Readonly<Record<string, Cell>>
  /** `['expected 226: "425 no route" (3×)']` */
  readonly failures: readonly string[]
}

/** The system that ratios refer to, by preference. */
const references = ['against', 'squid', 'nf_nat_ftp', 'mod_proxy', 'haproxy', 'naive']

export function summarize({ measure, readings }: Findings): Table {
  const rows: Row[] = []
  for (const [systemId, rounds] of readings) {
    const cells: Record<string, Cell> = {}
    for (const { id } of measure.metrics) {
      const byRound = rounds.map(({ values }) => values[id] ?? null)
      const values = byRound.filter((value) => value !== null).sort((a, b) => a - b)
      const [low, high] = [values[0], values[values.length - 1]]
      if (low !== undefined && high !== undefined) {
        cells[id] = { median: medianOf(values), low, high, rounds: byRound }
      }
    }
    rows.push({ systemId, cells, failures: failuresOf(rounds.map(({ failures }) => failures)) })
  }
  const present = rows.filter(({ cells }) => Object.keys(cells).length > 0).map(({ systemId }) => systemId)
  // `mod_proxy-front` is mod_proxy with TLS.
  const presentOf = (name: string) => present.find((id) => id === name || id.startsWith(`${name}-`))
  const reference = references.map(presentOf).find((id) => id !== undefined) ?? present[0] ?? null
  const { id, title, method, metrics } = measure
  return { id, title, method, metrics, rows, reference }
}

/** Of a sorted list; the mean of the middle two when it is even. */
export function medianOf(sorted: readonly number[]): number {
  const middle = sorted.length / 2
  const [below, above] = [sorted[Math.ceil(middle) - 1] ?? 0, sorted[Math.floor(middle)] ?? 0]
  return (below + above) / 2
}

/**
 * A value of one system divided by the same of another, or by another of another: the median of the rounds' own ratios,
 * because both were measured within seconds of each other and whatever slowed one slowed the other. Null when either is
 * missing or zero.
 */
export function ratioOf(
  table: Table,
  metricId: string,
  pair: { readonly of: string; readonly to: string; readonly toMetric?: string },
): number | null {
  const roundsOf = (id: string, metric: string) =>
    table.rows.find(({ systemId }) => systemId === id)?.cells[metric]?.rounds ?? []
  const base = roundsOf(pair.to, pair.toMetric ?? metricId)
  const ratios = roundsOf(pair.of, metricId).flatMap((value, round) => {
    const divisor = base[round] ?? null
    return value === null || divisor === null || divisor === 0 ? [] : [value / divisor]
  })
  return ratios.length === 0 ? null : medianOf(ratios.sort((a, b) => a - b))
}

function failuresOf(rounds: readonly Readonly<Record<string, number>>[]): string[] {
  const total = new Map<string, number>()
  for (const failures of rounds) {
    for (const [reason, count] of Object.entries(failures))
      total.set(reason, (total.get(reason) ?? 0) + count)
  }
  return [...total].map(([reason, count]) => (count === 1 ? reason : `${reason} (${count}×)`))
}
