import type { StatusView } from '../view/shapes.ts'
import { formatBytes, formatCount, formatPlural, formatTcp, formatTime } from '../view/wording.ts'
import type { PageContent } from './content.ts'
import { type Content, html, type Markup } from './html.ts'

/** Facts that are looked up, not watched. */
export function renderFooter({ status }: PageContent): Markup {
  const { config } = status
  const reloads =
    config.reloads_accepted + config.reloads_refused === 0
      ? 'no reload since'
      : `${formatPlural(config.reloads_accepted, 'reload')} accepted, ${formatCount(config.reloads_refused)} refused`
  return html`<dl>${[
    fact('Configuration', html`read ${formatTime(config.accepted_at)}, ${reloads}`),
    fact('Pinholes by', status.backend),
    fact('TCP by', formatTcp(status)),
    fact('Transfer log', transferLog(status)),
    fact('Log lines left out', formatCount(status.log_lines_lost)),
    fact(
      'Memory',
      html`<span title="${formatCount(status.memory_rss_bytes)} bytes">${formatBytes(status.memory_rss_bytes)}</span>`,
    ),
    fact('Process', `${status.pid} on Node ${status.node_version}`),
    fact('Started', formatTime(status.started_at)),
  ]}</dl>
<p>${[link('metrics'), link('api/v1/status'), link('api/v1/sessions'), link('api/v1/pinholes'), link('readyz')]}</p>`
}

function fact(name: string, value: Content): Markup {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`
}

function transferLog({ transfer_log: log }: StatusView): Content {
  if (log === null) return 'off'
  return `${log.file} (${log.format}), ${formatPlural(log.lines_written, 'line')}`
}

/** Relative: behind another proxy the page may not be at the top. */
function link(path: string): Markup {
  return html`<a href="${path}">/${path}</a> `
}
