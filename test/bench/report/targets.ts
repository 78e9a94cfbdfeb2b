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
  /**
   * A limit in time depends on the machine: what another system needed for something comparable where the limit was set.
   * It is judged once as it is, and once with the reading scaled by what that system needs here.
   */
  readonly setWhere?: { readonly system: string; readonly metric: string; readonly was: number }
}

/** Of ftp-alg to a peer in one table: on the Node that runs the benchmark, then on Node 24. */
function tlsTargets(table: string, peer: string, [own, node24]: readonly [number, number]): Target[] {
  const side = table.split('-')[0] ?? ''
  return [
    { system: `relay-${side}`, table, metric: metricOf(table), to: `${peer}-${side}`, atMost: own },
    { system: `relay24-${side}`, table, metric: metricOf(table), to: `${peer}-${side}`, atMost: node24 },
  ]
}

function metricOf(table: string): string {
  return table.includes('idle') ? 'memory' : 'cpu'
}

export const targets: readonly Target[] = [
  ...tlsTargets('front-bulk-down', 'mod_proxy', [0.95, 0.8]),
  ...tlsTargets('back-bulk-down', 'mod_proxy', [0.7, 0.6]),
  ...tlsTargets('both-bulk-down', 'mod_proxy', [0.85, 0.65]),
  ...['front', 'back', 'both'].flatMap((side) => tlsTargets(`${side}-bulk-down`, 'haproxy', [1.05, 0.85])),
  ...['front', 'back'].flatMap((side) => tlsTargets(`${side}-bulk-down`, 'stunnel', [1, 0.85])),
  ...['front', 'both'].flatMap((side) => tlsTargets(`${side}-sessions-16`, 'mod_proxy', [0.2, 0.2])),
  ...tlsTargets('front-handshakes', 'haproxy', [1.3, 1.3]),
  ...tlsTargets('both-idle-1000', 'mod_proxy', [1 / 25, 1 / 25]),
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
  ...['pool', 'by-address', 'by-user'].map((system): Target => {
    return { system, table: 'sessions-16', metric: 'cpu', to: 'relay', atMost: 1.05 }
  }),
  { system: 'nftables', table: 'bulk-down', metric: 'speed', to: 'nf_nat_ftp', atLeast: 0.97 },
  { system: 'nftables', table: 'bulk-up', metric: 'speed', to: 'nf_nat_ftp', atLeast: 0.97 },
  { system: 'nftables', table: 'bulk-down', metric: 'cpu', to: null, atMost: 0.01 },
  { system: 'nftables', table: 'sessions-16', metric: 'cpu', to: 'squid', atMost: 0.5 },
  {
    system: 'nftables',
    table: 'round-trip',
    metric: 'pinhole50',
    to: null,
    atMost: 0.12,
    setWhere: { system: 'squid', metric: 'noop50', was: 0.117 },
  },
]

export interface Verdict {
  readonly sentence: string
  readonly met: boolean
}

/** Only targets whose systems were all measured in this run. */
export function judge(tables: readonly Table[], titles: ReadonlyMap<string, string>): Verdict[] {
  return targets.flatMap((target) => {
    const { system, metric, to } = target
    const table = tables.find(({ id }) => id === target.table)
    const column = table?.metrics.find(({ id }) => id === metric)
    if (table === undefined || column === undefined) return []
    const plain = table.rows.find(({ systemId }) => systemId === system)?.cells[metric]?.median ?? null
    const value = to === null ? plain : ratioOf(table, metric, { of: system, to })
    if (value === null) return []
    const name = `${titles.get(system) ?? system}, ${table.title.toLowerCase()}, ${column.title}`
    const show = (number: number): string =>
      to === null ? `${Number(number.toPrecision(3))} ${column.unit}` : formatRatio(number)
    const wanted = `(wanted ${limitOf(target, show)})`
    const of = to === null ? '' : ` of ${titles.get(to) ?? to}`
    const asItIs = { sentence: `${name}: ${show(value)}${of} ${wanted}`, met: keeps(target, value) }
    const scaled = scaledTo(target, table)
    if (scaled === null || target.setWhere === undefined) return [asItIs]
    const { system: yardstick, was } = target.setWhere
    const yardstickName = `${titles.get(yardstick) ?? yardstick}, ${titleIn(table, target.setWhere.metric)}`
    const where = `scaled to a machine where ${yardstickName} is ${show(was)}`
    return [asItIs, { sentence: `${name}, ${where}: ${show(scaled)} ${wanted}`, met: keeps(target, scaled) }]
  })
}

function titleIn({ metrics }: Table, metric: string): string {
  return metrics.find(({ id }) => id === metric)?.title ?? metric
}

function keeps({ atMost, atLeast }: Target, value: number): boolean {
  return (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast)
}

function limitOf({ atMost, atLeast }: Target, show: (number: number) => string): string {
  return atMost === undefined ? `at least ${show(atLeast ?? 0)}` : `at most ${show(atMost)}`
}

/** The reading, scaled by what the yardstick needed in the same rounds; null without one. */
function scaledTo({ system, metric, setWhere }: Target, table: Table): number | null {
  if (setWhere === undefined) return null
  const ratio = ratioOf(table, metric, { of: system, to: setWhere.system, toMetric: setWhere.metric })
  return ratio === null ? null : ratio * setWhere.was
}

const growthPrefix = 'growth-'
const tolerableGrowth = 1.15

/** What a session costs at each size, against the smallest size of this run. */
export function judgeGrowth(tables: readonly Table[], titles: ReadonlyMap<string, string>): Verdict[] {
  const sizes = tables.flatMap((table) => {
    return table.id.startsWith(growthPrefix)
      ? [{ table, size: Number(table.id.slice(growthPrefix.length)) }]
      : []
  })
  const [smallest] = sizes
  if (smallest === undefined) return []
  return smallest.table.rows.flatMap(({ systemId }) => {
    const title = titles.get(systemId) ?? systemId
    const read = (metric: string): Point[] =>
      sizes.flatMap(({ table, size }) => {
        const value = table.rows.find((row) => row.systemId === systemId)?.cells[metric]?.median
        return value === undefined ? [] : [{ size, value }]
      })
    return [
      ...againstFirst(read('cpu')).map((growth) => verdictOn(`${title}, CPU per session`, growth)),
      ...againstFirst(marginal(read('memory'))).map((growth) =>
        verdictOn(`${title}, memory of a further session`, growth),
      ),
    ]
  })
}

interface Point {
  readonly size: number
  readonly value: number
}

interface Growth {
  readonly size: number
  readonly base: number
  readonly ratio: number
}

function verdictOn(what: string, { size, base, ratio }: Growth): Verdict {
  const sentence = `${what}, ${size} sessions against ${base}: ${formatRatio(ratio)} (wanted at most ${formatRatio(tolerableGrowth)})`
  return { sentence, met: ratio <= tolerableGrowth }
}

function againstFirst(points: readonly Point[]): Growth[] {
  const [first, ...larger] = points
  if (first === undefined || first.value <= 0) return []
  return larger.map(({ size, value }) => ({ size, base: first.size, ratio: value / first.value }))
}

/**
 * What each session between two sizes weighs. The first thousand say little by themselves: V8's heap grows in steps, and
 * a process that has just started has free pages of its own.
 */
function marginal(points: readonly Point[]): Point[] {
  return points.flatMap((point, index) => {
    const before = points[index - 1]
    if (before === undefined || before.size < 1000) return []
    const kilobytes = point.value * point.size - before.value * before.size
    return [{ size: point.size, value: kilobytes / (point.size - before.size) }]
  })
}
