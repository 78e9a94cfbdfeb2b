// The process itself: what it is, whether it drains or reloaded, its log, and the runtime's own figures.

import { readdir, stat } from 'node:fs/promises'
import { type Aggregator, collectDefaultMetrics, Gauge, type Registry } from 'prom-client'
import type { BackendName, TcpImplementation } from '../../vocabulary.ts'
import { defineEventLoopMetrics } from './event-loop.ts'
import { familiesOf } from './exposition.ts'
import { counterFamily, type Families, gaugeFamily, type MetricFamily } from './family.ts'

export type ProcessMetrics = ReturnType<typeof defineProcessMetrics>

export interface BuildFacts {
  readonly version: string
  readonly backend: BackendName
}

export function defineProcessMetrics(families: Families, { version, backend }: BuildFacts) {
  const build = gaugeFamily(families, {
    name: 'ftp_alg_build_info',
    help: 'Always 1; the labels say what is running.',
    labels: ['version', 'node_version', 'backend', 'tcp'],
    aggregator: 'first',
  })
  const draining = gaugeFamily(families, {
    name: 'ftp_alg_draining',
    help: '1 while the process drains: no new sessions, running transfers finish.',
    labels: [],
    aggregator: 'max',
  })
  const reloads = counterFamily(families, {
    name: 'ftp_alg_config_reloads_total',
    help: 'Reloads of the configuration; a refused one keeps the old configuration.',
    labels: ['result'],
    // Counted where they are asked for, not once for each worker.
    aggregator: 'first',
  })
  const lastReload = gaugeFamily(families, {
    name: 'ftp_alg_config_last_reload_successful',
    help: '1 when the configuration was last read without mistake, at start or on SIGHUP.',
    labels: [],
    aggregator: 'first',
  })
  const lastReloadTime = gaugeFamily(families, {
    name: 'ftp_alg_config_last_reload_success_timestamp_seconds',
    help: 'Unix time of the last configuration that was accepted.',
    labels: [],
    aggregator: 'first',
  })
  const workerDeaths = counterFamily(families, {
    name: 'ftp_alg_worker_deaths_total',
    help: 'Workers that ended unasked; each is replaced.',
    labels: [],
  })
  const logLost = counterFamily(families, {
    name: 'ftp_alg_log_lines_lost_total',
    help: 'Log lines that were left out or could not be written.',
    labels: ['reason'],
  })
  const transferLines = counterFamily(families, {
    name: 'ftp_alg_transfer_log_lines_total',
    help: 'Lines for the transfer log, written or lost.',
    labels: ['result'],
  })
  const transferLogFailing = gaugeFamily(families, {
    name: 'ftp_alg_transfer_log_failing',
    help: '1 while the transfer log cannot be written; lines wait in memory as long as they fit.',
    labels: [],
    aggregator: 'max',
  })
  const interceptionInPlace = gaugeFamily(families, {
    name: 'ftp_alg_interception_in_place',
    help: '0 when rules are missing that bring clients to listeners that intercept; looked at once a minute.',
    labels: [],
    // Looked at once, for all workers.
    aggregator: 'first',
  })
  const cells = {
    interceptionInPlace: interceptionInPlace({}),
    /** What runs is known when the TCP implementation is. */
    runsOn: (tcp: TcpImplementation) => {
      build({ version, node_version: process.version, backend, tcp }).value = 1
    },
    draining: draining({}),
    reloadsAccepted: reloads({ result: 'accepted' }),
    reloadsRefused: reloads({ result: 'refused' }),
    lastReloadSuccessful: lastReload({}),
    lastReloadTime: lastReloadTime({}),
    workerDeaths: workerDeaths({}),
    logLostToFlood: logLost({ reason: 'flood' }),
    logLostByOutput: logLost({ reason: 'output' }),
    transferLog: {
      written: transferLines({ result: 'written' }),
      lost: transferLines({ result: 'lost' }),
      failing: transferLogFailing({}),
    },
  }
  cells.interceptionInPlace.value = 1
  cells.lastReloadSuccessful.value = 1
  cells.lastReloadTime.value = Math.floor(Date.now() / 1000)
  return cells
}

/**
 * prom-client's figures about Node and the process, without those that
 * - break the naming rules (a gauge called `_total`: `promtool check metrics` exits 3 for them),
 * - walk every open socket at each scrape, which at 10,000 sessions stops the event loop for milliseconds, or
 * - wake the process all the time.
 */
export function defineRuntimeMetrics(registry: Registry): void {
  // Its timer for the event loop's lag cannot be left out, but need not run this month.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 2 ** 31 - 1 })
  defineEventLoopMetrics(registry)
  for (const kind of ['handles', 'requests', 'resources']) {
    registry.removeSingleMetric(`nodejs_active_${kind}`)
    registry.removeSingleMetric(`nodejs_active_${kind}_total`)
  }
  if (process.platform !== 'linux') return
  registry.removeSingleMetric('process_open_fds')
  new Gauge({
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    registers: [registry],
    async collect() {
      const count = await countOpenFiles().catch(() => null)
      if (count !== null) this.set(count)
    },
  })
}

/** Where prom-client would do something else: the process that is nearest to its limit is the one to look at. */
const aggregators: Readonly<Record<string, Aggregator>> = {
  process_open_fds: 'max',
  process_max_fds: 'min',
  // A worker that is replaced is no restart of the service.
  process_start_time_seconds: 'first',
}

/** What `defineRuntimeMetrics` defined, now. */
export async function runtimeFamilies(registry: Registry): Promise<readonly MetricFamily[]> {
  return familiesOf(await registry.getMetricsAsJSON()).map((family) => ({
    ...family,
    aggregator: aggregators[family.name] ?? family.aggregator,
  }))
}

/** Since Linux 6.2 the folder's size is the number of open files; before that it is 0 and must be listed. */
async function countOpenFiles(): Promise<number> {
  const { size } = await stat('/proc/self/fd')
  return size > 0 ? size : (await readdir('/proc/self/fd')).length
}
