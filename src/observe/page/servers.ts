import type { ServerView } from '../view/shapes.ts'
import type { PageContent } from './content.ts'
import { html, type Markup } from './html.ts'
import { type Column, countCell, renderTable } from './table.ts'

const columns: readonly Column<ServerView>[] = [
  {
    title: 'Server',
    isHead: true,
    cell: ({ server, backup }) => html`${server}${backup ? html` <small class="faint">backup</small>` : ''}`,
  },
  { title: 'Pool', cell: ({ upstream }) => upstream },
  { title: 'State', cell: ({ up }) => (up ? 'up' : html`<strong class="bad">down</strong>`) },
  { title: 'Sessions', isFigure: true, cell: ({ sessions_active }) => countCell(sessions_active) },
  { title: 'Failures', isFigure: true, cell: ({ failures_total }) => countCell(failures_total) },
]

export function renderServers({ status }: PageContent): Markup {
  return renderTable({
    id: 'servers',
    title: 'Servers of pools',
    caption: 'One that is down gets no session; failures are sessions and checks since the start.',
    columns,
    rows: status.servers,
    total: status.servers.length,
    more: '',
    empty: 'No pool of servers is configured.',
    keyOf: ({ upstream, server }) => `${upstream} ${server}`,
  })
}
