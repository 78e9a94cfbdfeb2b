// Data channels and the transfers that use them.

import { verbs } from '../../ftp/commands.ts'
import { cellsByCommand } from './control.ts'
import { counterFamily, type Families, gaugeFamily, histogramFamily } from './family.ts'
import { dataPaths, forEachValue, legFailures, modes, sides, transferResults } from './labels.ts'

/** The series of one listener; every session of it counts on the same cells. */
export type DataMetrics = ReturnType<ReturnType<typeof defineDataMetrics>>

const transferVerbs = [...verbs].filter(([, traits]) => traits.transfer !== undefined).map(([verb]) => verb)

export function defineDataMetrics(families: Families) {
  const bytes = counterFamily(families, {
    name: 'ftp_alg_data_bytes_total',
    help: 'Bytes delivered on data channels; what the kernel forwards counts every five seconds and when the connection ends.',
    labels: ['listener', 'direction', 'path'],
  })
  const active = gaugeFamily(families, {
    name: 'ftp_alg_data_connections_active',
    help: 'Data channels with both legs up now.',
    labels: ['listener', 'mode', 'path'],
  })
  const connections = counterFamily(families, {
    name: 'ftp_alg_data_connections_total',
    help: 'Data channels that are over: ok they ended properly, reset they were cut off, failed they never joined.',
    labels: ['listener', 'mode', 'result'],
  })
  const failures = counterFamily(families, {
    name: 'ftp_alg_data_connection_failures_total',
    help: 'Data connections that the proxy could not make, by the side it was connecting to.',
    labels: ['listener', 'mode', 'side', 'reason'],
  })
  const foreign = counterFamily(families, {
    name: 'ftp_alg_data_foreign_peers_total',
    help: 'Data connections with somebody else than the control peer, as policy.dataPeers and policy.fxp allow.',
    labels: ['listener', 'side'],
  })
  const setup = histogramFamily(families, {
    name: 'ftp_alg_data_connection_setup_seconds',
    help: 'Time until both legs of a data channel were up.',
    labels: ['mode'],
    buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
  })
  const transfers = counterFamily(families, {
    name: 'ftp_alg_transfers_total',
    help: 'Transfers that are over.',
    labels: ['listener', 'command', 'result'],
  })
  const duration = histogramFamily(families, {
    name: 'ftp_alg_transfer_duration_seconds',
    help: 'How long the data channels of transfers were up.',
    labels: ['direction'],
    buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600],
  })
  // Without a listener label: shared by all listeners.
  const setupOf = forEachValue(modes, (mode) => setup({ mode }))
  const durationOf = {
    upload: duration({ direction: 'upload' }),
    download: duration({ direction: 'download' }),
  }
  return (listener: string) => ({
    bytes: {
      upload: forEachValue(dataPaths, (path) => bytes({ listener, direction: 'upload', path })),
      download: forEachValue(dataPaths, (path) => bytes({ listener, direction: 'download', path })),
    },
    active: forEachValue(modes, (mode) =>
      forEachValue(dataPaths, (path) => active({ listener, mode, path })),
    ),
    connections: forEachValue(modes, (mode) => ({
      ok: connections({ listener, mode, result: 'ok' }),
      reset: connections({ listener, mode, result: 'reset' }),
      failed: connections({ listener, mode, result: 'failed' }),
    })),
    failures: forEachValue(modes, (mode) =>
      forEachValue(sides, (side) =>
        forEachValue(legFailures, (reason) => failures({ listener, mode, side, reason })),
      ),
    ),
    foreign: forEachValue(sides, (side) => foreign({ listener, side })),
    setup: setupOf,
    transfers: forEachValue(transferResults, (result) =>
      cellsByCommand(transferVerbs, (command) => transfers({ listener, command, result })),
    ),
    duration: durationOf,
  })
}
