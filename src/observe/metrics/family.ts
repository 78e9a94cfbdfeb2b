// Metric families over prom-client. prom-client looks a series up by its labels on every event (about 85 ns);
// here an event adds to a plain number, and the numbers become prom-client values only when somebody scrapes.

import { Counter, Gauge, type Registry } from 'prom-client'
import { type Distribution, DistributionFamily } from './histogram.ts'

/** One series of a counter or gauge: who counts writes `value`, a scrape reads it. */
export interface Cell {
  value: number
}

export interface Family<Label extends string> {
  readonly name: string
  readonly help: string
  readonly labels: readonly Label[]
}

export type Labels<Label extends string> = Readonly<Record<Label, string>>

/** A family: called with labels it gives their series, which from then on is exposed, at 0 until something happens. */
export type Series<Label extends string, Kind> = (labels: Labels<Label>) => Kind

/** `counterFamily(registry, { name, help, labels: ['listener'] })({ listener: 'edge' }).value += 1` */
export function counterFamily<Label extends string>(
  registry: Registry,
  family: Family<Label>,
): Series<Label, Cell> {
  const series: { labels: Labels<Label>; cell: Cell }[] = []
  new Counter<Label>({
    ...describe(registry, family),
    collect() {
      this.reset()
      for (const { labels, cell } of series) this.inc(labels, cell.value)
    },
  })
  return (labels) => appendCell(series, labels)
}

export function gaugeFamily<Label extends string>(
  registry: Registry,
  family: Family<Label> & { readonly aggregator?: 'sum' | 'first' | 'min' | 'max' },
): Series<Label, Cell> {
  const series: { labels: Labels<Label>; cell: Cell }[] = []
  new Gauge<Label>({
    ...describe(registry, family),
    aggregator: family.aggregator ?? 'sum',
    collect() {
      for (const { labels, cell } of series) this.set(labels, cell.value)
    },
  })
  return (labels) => appendCell(series, labels)
}

/** A gauge whose series are asked for at every scrape. */
export function measuredGauge<Label extends string>(
  registry: Registry,
  family: Family<Label>,
  measure: () => Iterable<{ readonly labels: Labels<Label>; readonly value: number }>,
): void {
  new Gauge<Label>({
    ...describe(registry, family),
    collect() {
      for (const { labels, value } of measure()) this.set(labels, value)
    },
  })
}

/** `buckets` are upper bounds in the unit of the name, ascending. */
export function histogramFamily<Label extends string>(
  registry: Registry,
  family: Family<Label> & { readonly buckets: readonly number[] },
): Series<Label, Distribution> {
  const histogram = new DistributionFamily({ ...describe(registry, family), buckets: family.buckets })
  return (labels) => histogram.append(labels)
}

function describe<Label extends string>(registry: Registry, { name, help, labels }: Family<Label>) {
  return { name, help, labelNames: [...labels], registers: [registry] }
}

function appendCell<Label extends string>(
  series: { labels: Labels<Label>; cell: Cell }[],
  labels: Labels<Label>,
): Cell {
  const cell: Cell = { value: 0 }
  series.push({ labels, cell })
  return cell
}
