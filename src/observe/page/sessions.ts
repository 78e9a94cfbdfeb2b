import type { SessionView } from '../view/shapes.ts'
import { formatEndpoint, formatTime } from '../view/wording.ts'
import { chooseSessions, type PageChoice, type SortKey, writeChoice } from './choice.ts'
import type { PageContent } from './content.ts'
import { html, type Markup } from './html.ts'
import { actButton } from './operator.ts'
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

type SessionColumn = Column<SessionView> & { readonly by?: SortKey }

const columns: readonly SessionColumn[] = [
  { title: 'Client → server', isHead: true, by: 'client', cell: routeCell },
  { title: 'User', isText: true, by: 'user', cell: ({ user }) => orNothing(user) },
  { title: 'State', by: 'state', cell: stateCell },
  { title: 'Last command', by: 'command', cell: (session) => codeCell(session.last_command) },
  { title: 'Up', isFigure: true, by: 'up', cell: (session) => bytesCell(session.upload_bytes) },
  { title: 'Down', isFigure: true, by: 'down', cell: (session) => bytesCell(session.download_bytes) },
  { title: 'Refused', isFigure: true, by: 'refused', cell: ({ refusals }) => countCell(refusals) },
  {
    title: 'Age',
    isFigure: true,
    by: 'age',
    cell: ({ age_ms, opened_at }) => durationCell(age_ms, `since ${formatTime(opened_at)}`),
  },
  { title: 'Listener', by: 'listener', cell: ({ listener }) => listener },
  { title: 'Session', cell: (session) => codeCell(session.session_id) },
]

const endColumn: SessionColumn = {
  title: '',
  isAct: true,
  cell: ({ session_id, user, client_ip }) =>
    actButton('end', session_id, `End the session of ${user ?? 'somebody'} from ${client_ip}`),
}

/** With so few a reader finds everything without help. */
const FEW = 10

export function renderSessions({ status, sessions, choice, canAct }: PageContent): Markup {
  const at = status.listeners.flatMap(({ address, port }) => formatEndpoint(address, port) ?? [])
  const isAll = choice.filter === '' && choice.sort === null
  const found = chooseSessions(sessions.items, choice)
  const isSmall = sessions.total <= FEW && isAll
  return renderTable({
    id: 'sessions',
    title: 'Sessions',
    caption:
      'Open control connections, the oldest first unless a column is chosen. The session’s id stands in every line of the log about it.',
    columns: [...columns.map((column) => sortable(column, choice)), ...(canAct ? [endColumn] : [])],
    rows: isAll ? chosen(found) : found.slice(0, PAGE_ROWS),
    total: sessions.total,
    ...(choice.filter !== '' && { found: found.length }),
    ...(!isSmall && { tools: renderFilter(choice, sessions.total - sessions.items.length) }),
    more: isAll
      ? 'those that move or await data are shown first; /api/v1/sessions has up to 1,000.'
      : 'filter for fewer.',
    empty:
      choice.filter !== ''
        ? 'No session has this text.'
        : at.length === 0
          ? 'No clients are connected.'
          : `No clients are connected. Clients connect to ${at.join(', ')}.`,
    keyOf: (session) => session.session_id,
  })
}

/** `unseen`: sessions that are not looked at, because there are too many. */
function renderFilter({ filter, sort }: PageChoice, unseen: number): Markup {
  const order = writeChoice({ filter: '', sort }).replace('sort=', '')
  return html`<form class="filter" role="search"><label>Show those with <input type="search" name="filter" value="${filter}" maxlength="100" placeholder="address, user, state, id …"></label>${order !== '' && html`<input type="hidden" name="sort" value="${order}">`} <noscript><button>Show</button></noscript>${unseen > 0 && html` <small class="faint">among the 1,000 oldest</small>`}</form>`
}

/** A second click turns the order round. */
function sortable({ by, ...column }: SessionColumn, { filter, sort }: PageChoice): Column<SessionView> {
  if (by === undefined) return column
  const isReversed = sort?.by === by && sort.isReversed
  const next: PageChoice = { filter, sort: { by, isReversed: sort?.by === by && !sort.isReversed } }
  const isDescending = (column.isFigure === true) !== isReversed
  const now = sort?.by !== by ? null : isDescending ? 'descending' : 'ascending'
  return { ...column, sort: { href: `?${writeChoice(next)}`, now } }
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
  if (state === 'passthrough') {
    const why = 'TLS between client and server alone: data connections go between them directly'
    return html`<span class="dot ${state}" title="${why}">${state}</span> <small class="faint">TLS unseen</small>`
  }
  return html`<span class="dot ${state}">${state}</span>${mode !== null && html` <small class="faint">${mode}</small>`}`
}

function routeCell({ client_ip, client_port, server_ip, server_port }: SessionView): Markup {
  const server = formatEndpoint(server_ip, server_port)
  return html`<code>${formatEndpoint(client_ip, client_port)}</code> <span class="faint">→</span> ${
    server === null ? html`<span class="faint">connecting</span>` : html`<code>${server}</code>`
  }`
}
