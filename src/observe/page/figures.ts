import type { Rates } from '../view/rates.ts'
import type { StatusView } from '../view/shapes.ts'
import { formatBytes, formatCount, formatPlural } from '../view/wording.ts'
import { renderBar } from './bar.ts'
import type { PageContent } from './content.ts'
import { type Content, html, type Markup } from './html.ts'
import { nothing } from './table.ts'

/** The six figures that are looked at first. */
export function renderFigures({ status, rates, pinholes }: PageContent): Markup {
  const { listeners, pools } = status
  const sessions = {
    of: sumOf(listeners, (listener) => listener.sessions_limit),
    used: sumOf(listeners, (listener) => listener.sessions_active),
  }
  const ports = { of: sumOf(pools, (pool) => pool.ports), used: sumOf(pools, (pool) => pool.in_use) }
  const channels = sumOf(listeners, (listener) => listener.data_connections_active)
  return html`<dl>${[
    limited('Sessions', sessions, ''),
    figure('Data connections', formatCount(channels), 'open now'),
    throughput(rates),
    figure('Pinholes', formatCount(pinholes.total), 'waiting for their peer'),
    limited('Data ports', ports, ' in use'),
    refusals(status),
  ]}</dl>`
}

/** `limited('Data ports', { of: 100, used: 2 }, ' in use')`: 2, "of 100 in use", and a bar. */
function limited(name: string, { of, used }: { of: number; used: number }, what: string): Markup {
  const about = `of ${formatCount(of)}${what}`
  const bar = renderBar({ of, used })
  return figure(name, formatCount(used), about, bar)
}

function throughput(rates: Rates | null): Markup {
  if (rates === null) return figure('Throughput', nothing, 'being measured')
  const { upload, download } = rates
  return figure(
    'Throughput',
    html`${formatBytes(upload + download)}<small>/s</small>`,
    html`<span>↑ ${formatBytes(upload)}/s</span> <span>↓ ${formatBytes(download)}/s</span>`,
  )
}

function refusals({ listeners, intruders_total: strangers }: StatusView): Markup {
  const kinds = [
    { count: sumOf(listeners, (listener) => listener.commands_denied_total), thing: 'command' },
    { count: sumOf(listeners, (listener) => listener.sessions_rejected_total), thing: 'client' },
    { count: strangers, thing: 'stranger' },
  ].filter(({ count }) => count > 0)
  const about = kinds.map(
    ({ count, thing }, index) => html`${index > 0 && ', '}<span>${formatPlural(count, thing)}</span>`,
  )
  const total = sumOf(kinds, ({ count }) => count)
  return figure('Refusals', formatCount(total), total === 0 ? 'since the start' : about)
}

function figure(name: string, value: Content, about: Content, bar: Content = null): Markup {
  return html`<div><dt>${name}</dt><dd><strong>${value}</strong><span class="about">${about}</span>${bar}</dd></div>`
}

function sumOf<Item>(items: readonly Item[], figureOf: (item: Item) => number): number {
  return items.reduce((total: number, item) => total + figureOf(item), 0)
}
