import { troubleOf } from '../view/attention.ts'
import type { ListenerView } from '../view/shapes.ts'
import { formatCount, formatEndpoint, formatTime } from '../view/wording.ts'
import { renderBar } from './bar.ts'
import type { PageContent } from './content.ts'
import { html, type Markup } from './html.ts'
import { actButton } from './operator.ts'
import { bytesCell, type Column, codeCell, countCell, nothing, renderTable } from './table.ts'

const columns: readonly Column<ListenerView>[] = [
  {
    title: 'Name',
    isHead: true,
    cell: (view) => {
      const trouble = view.up ? (troubleOf(view) ?? (view.drained ? 'drained' : null)) : 'down'
      return html`<span class="dot ${trouble === null ? 'good' : 'bad'}">${view.listener}</span>${trouble !== null && html` <small class="bad">${trouble}</small>`}`
    },
  },
  { title: 'Address', cell: ({ address, port }) => codeCell(formatEndpoint(address, port)) },
  { title: 'Sessions', cell: sessionsCell },
  { title: 'Since start', isFigure: true, cell: (listener) => countCell(listener.sessions_total) },
  { title: 'Sent away', isFigure: true, cell: (listener) => countCell(listener.sessions_rejected_total) },
  {
    title: 'Commands refused',
    isFigure: true,
    cell: (listener) => countCell(listener.commands_denied_total),
  },
  { title: 'No server', isFigure: true, cell: (listener) => countCell(listener.upstream_failures_total) },
  { title: 'Data now', isFigure: true, cell: (listener) => countCell(listener.data_connections_active) },
  {
    title: 'Data failed',
    isFigure: true,
    cell: (listener) => countCell(listener.data_connections_failed_total),
  },
  { title: 'Up', isFigure: true, cell: (listener) => bytesCell(listener.upload_bytes) },
  { title: 'Down', isFigure: true, cell: (listener) => bytesCell(listener.download_bytes) },
]

const certificateColumn: Column<ListenerView> = { title: 'Certificate until', cell: certificateCell }

const actColumn: Column<ListenerView> = {
  title: '',
  isAct: true,
  cell: ({ listener, drained }) =>
    drained
      ? actButton('resume', listener, `Let listener ${listener} take sessions again`)
      : actButton('drain', listener, `Let listener ${listener} take no new sessions`),
}

export function renderListeners({ status, canAct }: PageContent): Markup {
  const hasCertificates = status.listeners.some(({ certificates }) => certificates.length > 0)
  return renderTable({
    id: 'listeners',
    title: 'Listeners',
    caption:
      'Where clients arrive. Counts are since the start; “No server” are sessions whose FTP server could not be reached.',
    columns: [...columns, ...(hasCertificates ? [certificateColumn] : []), ...(canAct ? [actColumn] : [])],
    rows: status.listeners,
    total: status.listeners.length,
    more: '',
    empty: 'No listener is configured.',
    keyOf: ({ listener }) => listener,
  })
}

/** The first to end. */
function certificateCell({ certificates }: ListenerView): Markup {
  const [first] = certificates.toSorted((one, other) => one.expires_in_ms - other.expires_in_ms)
  if (first === undefined) return nothing
  const { subject, file, expires_at: end } = first
  return html`<span title="${subject} in ${file}">${formatTime(end).slice(0, 10)}</span>`
}

function sessionsCell({ sessions_active: active, sessions_limit: limit }: ListenerView): Markup {
  return html`<span class="gauge">${renderBar({ of: limit, used: active })} ${formatCount(active)} of ${formatCount(limit)}</span>`
}
