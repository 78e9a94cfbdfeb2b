// With how many peers connections have lately failed: one client behind a bad firewall, or one host that is gone, is no
// trouble of ours.

import type { Outcomes } from '../view/recent.ts'
import { type Families, measuredGauge } from './family.ts'

interface RecentListener {
  readonly name: string
  readonly recent: { readonly upstream: Outcomes; readonly data: Outcomes }
}

/** `listeners` is called at every scrape. */
export function defineRecentMetrics(families: Families, listeners: () => readonly RecentListener[]): void {
  const measure = (outcomes: (listener: RecentListener) => Outcomes) =>
    listeners().map((listener) => ({
      labels: { listener: listener.name },
      value: outcomes(listener).view().failing,
    }))
  measuredGauge(
    families,
    {
      name: 'ftp_alg_upstream_failing_servers',
      help: 'Different servers that could not be reached in the last two minutes; 16 stands for more.',
      labels: ['listener'],
      aggregator: 'max',
    },
    () => measure(({ recent }) => recent.upstream),
  )
  measuredGauge(
    families,
    {
      name: 'ftp_alg_data_failing_clients',
      help: 'Different clients whose data connections failed in the last two minutes; 16 stands for more.',
      labels: ['listener'],
      aggregator: 'max',
    },
    () => measure(({ recent }) => recent.data),
  )
}
