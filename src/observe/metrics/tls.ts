// TLS of a listener, towards its clients and towards its server. Listeners without TLS have none of these series.

import type { CertificateUse } from '../../vocabulary.ts'
import {
  type Cell,
  counterFamily,
  type Families,
  gaugeFamily,
  histogramFamily,
  measuredGauge,
} from './family.ts'
import { forEachValue, sides, tlsChannels, tlsFailures, tlsProtocols, tlsResumed } from './labels.ts'

/** The series of one listener; every session of it counts on the same cells. */
export type TlsMetrics = ReturnType<ReturnType<typeof defineTlsMetrics>>

export function defineTlsMetrics(families: Families, certificates: () => readonly CertificateUse[]) {
  measuredGauge(
    families,
    {
      name: 'ftp_alg_tls_certificate_expiry_timestamp_seconds',
      help: 'Unix time at which the certificate of this file, or one of its chain, ends.',
      labels: ['listener', 'side', 'certificate'],
      // For a moment some workers may have read a new one.
      aggregator: 'min',
    },
    () =>
      certificates().map(({ listener, side, file, expiresMs }) => ({
        labels: { listener, side, certificate: file },
        value: expiresMs / 1000,
      })),
  )
  const certificateReads = counterFamily(families, {
    name: 'ftp_alg_tls_certificate_reloads_total',
    help: 'Times that files of certificates and keys had changed and were read again; refused ones leave the old in use.',
    labels: ['listener', 'result'],
  })
  const certificatesGood = gaugeFamily(families, {
    name: 'ftp_alg_tls_certificate_last_reload_successful',
    help: '0 while files of certificates and keys were changed and refused: the old ones are in use.',
    labels: ['listener'],
    aggregator: 'min',
  })
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
  const floods = counterFamily(families, {
    name: 'ftp_alg_tls_floods_total',
    help: 'Encrypted connections closed because their peer sent one record without data after the other (KeyUpdate).',
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
    floods: forEachValue(sides, (side) => floods({ listener, side })),
    downgrades: downgrades({ listener }),
    certificates: {
      accepted: certificateReads({ listener, result: 'accepted' }),
      refused: certificateReads({ listener, result: 'refused' }),
      isGood: goodAtFirst(certificatesGood({ listener })),
      problem: null as string | null,
      /** They were read before. */
      isAgain: false,
    },
  })
}

function goodAtFirst(cell: Cell): Cell {
  cell.value = 1
  return cell
}
