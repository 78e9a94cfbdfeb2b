// The observer of the process: one call feeds the log, the metrics and the live view, so they cannot disagree.

import { hostname } from 'node:os'
import type { Config } from '../config/config.ts'
import { usesTls } from '../config/pool-settings.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { CertificateUse, LogLevel, PoolUpstreamUse, PoolUse } from '../vocabulary.ts'
import { certificateFields, recordCertificates } from './certificates.ts'
import { createLog, defectFields, errorFields, type LogSettings } from './log.ts'
import { readConntrack } from './metrics/conntrack.ts'
import { formatExposition } from './metrics/exposition.ts'
import type { MetricFamily } from './metrics/family.ts'
import { residentBytes } from './metrics/resident-bytes.ts'
import { createMetrics } from './metrics.ts'
import type { Observer } from './observer.ts'
import { createSessionId } from './session/id.ts'
import { SessionRecorder } from './session/recorder.ts'
import type { LiveSession } from './session/state.ts'
import { createTransferLog, type TransferLogSettings } from './transfers/transfer-log.ts'
import { sum, viewListener, viewPinholes, viewPool, viewServer, viewSession } from './view/live.ts'
import { Outcomes } from './view/recent.ts'
import { createRefusalRing } from './view/refusals.ts'
import type { ListView, PinholeView, SessionView, StatusView } from './view/shapes.ts'

/** The observer as the composition root and the admin server see it. */
export interface Recorder extends Observer {
  /** Everything that is counted and measured, as structures. */
  families(): Promise<readonly MetricFamily[]>
  /** The same as the Prometheus exposition, text format 0.0.4. */
  exposition(): Promise<string>
  status(): StatusView
  /** The oldest first, at most `limit`. */
  sessions(limit?: number): ListView<SessionView>
  pinholes(limit?: number): ListView<PinholeView>
  /** SIGHUP was answered; `null` for success, else why the old configuration stays. */
  configReloaded(failure: unknown | null): void
  /** A worker ended by itself. */
  workerDied(): void
  setLogLevel(level: LogLevel): void
  /** Keeps the transfer log there from now on, in a file that is reopened; null: keeps none. */
  logTransfersTo(settings: TransferLogSettings | null): void
  /** Goes on with the files that stand at their paths now: SIGUSR2, after logs were rotated. */
  reopenLogs(): void
  /** Writes log lines that wait, before it returns. */
  flush(): void
  /** Writes lines that wait, of the transfer log and the log; resolves within a second each. The last call. */
  close(): Promise<void>
}

export interface RecorderOptions {
  readonly config: Pick<Config, 'listeners' | 'upstreams' | 'limits' | 'pinholes' | 'log'>
  /** Of this program, `'0.1.0'`. */
  readonly version: string
  /** Default: standard output. */
  readonly logOutput?: LogSettings['output']
  /** Other processes log to the same place. */
  readonly isLogShared?: boolean
  /** The log is read by systemd's journal. */
  readonly hasLogPriorities?: boolean
}

const DEFAULT_LIST_LIMIT = 1000

