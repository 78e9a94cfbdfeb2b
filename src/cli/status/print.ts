import { attentionOf, troubleOf } from '../../observe/view/attention.ts'
import { meaningOf, refusalKinds } from '../../observe/view/meaning.ts'
import type {
  ListenerView,
  PinholeView,
  PoolView,
  RefusalView,
  ServerView,
  SessionView,
} from '../../observe/view/shapes.ts'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatEndpoint,
  formatTcp,
  formatTime,
} from '../../observe/view/wording.ts'
import type { Snapshot } from './ask-admin.ts'
import { printBar, printTable, type TextColumn } from './text-table.ts'

export interface PrintOptions {
  /** Characters in a line; what is longer is cut. */
  readonly width: number
  readonly isColourful: boolean
  readonly now: Date
}

/** What switches each on and off, ECMA-48. */
const styles = { red: [31, 39], yellow: [33, 39], bold: [1, 22] } as const
type Style = keyof typeof styles

/** Rows of a table; `--json` has the rest. */
const MAX_ROWS = 50

const listenerColumns: readonly TextColumn<ListenerView>[] = [
  {
    title: 'Name',
    cell: (view) => {
      const trouble = view.up ? troubleOf(view) : 'down'
      return trouble === null ? view.listener : `${view.listener} (${trouble})`
    },
  },
  { title: 'Address', cell: ({ address, port }) => formatEndpoint(address, port) },
  {
    title: 'Sessions',
    cell: (listener) => `${formatCount(listener.sessions_active)} of ${formatCount(listener.sessions_limit)}`,
  },
  { title: 'Since start', isFigure: true, cell: (listener) => formatCount(listener.sessions_total) },
  { title: 'Sent away', isFigure: true, cell: (listener) => formatCount(listener.sessions_rejected_total) },
  { title: 'Refused', isFigure: true, cell: (listener) => formatCount(listener.commands_denied_total) },
  { title: 'No server', isFigure: true, cell: (listener) => formatCount(listener.upstream_failures_total) },
  { title: 'Data', isFigure: true, cell: (listener) => formatCount(listener.data_connections_active) },
  { title: 'Up', isFigure: true, cell: (listener) => formatBytes(listener.upload_bytes) },
  { title: 'Down', isFigure: true, cell: (listener) => formatBytes(listener.download_bytes) },
]

const sessionColumns: readonly TextColumn<SessionView>[] = [
  { title: 'Client', cell: (session) => formatEndpoint(session.client_ip, session.client_port) },
  { title: 'Server', cell: (session) => formatEndpoint(session.server_ip, session.server_port) },
  { title: 'User', cell: ({ user }) => user },
  { title: 'State', cell: ({ state }) => state },
  { title: 'Mode', cell: ({ mode }) => mode },
  { title: 'Last', cell: (session) => session.last_command },
  { title: 'Up', isFigure: true, cell: (session) => formatBytes(session.upload_bytes) },
  { title: 'Down', isFigure: true, cell: (session) => formatBytes(session.download_bytes) },
  { title: 'Age', isFigure: true, cell: (session) => formatDuration(session.age_ms) },
  { title: 'Listener', cell: ({ listener }) => listener },
  { title: 'Session', cell: (session) => session.session_id },
]

const pinholeColumns: readonly TextColumn<PinholeView>[] = [
  { title: 'Expects', cell: ({ expected_ip, from }) => `${expected_ip} (${from})` },
  { title: 'At', cell: (hole) => formatEndpoint(hole.announced_ip, hole.announced_port) },
  { title: 'Leads to', cell: (hole) => formatEndpoint(hole.target_ip, hole.target_port) },
  { title: 'By', cell: ({ backend }) => backend },
  { title: 'Closes in', isFigure: true, cell: (hole) => formatDuration(hole.expires_in_ms) },
  { title: 'Listener', cell: ({ listener }) => listener },
  { title: 'Session', cell: (hole) => hole.session_id },
]

const poolColumns: readonly TextColumn<PoolView>[] = [
  { title: 'Pool', cell: ({ pool }) => pool },
  { title: 'Use', cell: ({ ports, in_use }) => printBar({ of: ports, used: in_use }) },
  { title: 'In use', isFigure: true, cell: (pool) => formatCount(pool.in_use) },
  { title: 'Resting', isFigure: true, cell: (pool) => formatCount(pool.quarantined) },
  { title: 'Ports', isFigure: true, cell: (pool) => formatCount(pool.ports) },
]

