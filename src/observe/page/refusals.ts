import { meaningOf, refusalKinds } from '../view/meaning.ts'
import type { RefusalView } from '../view/shapes.ts'
import { formatDuration, formatTime } from '../view/wording.ts'
import type { PageContent } from './content.ts'
import { html, type Markup } from './html.ts'
import { type Column, codeCell, durationCell, orNothing, renderTable } from './table.ts'

export function renderRefusals({ status, now }: PageContent): Markup {
  const columns: readonly Column<RefusalView>[] = [
    {
      title: 'When',
      cell: ({ time }) =>
        html`${durationCell(Math.max(0, now.getTime() - Date.parse(time)), formatTime(time))} ago`,
    },
    { title: 'Who', isHead: true, cell: (refusal) => codeCell(refusal.client_ip) },
    { title: 'What', cell: whatCell },
    {
      title: 'Why',
      isText: true,
      cell: (refusal) => html`<span title="reason ${refusal.reason}">${meaningOf(refusal)}</span>`,
    },
    { title: 'Detail', isText: true, cell: ({ detail }) => orNothing(detail) },
    { title: 'Times', isFigure: true, cell: ({ count }) => count },
    { title: 'Listener', cell: ({ listener }) => orNothing(listener) },
    { title: 'Session', cell: (refusal) => codeCell(refusal.session_id) },
  ]
  return renderTable({
    id: 'refusals',
    title: 'Recent refusals',
    caption: 'The last 50, the newest first. The same client refused for the same reason is one line.',
    columns,
    rows: status.refusals,
    total: status.refusals.length,
    more: '',
    empty: `Nothing was refused since the start ${formatDuration(status.uptime_ms)} ago.`,
    keyOf: ({ client_ip, event, reason }) => `${client_ip} ${event} ${reason}`,
  })
}

function whatCell({ event, command, reply_code }: RefusalView): Markup {
  const said =
    command === null
      ? null
      : html`<code>${command}</code> ${reply_code !== null && html`<span class="faint">→</span> ${reply_code}`}`
  return said ?? html`${refusalKinds[event]}`
}
