import type { PoolView } from '../view/shapes.ts'
import { formatCount } from '../view/wording.ts'
import { renderBar } from './bar.ts'
import type { PageContent } from './content.ts'
import { html, type Markup } from './html.ts'
import { type Column, countCell, renderTable } from './table.ts'

const names: Readonly<Record<PoolView['pool'], string>> = {
  client: 'announced to clients',
  server: 'announced to servers',
  shared: 'for both sides',
}

const columns: readonly Column<PoolView>[] = [
  {
    title: 'Pool',
    isHead: true,
    cell: ({ pool }) => html`${pool} <small class="faint">${names[pool]}</small>`,
  },
  {
    title: 'Use',
    cell: ({ ports, in_use: used, quarantined: resting }) => renderBar({ of: ports, used, resting }),
  },
  { title: 'In use', isFigure: true, cell: (pool) => countCell(pool.in_use) },
  { title: 'Resting', isFigure: true, cell: (pool) => countCell(pool.quarantined) },
  {
    title: 'Free',
    isFigure: true,
    cell: ({ ports, in_use, quarantined }) => countCell(ports - in_use - quarantined),
  },
  { title: 'Ports', isFigure: true, cell: ({ ports }) => formatCount(ports) },
]

export function renderPools({ status }: PageContent): Markup {
  return renderTable({
    id: 'pools',
    title: 'Data ports',
    caption:
      'A port in use carries at least one pinhole; a resting one was used a moment ago. Clients can share a port.',
    columns,
    rows: status.pools,
    total: status.pools.length,
    more: '',
    empty: 'No pool is set up yet.',
    keyOf: ({ pool }) => pool,
  })
}
