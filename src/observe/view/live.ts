// Turns live objects into what the status page shows. Runs on request only.

import type { Endpoint } from '../../ftp/endpoints.ts'
import type { CertificateUse, PoolServerUse, PoolUse } from '../../vocabulary.ts'
import type { Cell } from '../metrics/family.ts'
import type { ListenerMetrics } from '../metrics.ts'
import type { LiveSession } from '../session/state.ts'
import type { ListenerView, PinholeView, PoolView, ServerView, SessionState, SessionView } from './shapes.ts'

export function viewSession(session: LiveSession): SessionView {
  const ageMs = Math.max(0, Math.round(performance.now() - session.openedAt))
  return {
    session_id: session.id,
    listener: session.metrics.name,
    client_ip: session.client.address,
    client_port: session.client.port,
    server_ip: session.server?.address ?? null,
    server_port: session.server?.port ?? null,
    user: session.user,
    state: stateOf(session),
    mode: session.mode,
    last_command: session.lastCommand,
    upload_bytes: session.uploadBytes,
    download_bytes: session.downloadBytes,
    transfers: session.transfers,
    refusals: session.refusals,
    opened_at: new Date(Date.now() - ageMs).toISOString(),
    age_ms: ageMs,
  }
}

export function viewPinholes(session: LiveSession, timeoutMs: number): readonly PinholeView[] {
  return (session.pinholes ?? []).map(({ pinhole, from, expect, announce, target, backend, openedAt }) => {
    const ageMs = Math.max(0, Math.round(performance.now() - openedAt))
    return {
      session_id: session.id,
      listener: session.metrics.name,
      client_ip: session.client.address,
      pinhole,
      from,
      expected_ip: expect,
      announced_ip: announce.address,
      announced_port: announce.port,
      target_ip: target?.address ?? null,
      target_port: target?.port ?? null,
      backend,
      age_ms: ageMs,
      expires_in_ms: Math.max(0, timeoutMs - ageMs),
    }
  })
}

export function viewListener(
  metrics: ListenerMetrics,
  at: Endpoint | undefined,
  certificates: readonly CertificateUse[],
): ListenerView {
  const { name, session, control, data, pinhole, recent } = metrics
  const mine = certificates.filter(({ listener }) => listener === name)
  return {
    listener: name,
    intercepts: session.intercepts.value === 1,
    up: session.up.value === 1,
    drained: session.drained.value === 1,
    address: at?.address ?? null,
    port: at?.port ?? null,
    sessions_active: session.active.value,
    sessions_limit: session.limit.value,
    sessions_total: session.opened.value,
    sessions_rejected_total: sum(session.rejected),
    commands_denied_total: Object.values(control.denied).reduce((total, cells) => total + cells.total(), 0),
    upstream_failures_total: sum(session.connectFailed),
    data_connections_active: sum(data.active.active) + sum(data.active.passive),
    data_connections_failed_total:
      data.connections.active.failed.value + data.connections.passive.failed.value,
    pinholes_active: sum(pinhole.active),
    upload_bytes: sum(data.bytes.upload),
    download_bytes: sum(data.bytes.download),
    certificates: mine.map(({ side, file, subject, expiresMs }) => ({
      side,
      file,
      subject,
      expires_at: new Date(expiresMs).toISOString(),
      expires_in_ms: expiresMs - Date.now(),
    })),
    certificates_problem: mine.length === 0 ? null : metrics.tls().certificates.problem,
    lately: { upstream: recent.upstream.view(), sent_away: recent.sentAway.view(), data: recent.data.view() },
  }
}

export function viewPool({ pool, ports, inUse, quarantined }: PoolUse): PoolView {
  return { pool, ports, in_use: inUse, quarantined }
}

export function viewServer({ pool, server, isUp, isBackup, sessions, failures }: PoolServerUse): ServerView {
  return {
    upstream: pool,
    server,
    up: isUp,
    backup: isBackup,
    sessions_active: sessions,
    failures_total: failures,
  }
}

function stateOf(session: LiveSession): SessionState {
  if (session.server === null) return 'connecting'
  if (session.passthrough !== null) return 'passthrough'
  if (session.channelsUp > 0) return 'transfer'
  if (session.pinholes !== null) return 'waiting'
  return session.isLoggedIn ? 'idle' : 'login'
}

/** Every cell of a closed set together. */
export function sum(cells: Readonly<Record<string, Cell>>): number {
  return Object.values(cells).reduce((total, cell) => total + cell.value, 0)
}
