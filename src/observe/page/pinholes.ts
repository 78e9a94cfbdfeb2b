import type { PinholeView } from '../view/shapes.ts'
import { formatDuration, formatEndpoint } from '../view/wording.ts'
import { renderBar } from './bar.ts'
import type { PageContent } from './content.ts'
import { html, type Markup } from './html.ts'
import { type Column, codeCell, renderTable } from './table.ts'

const columns: readonly Column<PinholeView>[] = [
  {
    title: 'Expects',
    isHead: true,
    cell: ({ expected_ip, from }) => html`<code>${expected_ip}</code> <small class="faint">${from}</small>`,
  },
  { title: 'At', cell: (hole) => codeCell(formatEndpoint(hole.announced_ip, hole.announced_port)) },
  { title: 'Leads to', cell: targetCell },
  { title: 'By', cell: ({ backend }) => backend },
  { title: 'Closes in', cell: expiryCell },
  { title: 'Listener', cell: ({ listener }) => listener },
  { title: 'Session', cell: (hole) => codeCell(hole.session_id) },
]

export function renderPinholes({ pinholes }: PageContent): Markup {
  return renderTable({
    id: 'pinholes',
    title: 'Pinholes',
    caption:
      'Holes that wait: each for one connection from one address, at the address that was announced to it.',
    columns,
    rows: pinholes.items,
    total: pinholes.total,
    more: '/api/v1/pinholes has up to 1,000.',
    empty:
      'No pinhole is waiting. One opens for each data connection and closes as soon as its peer has come.',
    keyOf: ({ session_id, pinhole }) => `${session_id}-${pinhole}`,
  })
}

function targetCell({ target_ip, target_port }: PinholeView): Markup {
  const target = formatEndpoint(target_ip, target_port)
  return target === null ? html`<span class="faint">the session’s other leg</span>` : codeCell(target)
}

function expiryCell({ expires_in_ms: leftMs, age_ms: ageMs }: PinholeView): Markup {
  const text = formatDuration(leftMs)
  return html`<span class="gauge" title="${leftMs} ms">${renderBar({ of: leftMs + ageMs, used: leftMs, isLimit: false })} ${text}</span>`
}
