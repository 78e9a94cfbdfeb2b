// How late the event loop is, under the names that prom-client gives it. Its own figures come from a timer every 10 ms,
// which wakes an idle process a hundred times a second and takes packets' time on the gateway; and they contain the 10 ms.

import { createHistogram } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { Gauge, type Registry } from 'prom-client'

/** Between two looks. A loop that is late for less is not seen each time, but as often as a client meets it. */
const SAMPLE_MS = 100

/**
 * Replaces prom-client's metrics of the event loop. All but `nodejs_eventloop_lag_seconds`, which is the moment's, are of
 * the time since the last scrape; their grain is the millisecond of Node's timers. Does not keep the process alive.
 */
export function defineEventLoopMetrics(registry: Registry): void {
  const lag = createHistogram()
  const sampleFrom = (dueMs: number): void => {
    const sample = () => {
      const nowMs = performance.now()
      // In nanoseconds, of which the histogram takes no fewer than one.
      lag.record(Math.max(1, Math.round((nowMs - dueMs) * 1e6)))
      sampleFrom(nowMs + SAMPLE_MS)
    }
    setTimeout(sample, SAMPLE_MS).unref()
  }
  sampleFrom(performance.now() + SAMPLE_MS)

  const gauge = (name: string, help: string, collect?: (this: Gauge) => Promise<void>): Gauge => {
    registry.removeSingleMetric(name)
    // Of several processes the slowest is the one to look at.
    const aggregator = name === 'nodejs_eventloop_lag_min_seconds' ? 'min' : 'max'
    return new Gauge({ name, help, registers: [registry], aggregator, ...(collect && { collect }) })
  }
  gauge('nodejs_eventloop_lag_seconds', 'Lag of event loop in seconds.', async function collect() {
    for (const [figure, read] of figures) figure.set(lag.count === 0 ? 0 : read() / 1e9)
    lag.reset()
    const startMs = performance.now()
    await setImmediate()
    this.set((performance.now() - startMs) / 1000)
  })
  const figure = (name: string, what: string) =>
    gauge(`nodejs_eventloop_lag_${name}_seconds`, `The ${what} of the recorded event loop delays.`)
  // Written when the gauge above is asked, which comes first in the registry.
  const figures: readonly (readonly [Gauge, () => number])[] = [
    [gauge('nodejs_eventloop_lag_min_seconds', 'The minimum recorded event loop delay.'), () => lag.min],
    [gauge('nodejs_eventloop_lag_max_seconds', 'The maximum recorded event loop delay.'), () => lag.max],
    [figure('mean', 'mean'), () => lag.mean],
    [figure('stddev', 'standard deviation'), () => lag.stddev],
    [figure('p50', '50th percentile'), () => lag.percentile(50)],
    [figure('p90', '90th percentile'), () => lag.percentile(90)],
    [figure('p99', '99th percentile'), () => lag.percentile(99)],
  ]
}
