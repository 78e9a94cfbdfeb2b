// Listeners, sessions, and the control connection to the server.

import { counterFamily, type Families, gaugeFamily, histogramFamily } from './family.ts'
import { closeReasons, forEachValue, rejectReasons, upstreamFailures } from './labels.ts'

/** The series of one listener; every session of it counts on the same cells. */
export type SessionMetrics = ReturnType<ReturnType<typeof defineSessionMetrics>>

export function defineSessionMetrics(families: Families) {
  const up = gaugeFamily(families, {
    name: 'ftp_alg_listener_up',
    help: '1 once the listener is bound and accepts sessions.',
    labels: ['listener'],
    // Of several processes, all must be up.
    aggregator: 'min',
  })
  const intercepts = gaugeFamily(families, {
    name: 'ftp_alg_listener_intercepts',
    help: '1 where the listener takes connections that were meant for other hosts, 0 where it stands before one server.',
    labels: ['listener'],
    aggregator: 'max',
  })
  const drained = gaugeFamily(families, {
    name: 'ftp_alg_listener_drained',
    help: '1 while an operator keeps new sessions away from the listener.',
    labels: ['listener'],
    aggregator: 'max',
  })
  const opened = counterFamily(families, {
    name: 'ftp_alg_sessions_total',
    help: 'Sessions opened.',
    labels: ['listener'],
  })
  const active = gaugeFamily(families, {
    name: 'ftp_alg_sessions_active',
    help: 'Sessions that are open now.',
    labels: ['listener'],
  })
  const limit = gaugeFamily(families, {
    name: 'ftp_alg_sessions_limit',
    help: 'Sessions that may be open at once.',
    labels: ['listener'],
    // Meant for all processes together.
    aggregator: 'first',
  })
  const rejected = counterFamily(families, {
    name: 'ftp_alg_sessions_rejected_total',
    help: 'Connections sent away with 421 before they became a session.',
    labels: ['listener', 'reason'],
  })
  const closed = counterFamily(families, {
    name: 'ftp_alg_sessions_closed_total',
    help: 'Sessions closed, by the first reason to close them.',
    labels: ['listener', 'reason'],
  })
  const duration = histogramFamily(families, {
    name: 'ftp_alg_session_duration_seconds',
    help: 'How long sessions lasted.',
    labels: ['listener'],
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400],
  })
  const passedThrough = counterFamily(families, {
    name: 'ftp_alg_passthrough_sessions_total',
    help: 'Sessions whose TLS is between client and server alone: their endpoints cannot be rewritten.',
    labels: ['listener'],
  })
  const logins = counterFamily(families, {
    name: 'ftp_alg_logins_total',
    help: 'Logins as the server answered them.',
    labels: ['listener', 'result'],
  })
  const defects = counterFamily(families, {
    name: 'ftp_alg_session_defects_total',
    help: 'Sessions ended by a defect of this proxy; each has an error line in the log.',
    labels: ['listener'],
  })
  const forgotten = counterFamily(families, {
    name: 'ftp_alg_translations_forgotten_total',
    help: 'Redirected control connections that conntrack had forgotten: restored, or lost with their session.',
    labels: ['listener', 'result'],
  })
  const connectFailed = counterFamily(families, {
    name: 'ftp_alg_upstream_connect_failures_total',
    help: 'Control connections to the server that could not be made.',
    labels: ['listener', 'reason'],
  })
  const sentAway = counterFamily(families, {
    name: 'ftp_alg_upstream_rejections_total',
    help: 'Sessions that the server sent away in its greeting, mostly by a limit of its own with 421.',
    labels: ['listener'],
  })
  const connectDuration = histogramFamily(families, {
    name: 'ftp_alg_upstream_connect_duration_seconds',
    help: 'Time to connect to the server.',
    labels: ['listener'],
    buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
  })
  return (listener: string) => ({
    up: up({ listener }),
    intercepts: intercepts({ listener }),
    drained: drained({ listener }),
    opened: opened({ listener }),
    active: active({ listener }),
    limit: limit({ listener }),
    rejected: forEachValue(rejectReasons, (reason) => rejected({ listener, reason })),
    closed: forEachValue(closeReasons, (reason) => closed({ listener, reason })),
    duration: duration({ listener }),
    passedThrough: passedThrough({ listener }),
    loginAccepted: logins({ listener, result: 'accepted' }),
    loginRefused: logins({ listener, result: 'refused' }),
    defects: defects({ listener }),
    forgotten: {
      restored: forgotten({ listener, result: 'restored' }),
      lost: forgotten({ listener, result: 'lost' }),
    },
    connectFailed: forEachValue(upstreamFailures, (reason) => connectFailed({ listener, reason })),
    sentAway: sentAway({ listener }),
    connectDuration: connectDuration({ listener }),
  })
}
