import { formatRatio } from './number.ts'
import type { Table } from './summary.ts'
import { ratioOf } from './summary.ts'

/** What has been promised, as ratios between two systems of one run, or as a plain number. */
export interface Target {
  readonly system: string
  readonly table: string
  readonly metric: string
  /** Null: the limit is in the metric's own unit. */
  readonly to: string | null
  readonly atMost?: number
  readonly atLeast?: number
}

export const targets: readonly Target[] = [
  { system: 'relay', table: 'sessions-16', metric: 'cpu', to: 'squid', atMost: 0.6 },
  { system: 'relay', table: 'sessions-16', metric: 'rate', to: 'squid', atLeast: 1.5 },
  { system: 'relay', table: 'sessions-16', metric: 'rate', to: 'suse', atLeast: 5 },
  { system: 'relay', table: 'sessions-16', metric: 'rate', to: 'mod_proxy', atLeast: 35 },
  { system: 'relay', table: 'bulk-down', metric: 'cpu', to: 'suse', atMost: 1 },
  { system: 'relay', table: 'bulk-down', metric: 'cpu', to: 'haproxy', atMost: 0.6 },
  { system: 'relay', table: 'bulk-up', metric: 'cpu', to: 'suse', atMost: 1 },
  { system: 'relay', table: 'bulk-up', metric: 'cpu', to: 'haproxy', atMost: 0.6 },
  { system: 'relay', table: 'round-trip', metric: 'noop50', to: 'squid', atMost: 0.65 },
  { system: 'relay', table: 'idle-5000', metric: 'memory', to: null, atMost: 12 },
  // Two workers carry 1.7 times what one does if a session costs no more than 2 / 1.7 as much.
  { system: 'relay-2', table: 'sessions-16', metric: 'cpu', to: 'relay', atMost: 1.18 },
  { system: 'nftables', table: 'bulk-down', metric: 'speed', to: 'nf_nat_ftp', atLeast: 0.97 },
  { system: 'nftables', table: 'bulk-up', metric: 'speed', to: 'nf_nat_ftp', atLeast: 0.97 },
  { system: 'nftables', table: 'bulk-down', metric: 'cpu', to: null, atMost: 0.01 },
  { system: 'nftables', table: 'sessions-16', metric: 'cpu', to: 'squid', atMost: 0.5 },
  { system: 'nftables', table: 'round-trip', metric: 'pinhole50', to: null, atMost: 0.12 },
]

export interface Verdict {
  readonly sentence: string
  readonly met: boolean
}

/** Only targets whose systems were all measured in this run. */
export function judge(tables: readonly Table[], titles: ReadonlyMap<string, string>): Verdict[] {
  return targets.flatMap((target) => {
    const { system, metric, to, atMost, atLeast } = target
    const table = tables.find(({ id }) => id === target.table)
    const column = table?.metrics.find(({ id }) => id === metric)
    if (table === undefined || column === undefined) return []
    const plain = table.rows.find(({ systemId }) => systemId === system)?.cells[metric]?.median ?? null
    const value = to === null ? plain : ratioOf(table, metric, { of: system, to })
    if (value === null) return []
    const met = (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast)
    const show = (number: number): string =>
      to === null ? `${Number(number.toPrecision(3))} ${column.unit}` : formatRatio(number)
    const limit = atMost === undefined ? `at least ${show(atLeast ?? 0)}` : `at most ${show(atMost)}`
    const of = to === null ? '' : ` of ${titles.get(to) ?? to}`
    const sentence = `${titles.get(system) ?? system}, ${table.title.toLowerCase()}, ${column.title}: ${show(value)}${of} (wanted ${limit})`
    return [{ sentence, met }]
  })
}

const growthPrefix = 'growth-'
const tolerableGrowth = 1.15

/** A hundred sessions weigh less than one step of V8's heap: memory is compared from a thousand on. */
const growthMetrics = [
  { id: 'cpu', from: 0 },
  { id: 'memory', from: 1000 },
] as const

/** What a session costs at each size, against the smallest size of this run that tells something. */
export function judgeGrowth(tables: readonly Table[], titles: ReadonlyMap<string, string>): Verdict[] {
  const sizes = tables.flatMap((table) => {
    return table.id.startsWith(growthPrefix)
      ? [{ table, size: Number(table.id.slice(growthPrefix.length)) }]
      : []
  })
  return growthMetrics.flatMap(({ id, from }) => {
    const [smallest, ...larger] = sizes.filter(({ size }) => size >= from)
    if (smallest === undefined) return []
    return larger.flatMap(({ table, size }) =>
      table.rows.flatMap(({ systemId, cells }) => {
        const base = smallest.table.rows.find((row) => row.systemId === systemId)?.cells[id]?.median
        const value = cells[id]?.median
        if (value === undefined || base === undefined || base <= 0) return []
        const what = table.metrics.find((metric) => metric.id === id)?.title
        const ratio = value / base
        const sentence = `${titles.get(systemId) ?? systemId}, ${what}, ${size} sessions against ${smallest.size}: ${formatRatio(ratio)} (wanted at most ${formatRatio(tolerableGrowth)})`
        return [{ sentence, met: ratio <= tolerableGrowth }]
      }),
    )
  })
}
