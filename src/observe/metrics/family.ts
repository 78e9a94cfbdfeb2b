// Metric families. prom-client looks a series up by its labels on every event (about 85 ns), and a bucket by name; here
// an event adds to a plain number. Only a scrape makes structures of them, which prom-client adds up and writes.

import type { Aggregator } from 'prom-client'

/** A family as `getMetricsAsJSON` of prom-client gives it. Plain data: workers send it to their supervisor. */
export interface MetricFamily {
  readonly name: string
  readonly help: string
  /** `counter`, `gauge` or `histogram`. */
  readonly type: string
  /** How several processes' values of one series become one; `first`: of one process only. */
  readonly aggregator: Aggregator
  readonly values: readonly Sample[]
}

export interface Sample {
  /** `ftp_alg_session_duration_seconds_bucket`, where it is not the family's. */
  readonly metricName?: string
  readonly labels: Readonly<Partial<Record<string, string | number>>>
  /** Finite. */
  readonly value: number
}

/** The families of a process, each asked for its values at every scrape. */
export type Families = (() => MetricFamily)[]

/** One series of a counter or gauge: who counts writes `value`, a scrape reads it. */
export interface Cell {
  value: number
}

export interface Family<Label extends string> {
  readonly name: string
  readonly help: string
  readonly labels: readonly Label[]
  /** Default: `sum`. */
  readonly aggregator?: Aggregator
}

export type Labels<Label extends string> = Readonly<Record<Label, string>>

/** A family: called with labels it gives their series, which from then on is exposed, at 0 until something happens. */
export type Series<Label extends string, Kind> = (labels: Labels<Label>) => Kind

/** `counterFamily(families, { name, help, labels: ['listener'] })({ listener: 'edge' }).value += 1` */
export function counterFamily<Label extends string>(
  families: Families,
  family: Family<Label>,
): Series<Label, Cell> {
  return cells(families, 'counter', family)
}

export function gaugeFamily<Label extends string>(
  families: Families,
  family: Family<Label>,
): Series<Label, Cell> {
  return cells(families, 'gauge', family)
}

/** A gauge whose series are asked for at every scrape. */
export function measuredGauge<Label extends string>(
  families: Families,
  family: Family<Label>,
  measure: () => readonly { readonly labels: Labels<Label>; readonly value: number }[],
): void {
  add(families, 'gauge', family, measure)
}

/** A counter that is kept elsewhere, and asked for at every scrape. */
export function measuredCounter<Label extends string>(
  families: Families,
  family: Family<Label>,
  measure: () => readonly { readonly labels: Labels<Label>; readonly value: number }[],
): void {
  add(families, 'counter', family, measure)
}

/** `buckets` are upper bounds in the unit of the name, ascending. */
export function histogramFamily<Label extends string>(
  families: Families,
  family: Family<Label> & { readonly buckets: readonly number[] },
): Series<Label, Distribution> {
  const { name, buckets } = family
  const series: { labels: Labels<Label>; distribution: Distribution }[] = []
  add(families, 'histogram', family, () =>
    series.flatMap(({ labels, distribution }) => distribution.samples(name, labels)),
  )
  return (labels) => {
    const distribution = new Distribution(buckets)
    series.push({ labels, distribution })
    return distribution
  }
}

/** One series of a histogram, in the base unit of its name (seconds). An observation costs a comparison or two. */
export class Distribution {
  readonly #bounds: readonly number[]
  /** Of each bucket alone; the last is of what lies above every bound. */
  readonly #counts: number[]
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  /** Anything but a finite number is ignored. */
  observe(value: number): void {
    if (!Number.isFinite(value)) return
    const bounds = this.#bounds
    let at = 0
    while (at < bounds.length && value > (bounds[at] ?? value)) at += 1
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#sum += value
  }

  samples(name: string, labels: Sample['labels']): Sample[] {
    let count = 0
    const buckets = this.#counts.map((inBucket, at) => {
      count += inBucket
      return {
        metricName: `${name}_bucket`,
        labels: { le: this.#bounds[at] ?? '+Inf', ...labels },
        value: count,
      }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
}

function cells<Label extends string>(
  families: Families,
  type: 'counter' | 'gauge',
  family: Family<Label>,
): Series<Label, Cell> {
  const series: { labels: Labels<Label>; cell: Cell }[] = []
  add(families, type, family, () => series.map(({ labels, cell }) => ({ labels, value: cell.value })))
  return (labels) => {
    const cell: Cell = { value: 0 }
    series.push({ labels, cell })
    return cell
  }
}

function add(
  families: Families,
  type: string,
  { name, help, aggregator = 'sum' }: Family<string>,
  values: () => readonly Sample[],
): void {
  families.push(() => ({ name, help, type, aggregator, values: values() }))
}
