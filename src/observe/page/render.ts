// The status page, rendered on the server: it works without a script, and refreshes itself. Everything that came
// from a peer is escaped here, once.

import type { ListView, PinholeView, SessionView, StatusView } from '../view/shapes.ts'

export interface PageContent {
  readonly status: StatusView
  /** Why the process is not ready, or null. */
  readonly notReady: string | null
  readonly sessions: ListView<SessionView>
  readonly pinholes: ListView<PinholeView>
}

type Cell = string | number | null

/** Rows of a table that are shown; the API has the rest. */
export const PAGE_ROWS = 100

/** A whole HTML document. */
export function renderPage({ status, notReady, sessions, pinholes }: PageContent): string {
  const state = notReady === null ? 'ready' : `not ready: ${notReady}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>ftp-alg</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<h1>ftp-alg <small>${escapeHtml(status.version)}</small></h1>
<p class="${notReady === null ? 'good' : 'bad'}">${escapeHtml(state)}</p>
<p>Pinholes by ${status.backend}, up ${formatDuration(status.uptime_ms)}, process ${status.pid}, Node ${escapeHtml(status.node_version)}</p>
${table('Listeners', status.listeners.length, [
  [
    'Listener',
    'Address',
    'Sessions',
    'Limit',
    'Total',
    'Rejected',
    'Denied',
    'Data',
    'Pinholes',
    'Up',
    'Down',
  ],
  ...status.listeners.map((listener): Cell[] => [
    listener.listener,
    formatEndpoint(listener.address, listener.port),
    listener.sessions_active,
    listener.sessions_limit,
    listener.sessions_total,
    listener.sessions_rejected_total,
    listener.commands_denied_total,
    listener.data_connections_active,
    listener.pinholes_active,
    formatBytes(listener.upload_bytes),
    formatBytes(listener.download_bytes),
  ]),
])}
${table('Port pools', status.pools.length, [
  ['Pool', 'Ports', 'In use', 'Resting'],
  ...status.pools.map((pool): Cell[] => [pool.pool, pool.ports, pool.in_use, pool.quarantined]),
])}
${table('Sessions', sessions.total, [
  ['Session', 'Listener', 'Client', 'Server', 'User', 'State', 'Mode', 'Last command', 'Up', 'Down', 'Age'],
  ...sessions.items.map((session): Cell[] => [
    session.session_id,
    session.listener,
    formatEndpoint(session.client_ip, session.client_port),
    formatEndpoint(session.server_ip, session.server_port),
    session.user,
    session.state,
    session.mode,
    session.last_command,
    formatBytes(session.upload_bytes),
    formatBytes(session.download_bytes),
    formatDuration(session.age_ms),
  ]),
])}
${table('Pinholes that wait', pinholes.total, [
  ['Session', 'Expects', 'Announced', 'Target', 'Backend', 'Closes in'],
  ...pinholes.items.map((pinhole): Cell[] => [
    pinhole.session_id,
    pinhole.expected_ip,
    formatEndpoint(pinhole.announced_ip, pinhole.announced_port),
    formatEndpoint(pinhole.target_ip, pinhole.target_port),
    pinhole.backend,
    formatDuration(pinhole.expires_in_ms),
  ]),
])}
${table('Last refusals', status.refusals.length, [
  ['Time', 'Event', 'Reason', 'Client', 'Listener', 'Command', 'Reply', 'Detail', 'Count'],
  ...status.refusals.map((refusal): Cell[] => [
    refusal.time,
    refusal.event,
    refusal.reason,
    refusal.client_ip,
    refusal.listener,
    refusal.command,
    refusal.reply_code,
    refusal.detail,
    refusal.count,
  ]),
])}
<p><a href="/metrics">metrics</a> <a href="/api/v1/status">status</a> <a href="/api/v1/sessions">sessions</a> <a href="/api/v1/pinholes">pinholes</a></p>
</body>
</html>
`
}

/** `'<b>"'` gives `'&lt;b&gt;&quot;'`. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

function table(title: string, total: number, [head = [], ...rows]: Cell[][]): string {
  const shown = rows.length < total ? `, ${rows.length} shown` : ''
  return `<h2>${title} <small>${total}${shown}</small></h2>
<div class="scroll"><table>
<thead>${row('th', head)}</thead>
<tbody>${rows.map((cells) => row('td', cells)).join('')}</tbody>
</table></div>`
}

function row(tag: 'th' | 'td', cells: readonly Cell[]): string {
  return `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(String(cell ?? '–'))}</${tag}>`).join('')}</tr>\n`
}

function formatEndpoint(address: string | null, port: number | null): string | null {
  if (address === null) return null
  return `${address.includes(':') ? `[${address}]` : address}:${port ?? ''}`
}

/** `93784000` gives `'1d 2h'`; `61000` gives `'1m 1s'`. */
function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`
  return `${Math.floor(seconds / 86_400)}d ${Math.floor((seconds % 86_400) / 3600)}h`
}

/** `1536` gives `'1.5 kB'`, in steps of 1000 as dashboards have them. */
function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit]}`
}
