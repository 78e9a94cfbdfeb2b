// What a session reports of TLS, counted and logged.

import type { Side } from '../../engine/contract.ts'
import type { TlsChannel, TlsFailure, TlsReport } from '../../vocabulary.ts'
import { safeText } from '../log/text.ts'
import type { LiveSession } from './state.ts'

export function recordTls(session: LiveSession, report: TlsReport & { readonly side: Side }): void {
  switch (report.type) {
    case 'secured':
      secured(session, report)
      break
    case 'failed':
      failed(session, report)
      break
    case 'truncated':
      session.metrics.tls().truncations[report.side].value += 1
      session.around.log.write('tls.truncate', session.fields({ side: report.side }), report.side)
      break
    case 'flooded':
      session.metrics.tls().floods[report.side].value += 1
      session.around.log.write('tls.flood', session.fields({ side: report.side }), report.side)
      break
    case 'downgraded':
      session.metrics.tls().downgrades.value += 1
      session.around.log.write(
        'tls.downgrade',
        session.fields({ detail: safeText(report.detail) }),
        'downgrade',
      )
      break
  }
}

function secured(
  session: LiveSession,
  report: Extract<TlsReport, { readonly type: 'secured' }> & { readonly side: Side },
): void {
  const { side, channel, protocol, cipher, isResumed, serverName, durationMs } = report
  const tls = session.metrics.tls()
  tls.handshakes[side][channel][protocol][isResumed ? 'yes' : 'no'].value += 1
  tls.duration[side][channel].observe(durationMs / 1000)
  if (!session.around.log.wants('tls.secure')) return
  const name = serverName === null ? {} : { server_name: safeText(serverName) }
  const fields = {
    side,
    channel_kind: channel,
    protocol,
    cipher,
    resumed: isResumed,
    ...name,
    duration_ms: Math.round(durationMs),
  }
  session.around.log.write('tls.secure', session.fields(fields))
}

function failed(
  session: LiveSession,
  {
    side,
    channel,
    reason,
    detail,
  }: {
    readonly side: Side
    readonly channel: TlsChannel
    readonly reason: TlsFailure
    readonly detail: string
  },
): void {
  session.metrics.tls().failures[side][channel][reason].value += 1
  const fields = session.fields({ side, channel_kind: channel, reason, detail: safeText(detail) })
  const isStranger = reason === 'not_resumed'
  session.around.log.write(isStranger ? 'tls.stranger' : 'tls.fail', fields, `${side} ${channel} ${reason}`)
}
