// The servers of pools. Their names come from the configuration.

import type { PoolServerUse, PoolUpstreamUse } from '../../vocabulary.ts'
import { type Families, measuredCounter, measuredGauge } from './family.ts'

/** `pools` is called at every scrape. */
export function defineUpstreamMetrics(families: Families, pools: () => readonly PoolUpstreamUse[]): void {
  const each = (figure: (server: PoolServerUse) => number) => () =>
    pools().flatMap(({ servers }) =>
      servers.map((server) => ({
        labels: { upstream: server.pool, server: server.server },
        value: figure(server),
      })),
    )
  measuredGauge(
    families,
    {
      name: 'ftp_alg_upstream_server_up',
      help: '1 while a server of a pool is available to every worker.',
      labels: ['upstream', 'server'],
      aggregator: 'min',
    },
    each(({ isUp }) => Number(isUp)),
  )
  measuredGauge(
    families,
    {
      name: 'ftp_alg_upstream_server_sessions',
      help: 'Sessions with a server of a pool now.',
      labels: ['upstream', 'server'],
    },
    each(({ sessions }) => sessions),
  )
  measuredCounter(
    families,
    {
      name: 'ftp_alg_upstream_server_failures_total',
      help: 'Sessions and checks that a server of a pool failed.',
      labels: ['upstream', 'server'],
    },
    each(({ failures }) => failures),
  )
  measuredCounter(
    families,
    {
      name: 'ftp_alg_upstream_failovers_total',
      help: 'Times that a session went on to another server of its pool before its greeting.',
      labels: ['upstream'],
    },
    () => pools().map(({ pool, failovers }) => ({ labels: { upstream: pool }, value: failovers })),
  )
}