const serverColumns: readonly TextColumn<ServerView>[] = [
  { title: 'Server', cell: ({ server, backup }) => (backup ? `${server} (backup)` : server) },
  { title: 'Pool', cell: ({ upstream }) => upstream },
  { title: 'State', cell: ({ up }) => (up ? 'up' : 'down') },
  { title: 'Sessions', isFigure: true, cell: (server) => formatCount(server.sessions_active) },
  { title: 'Failures', isFigure: true, cell: (server) => formatCount(server.failures_total) },
]

/** The lines of a report for people. Texts must be harmless already. */
export function printStatus({ status, sessions, pinholes }: Snapshot, options: PrintOptions): string[] {
  const { width, isColourful, now } = options
  const paint = (style: Style | null, text: string) =>
    isColourful && style !== null ? styled(style, text) : text
  const state = status.draining ? 'draining' : status.ready ? 'ready' : 'not ready'
  const found = attentionOf(status, status.not_ready_reason)
  const head = [
    `ftp-alg ${status.version} on ${status.hostname}: ${state}, up ${formatDuration(status.uptime_ms)}, as of ${formatTime(now.toISOString())}`,
    ...(found.length === 0
      ? ['Nothing needs attention.']
      : found.map(({ level, text }) => `${level === 'bad' ? '!!' : '!'} ${text}`)),
  ]
  head.push(`Pinholes by ${status.backend}, TCP by ${formatTcp(status)}.`)
  const tables = [
    printTable('Listeners', listenerColumns, status.listeners),
    ...(status.servers.length === 0 ? [] : [printTable('Servers of pools', serverColumns, status.servers)]),
    bounded('Sessions', sessionColumns, {
      rows: sessions.sessions,
      total: sessions.total,
      none: 'no clients are connected',
    }),
    bounded('Pinholes', pinholeColumns, {
      rows: pinholes.pinholes,
      total: pinholes.total,
      none: 'none is waiting',
    }),
    printTable('Data ports', poolColumns, status.pools),
    bounded('Recent refusals', refusalColumns(now), {
      rows: status.refusals,
      total: status.refusals.length,
      none: 'nothing was refused',
    }),
  ]
  const cut = (line: string) => (line.length > width ? `${line.slice(0, width - 1)}…` : line)
  return [
    ...head.map(cut).map((line) => paint(styleOf(line), line)),
    ...tables.flatMap(([title = '', ...lines]) => ['', paint('bold', cut(title)), ...lines.map(cut)]),
  ]
}

function styled(style: Style, text: string): string {
  const [on, off] = styles[style]
  return `\x1b[${on}m${text}\x1b[${off}m`
}

function styleOf(line: string): Style | null {
  if (line.startsWith('!!')) return 'red'
  if (line.startsWith('!')) return 'yellow'
  return line.startsWith('ftp-alg') ? 'bold' : null
}

function bounded<Row>(
  title: string,
  columns: readonly TextColumn<Row>[],
  { rows, total, none }: { readonly rows: readonly Row[]; readonly total: number; readonly none: string },
): string[] {
  if (total === 0) return [`${title}: ${none}`]
  const shown = rows.slice(0, MAX_ROWS)
  const rest = total - shown.length
  const more = rest > 0 ? [`  and ${formatCount(rest)} more; --json shows up to 1,000`] : []
  return [...printTable(`${title}: ${formatCount(total)}`, columns, shown), ...more]
}

function refusalColumns(now: Date): readonly TextColumn<RefusalView>[] {
  return [
    {
      title: 'When',
      cell: ({ time }) => `${formatDuration(Math.max(0, now.getTime() - Date.parse(time)))} ago`,
    },
    { title: 'Who', cell: (refusal) => refusal.client_ip },
    { title: 'What', cell: whatOf },
    { title: 'Times', isFigure: true, cell: ({ count }) => count },
    { title: 'Listener', cell: ({ listener }) => listener },
    { title: 'Session', cell: (refusal) => refusal.session_id },
    { title: 'Why', cell: (refusal) => meaningOf(refusal) },
    { title: 'Detail', cell: ({ detail }) => detail },
  ]
}

function whatOf({ event, command, reply_code }: RefusalView): string {
  if (command === null) return refusalKinds[event]
  return reply_code === null ? command : `${command} ${reply_code}`
}