export function createObserver(options: RecorderOptions): Recorder {
  const { config, version, logOutput = 1, isLogShared = false, hasLogPriorities = false } = options
  const startedAt = new Date()
  const listening = new Map<string, Endpoint>()
  let pools: () => readonly PoolUse[] = () => []
  let tcp: StatusView['tcp'] = null
  let certificates: () => readonly CertificateUse[] = () => []
  let upstreams: () => readonly PoolUpstreamUse[] = () => []
  const isTracked =
    config.pinholes.backend === 'nftables' || config.listeners.some(({ intercept }) => intercept !== 'none')
  const conntrack = () => (isTracked ? readConntrack() : null)
  const metrics = createMetrics({
    version,
    backend: config.pinholes.backend,
    listeners: config.listeners.map((listener) => ({
      name: listener.name,
      intercepts: listener.intercept !== 'none',
      hasTls: usesTls(listener, config.upstreams),
    })),
    conntrack,
    pools: () => pools(),
    upstreams: () => upstreams(),
    certificates: () => certificates(),
  })
  for (const { session } of metrics.listeners()) session.limit.value = config.limits.sessions
  const log = createLog({
    ...config.log,
    output: logOutput,
    isShared: isLogShared,
    hasPriorities: hasLogPriorities,
    lost: (reason, lines) => {
      const cell = reason === 'flood' ? metrics.process.logLostToFlood : metrics.process.logLostByOutput
      cell.value += lines
    },
  })
  const refusals = createRefusalRing()
  let interceptionMissing: string | null = null
  const swallowed = { input: new Outcomes(), forward: new Outcomes() }
  const live = new Set<LiveSession>()
  const transferLog = createTransferLog({ log, cells: metrics.process.transferLog })
  const around = { log, refusals, live, transferLog }

  return {
    sessionOpened: ({ listener, client, introduction = null }) =>
      new SessionRecorder(createSessionId(), { client, introduction }, metrics.listener(listener), around),
    sessionRejected: ({ listener, client, reason, detail }) => {
      metrics.listener(listener).session.rejected[reason].value += 1
      refusals.add({ event: 'session.reject', reason, client_ip: client.address, listener })
      const fields = { listener, client_ip: client.address, client_port: client.port, reason, detail }
      log.write('session.reject', fields, reason)
    },
    sessionFailed: ({ listener, client, error }) => {
      metrics.listener(listener).session.defects.value += 1
      const fields = { listener, client_ip: client.address, client_port: client.port, ...defectFields(error) }
      log.write('session.fail', fields, error instanceof Error ? error.name : typeof error)
    },
    pinholeIntruded: ({ from, port, reason }) => {
      metrics.pinholeRejected[reason].value += 1
      refusals.add({ event: 'pinhole.intrude', reason, client_ip: from.address, detail: `port ${port}` })
      const fields = { client_ip: from.address, client_port: from.port, data_port: port, reason }
      log.write('pinhole.intrude', fields, reason)
    },
    pinholeSwallowed: ({ session, peer, at: { address, port }, chain }) => {
      metrics.pinholeSwallowed[chain].value += 1
      swallowed[chain].failed({ who: peer, why: `${peer} at ${address} port ${port}` })
      log.write('pinhole.swallow', { session_id: session, client_ip: peer, address, port, chain }, chain)
    },
    listenerStarted: ({ listener, at, sessionLimit }) => {
      const { session } = metrics.listener(listener)
      session.up.value = 1
      session.limit.value = sessionLimit
      listening.set(listener, at)
      log.write('listener.start', {
        listener,
        address: at.address,
        port: at.port,
        session_limit: sessionLimit,
      })
    },
    listenerChanged: ({ listener, isAccepting }) => {
      metrics.listener(listener).session.up.value = isAccepting ? 1 : 0
    },
    listenerDrained: ({ listener, isDrained }) => {
      metrics.listener(listener).session.drained.value = isDrained ? 1 : 0
      log.write(isDrained ? 'listener.drain' : 'listener.resume', { listener })
    },
    tcpChosen: ({ implementation, reason }) => {
      tcp = { implementation, reason }
      metrics.process.runsOn(implementation)
      if (reason !== null) log.write('tcp.fallback', { reason })
    },
    sessionLimitChanged: (sessions) => {
      for (const { session } of metrics.listeners()) session.limit.value = sessions
    },
    poolsMeasuredBy: (figures) => {
      pools = figures
    },
    upstreamsMeasuredBy: (figures) => {
      upstreams = figures
    },
    upstreamServerChanged: ({ pool, server, address, isUp, why }) => {
      const at = address === null ? {} : { server_ip: address }
      log.write(isUp ? 'upstream.recover' : 'upstream.lose', { pool, server, ...at, detail: why })
    },
    certificatesMeasuredBy: (measured) => {
      certificates = measured
    },
    certificatesRead: (read) => recordCertificates(read, { log, metrics }),
    certificateExpires: (certificate) => {
      log.write('certificate.expire', certificateFields(certificate), certificate.file)
    },
    draining: () => {
      metrics.process.draining.value = 1
      log.write('drain.start', { sessions: live.size })
    },
    interceptionChecked: (missing) => {
      metrics.process.interceptionInPlace.value = missing === null ? 1 : 0
      if (missing !== null && missing !== interceptionMissing)
        log.write('interception.miss', { detail: missing })
      if (missing === null && interceptionMissing !== null) log.write('interception.recover', {})
      interceptionMissing = missing
    },
    log: log.log,
    configReloaded: (failure) => {
      const { process: cells } = metrics
      cells.lastReloadSuccessful.value = failure === null ? 1 : 0
      if (failure === null) {
        cells.reloadsAccepted.value += 1
        cells.lastReloadTime.value = Math.floor(Date.now() / 1000)
        log.write('config.reload', {})
      } else {
        cells.reloadsRefused.value += 1
        log.write('config.refuse', errorFields(failure))
      }
    },
    workerDied: () => {
      metrics.process.workerDeaths.value += 1
    },
    families: metrics.families,
    exposition: async () => formatExposition([await metrics.families()]),
    status: () => ({
      version,
      hostname: hostname(),
      node_version: process.version,
      backend: config.pinholes.backend,
      tcp,
      pid: process.pid,
      started_at: startedAt.toISOString(),
      uptime_ms: Math.max(0, Date.now() - startedAt.getTime()),
      memory_rss_bytes: residentBytes(),
      draining: metrics.process.draining.value === 1,
      config: {
        last_reload_successful: metrics.process.lastReloadSuccessful.value === 1,
        accepted_at: new Date(metrics.process.lastReloadTime.value * 1000).toISOString(),
        reloads_accepted: metrics.process.reloadsAccepted.value,
        reloads_refused: metrics.process.reloadsRefused.value,
      },
      log_lines_lost: metrics.process.logLostToFlood.value + metrics.process.logLostByOutput.value,
      intruders_total: sum(metrics.pinholeRejected),
      session_defects_total: [...metrics.listeners()].reduce(
        (total, { session }) => total + session.defects.value,
        0,
      ),
      conntrack: conntrack(),
      interception_missing: interceptionMissing,
      swallowed_lately: { input: swallowed.input.view().failed, forward: swallowed.forward.view().failed },
      transfer_log: transferLog.view(),
      listeners: [...metrics.listeners()].map((listener) =>
        viewListener(listener, listening.get(listener.name), certificates()),
      ),
      pools: pools().map(viewPool),
      servers: upstreams().flatMap(({ servers }) => servers.map(viewServer)),
      refusals: refusals.list(),
    }),
    sessions: (limit = DEFAULT_LIST_LIMIT) => {
      const items: SessionView[] = []
      for (const session of live) {
        if (items.length >= limit) break
        items.push(viewSession(session))
      }
      return { total: live.size, items }
    },
    pinholes: (limit = DEFAULT_LIST_LIMIT) => {
      const items: PinholeView[] = []
      let total = 0
      for (const session of live) {
        if (session.pinholes === null) continue
        total += session.pinholes.length
        if (items.length < limit) items.push(...viewPinholes(session, config.pinholes.timeoutMs))
      }
      return { total, items: items.slice(0, limit) }
    },
    setLogLevel: log.setLevel,
    logTransfersTo: transferLog.use,
    reopenLogs: transferLog.reopen,
    flush: log.flush,
    close: async () => {
      await transferLog.close()
      await log.close()
    },
  }
}
