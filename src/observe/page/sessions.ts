import type { SessionView } from '../view/shapes.ts'
import { formatEndpoint, formatTime } from '../view/wording.ts'
import type { PageContent } from './content.ts'
import { html, type Markup } from './html.ts'
import {
  bytesCell,
  type Column,
  codeCell,
  countCell,
  durationCell,
  orNothing,
  PAGE_ROWS,
  renderTable,
} from './table.ts'

const columns: readonly Column<SessionView>[] = [
  { title: 'Client → server', isHead: true, cell: routeCell },
  { title: 'User', isText: true, cell: ({ user }) => orNothing(user) },
  { title: 'State', cell: stateCell },
  { title: 'Last command', cell: (session) => codeCell(session.last_command) },
  { title: 'Up', isFigure: true, cell: (session) => bytesCell(session.upload_bytes) },
  { title: 'Down', isFigure: true, cell: (session) => bytesCell(session.download_bytes) },
  { title: 'Refused', isFigure: true, cell: ({ refusals }) => countCell(refusals) },
  {
    title: 'Age',
    isFigure: true,
    cell: ({ age_ms, opened_at }) => durationCell(age_ms, `since ${formatTime(opened_at)}`),
  },
  { title: 'Listener', cell: ({ listener }) => listener },
  { title: 'Session', cell: (session) => codeCell(session.session_id) },
]

export function renderSessions({ status, sessions }: PageContent): Markup {
  const at = status.listeners.flatMap(({ address, port }) => formatEndpoint(address, port) ?? [])
  return renderTable({
    id: 'sessions',
    title: 'Sessions',
    caption:
      'Open control connections, the oldest first. The session’s id stands in every line of the log about it.',
    columns,
    rows: chosen(sessions.items),
    total: sessions.total,
    more: 'those that move or await data are shown first; /api/v1/sessions has up to 1,000.',
    empty:
      at.length === 0 ? 'Nobody is connected.' : `Nobody is connected. Clients connect to ${at.join(', ')}.`,
    keyOf: (session) => session.session_id,
  })
}

/** Those with a data connection are never left out for idle ones; in the order of age, so that rows stay where they are. */
function chosen(sessions: readonly SessionView[]): readonly SessionView[] {
  if (sessions.length <= PAGE_ROWS) return sessions
  const isBusy = ({ state }: SessionView) => state === 'transfer' || state === 'waiting'
  const first = [...sessions.filter(isBusy), ...sessions.filter((session) => !isBusy(session))]
  const picked = new Set(first.slice(0, PAGE_ROWS))
  return sessions.filter((session) => picked.has(session))
}

function stateCell({ state, mode }: SessionView): Markup {
  return html`<span class="dot ${state}">${state}</span>${mode !== null && html` <small class="faint">${mode}</small>`}`
}

function routeCell({ client_ip, client_port, server_ip, server_port }: SessionView): Markup {
  const server = formatEndpoint(server_ip, server_port)
  return html`<code>${formatEndpoint(client_ip, client_port)}</code> <span class="faint">→</span> ${
    server === null ? html`<span class="faint">connecting</span>` : html`<code>${server}</code>`
  }`
}
