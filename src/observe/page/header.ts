import { attentionOf } from '../view/attention.ts'
import { formatDuration, formatTime } from '../view/wording.ts'
import type { PageContent } from './content.ts'
import { html, type Markup } from './html.ts'

/** Name, state and age of the process. */
export function renderHeader({ status, notReady, now }: PageContent): Markup {
  const { hostname, version, started_at, uptime_ms } = status
  const iso = now.toISOString()
  const [level, word] = status.draining
    ? ['warn', 'Draining']
    : notReady === null
      ? ['good', 'Ready']
      : ['bad', 'Not ready']
  return html`<h1>ftp-alg <span class="version">${version}</span></h1>
<p class="host">${hostname}</p>
<p class="state ${level}" role="status">${word}</p>
<p class="uptime" title="since ${formatTime(started_at)}">up ${formatDuration(uptime_ms)}</p>
<p class="as-of">as of <time datetime="${iso}" title="${formatTime(iso)}">${formatTime(iso).slice(11)}</time></p>`
}

/** What an operator should know first, or that there is nothing. */
export function renderAttention({ status, notReady }: PageContent): Markup {
  const found = attentionOf(status, notReady)
  if (found.length === 0) return html`<p class="calm">Nothing needs attention.</p>`
  return html`<ul role="status">${found.map(({ level, text }) => html`<li class="${level}">${text}</li>`)}</ul>`
}
