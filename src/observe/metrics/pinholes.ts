// Pinholes, those who tried one that was not for them, and the port pools.

import type { PoolUse } from '../../vocabulary.ts'
import { counterFamily, type Families, gaugeFamily, histogramFamily, measuredGauge } from './family.ts'
import {
  backends,
  firewallChains,
  forEachValue,
  intruderReasons,
  pinholeEnds,
  pinholeFailures,
} from './labels.ts'

/** The series of one listener; every session of it counts on the same cells. */
export type PinholeMetrics = ReturnType<ReturnType<typeof definePinholeMetrics>['forListener']>

/** `pools` is called at every scrape. */
export function definePinholeMetrics(families: Families, pools: () => readonly PoolUse[]) {
  const opened = counterFamily(families, {
    name: 'ftp_alg_pinholes_opened_total',
    help: 'Pinholes opened.',
    labels: ['listener', 'backend'],
  })
  const closed = counterFamily(families, {
    name: 'ftp_alg_pinholes_closed_total',
    help: 'Pinholes that stopped waiting.',
    labels: ['listener', 'backend', 'reason'],
  })
  const active = gaugeFamily(families, {
    name: 'ftp_alg_pinholes_active',
    help: 'Pinholes that wait for their peer now.',
    labels: ['listener', 'backend'],
  })
  const failures = counterFamily(families, {
    name: 'ftp_alg_pinhole_failures_total',
    help: 'Pinholes that could not be opened.',
    labels: ['listener', 'reason'],
  })
  const rejected = counterFamily(families, {
    name: 'ftp_alg_pinhole_rejected_connections_total',
    help: 'Connections to a data port that nothing expected; they were turned away.',
    labels: ['reason'],
  })
  const swallowed = counterFamily(families, {
    name: 'ftp_alg_pinholes_swallowed_total',
    help: 'Pinholes whose peer came and was let in, and then dropped by a chain of the firewall that is not ours.',
    labels: ['chain'],
  })
  const openDuration = histogramFamily(families, {
    name: 'ftp_alg_pinhole_open_duration_seconds',
    help: 'Time to open a pinhole.',
    labels: ['backend'],
    buckets: [0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1],
  })
  const wait = histogramFamily(families, {
    name: 'ftp_alg_pinhole_wait_seconds',
    help: 'From the announcement of a pinhole to the connection of its peer.',
    labels: ['backend'],
    buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60],
  })
  const measure = (figure: (pool: PoolUse) => number) =>
    pools().map((use) => ({ labels: { pool: use.pool }, value: figure(use) }))
  measuredGauge(
    families,
    { name: 'ftp_alg_port_pool_size', help: 'Ports in the range.', labels: ['pool'] },
    () => measure((use) => use.ports),
  )
  measuredGauge(
    families,
    { name: 'ftp_alg_port_pool_in_use', help: 'Ports that carry at least one pinhole.', labels: ['pool'] },
    () => measure((use) => use.inUse),
  )
  measuredGauge(
    families,
    {
      name: 'ftp_alg_port_pool_quarantined',
      help: 'Ports that rest after use before they are given out again.',
      labels: ['pool'],
    },
    () => measure((use) => use.quarantined),
  )
  // Without a listener label: shared by all listeners.
  const openDurationOf = forEachValue(backends, (backend) => openDuration({ backend }))
  const waitOf = forEachValue(backends, (backend) => wait({ backend }))
  return {
    rejected: forEachValue(intruderReasons, (reason) => rejected({ reason })),
    swallowed: forEachValue(firewallChains, (chain) => swallowed({ chain })),
    forListener: (listener: string) => ({
      opened: forEachValue(backends, (backend) => opened({ listener, backend })),
      closed: forEachValue(backends, (backend) =>
        forEachValue(pinholeEnds, (reason) => closed({ listener, backend, reason })),
      ),
      active: forEachValue(backends, (backend) => active({ listener, backend })),
      failures: forEachValue(pinholeFailures, (reason) => failures({ listener, reason })),
      openDuration: openDurationOf,
      wait: waitOf,
    }),
  }
}
