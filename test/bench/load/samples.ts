/** What a job reports about one kind of duration; milliseconds, `count` 0 when nothing was timed. */
export interface Quantiles {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

export class Samples {
  private readonly values: number[] = []

  add(milliseconds: number): void {
    this.values.push(milliseconds)
  }

  quantiles(): Quantiles {
    const sorted = Float64Array.from(this.values).sort()
    const at = (fraction: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0
    return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) }
  }
}
