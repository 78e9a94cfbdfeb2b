// TLS of a listener, towards its clients and towards its server. Listeners without TLS have none of these series.

import { counterFamily, type Families, histogramFamily } from './family.ts'
import { forEachValue, sides, tlsChannels, tlsFailures, tlsProtocols, tlsResumed } from './labels.ts'

/** The series of one listener; every session of it counts on the same cells. */
export type TlsMetrics = ReturnType<ReturnType<typeof defineTlsMetrics>>

export function defineTlsMetrics(families: Families) {
  const handshakes = counterFamily(families, {
    name: 'ftp_alg_tls_handshakes_total',
    help: 'TLS handshakes that succeeded.',
    labels: ['listener', 'side', 'channel', 'protocol', 'resumed'],
  })
  const failures = counterFamily(families, {
    name: 'ftp_alg_tls_handshake_failures_total',
    help: 'TLS handshakes that failed.',
    labels: ['listener', 'side', 'channel', 'reason'],
  })
  const duration = histogramFamily(families, {
    name: 'ftp_alg_tls_handshake_duration_seconds',
    help: 'How long TLS handshakes took.',
    labels: ['listener', 'side', 'channel'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 15],
  })
  const truncations = counterFamily(families, {
    name: 'ftp_alg_tls_truncations_total',
    help: 'Encrypted data connections that their peer ended without close_notify.',
    labels: ['listener', 'side'],
  })
  const downgrades = counterFamily(families, {
    name: 'ftp_alg_tls_downgrades_total',
    help: 'Sessions that went on in clear with a server that refused AUTH TLS, where TLS is optional.',
    labels: ['listener'],
  })
  return (listener: string) => ({
    handshakes: forEachValue(sides, (side) =>
      forEachValue(tlsChannels, (channel) =>
        forEachValue(tlsProtocols, (protocol) =>
          forEachValue(tlsResumed, (resumed) => handshakes({ listener, side, channel, protocol, resumed })),
        ),
      ),
    ),
    failures: forEachValue(sides, (side) =>
      forEachValue(tlsChannels, (channel) =>
        forEachValue(tlsFailures, (reason) => failures({ listener, side, channel, reason })),
      ),
    ),
    duration: forEachValue(sides, (side) =>
      forEachValue(tlsChannels, (channel) => duration({ listener, side, channel })),
    ),
    truncations: forEachValue(sides, (side) => truncations({ listener, side })),
    downgrades: downgrades({ listener }),
  })
}
