// A histogram that costs a comparison or two per observation. prom-client's own looks its series up by labels and its
// bucket by name each time; here they are arrays, written out as prom-client would when somebody scrapes.

import { Histogram, type Registry } from 'prom-client'

/** One series of a histogram, in the base unit of its name (seconds). */
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

  get sum(): number {
    return this.#sum
  }

  /** How many were at most as large as each bound; last how many there were. */
  cumulative(): readonly number[] {
    let total = 0
    return this.#counts.map((count) => {
      total += count
      return total
    })
  }
}

interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly distribution: Distribution
}

interface DistributionFamilyOptions {
  readonly name: string
  readonly help: string
  readonly labelNames: string[]
  readonly registers: Registry[]
  /** Upper bounds in the unit of the name, ascending. */
  readonly buckets: readonly number[]
}

/** A family of `Distribution`s in a registry. */
export class DistributionFamily extends Histogram {
  readonly #options: DistributionFamilyOptions
  readonly #series: Series[] = []

  constructor(options: DistributionFamilyOptions) {
    super({ ...options, buckets: [...options.buckets] })
    this.#options = options
  }

  /** From then on it is exposed, at 0 until something is observed. */
  append(labels: Readonly<Record<string, string>>): Distribution {
    const distribution = new Distribution(this.#options.buckets)
    this.#series.push({ labels, distribution })
    return distribution
  }

  /** What prom-client reads at a scrape: for text as it is, for JSON through its own `get`. */
  getForPromString() {
    return {
      name: this.#options.name,
      help: this.#options.help,
      type: 'histogram',
      aggregator: 'sum',
      values: this.#series.flatMap((series) => this.#valuesOf(series)),
    }
  }

  #valuesOf({ labels, distribution }: Series) {
    const { name, buckets } = this.#options
    const counts = distribution.cumulative()
    const count = counts.at(-1) ?? 0
    return [
      ...counts.map((value, at) => ({
        metricName: `${name}_bucket`,
        labels: { le: buckets[at] ?? '+Inf' },
        sharedLabels: labels,
        value,
      })),
      { metricName: `${name}_sum`, labels: {}, sharedLabels: labels, value: distribution.sum },
      { metricName: `${name}_count`, labels: {}, sharedLabels: labels, value: count },
    ]
  }
}
