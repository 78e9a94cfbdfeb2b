// What one or several processes counted, as one service: prom-client adds up and writes.

import { AggregatorRegistry, type Registry } from 'prom-client'
import type { MetricFamily } from './family.ts'

/**
 * The Prometheus text format 0.0.4. Families and series stand in the order in which they are first seen, and are there
 * when any process has them; a family of one process only is that of the first.
 */
export function formatExposition(processes: readonly (readonly MetricFamily[])[]): Promise<string> {
  return aggregate(processes).metrics()
}

/** The sum of what processes counted, without their gauges: for those that are gone. */
export async function sumCounters(
  processes: readonly (readonly MetricFamily[])[],
): Promise<readonly MetricFamily[]> {
  const counters = processes.map((families) =>
    families.filter(({ type }) => type === 'counter' || type === 'histogram'),
  )
  return familiesOf(await aggregate(counters).getMetricsAsJSON())
}

/** prom-client's types call `type` a number; it is the word. */
export function familiesOf(
  families: Awaited<ReturnType<Registry['getMetricsAsJSON']>>,
): readonly MetricFamily[] {
  return families.map(({ name, help, type, aggregator, values }) => ({
    name,
    help,
    type: String(type),
    aggregator,
    values,
  }))
}

function aggregate(processes: readonly (readonly MetricFamily[])[]) {
  const known = new Set<string>()
  const parts = processes.map((families) =>
    families.filter(({ name, aggregator }) => {
      const isFirst = !known.has(name)
      known.add(name)
      return isFirst || aggregator !== 'first'
    }),
  )
  return AggregatorRegistry.aggregate(parts)
}
