// The status page, rendered on the server. Without a script it refreshes itself; with one, it is fetched again every two
// seconds and merged into the one that is shown.

import type { PageContent } from './content.ts'
import { renderFigures } from './figures.ts'
import { renderFooter } from './footer.ts'
import { renderAttention, renderHeader } from './header.ts'
import { html, Markup } from './html.ts'
import { renderListeners } from './listeners.ts'
import { renderOperator } from './operator.ts'
import { renderPinholes } from './pinholes.ts'
import { renderPools } from './pools.ts'
import { renderRefusals } from './refusals.ts'
import { renderServers } from './servers.ts'
import { renderSessions } from './sessions.ts'

/** Parts of the page by their `id` in the document, in the order of the document. */
const sections = {
  header: renderHeader,
  attention: renderAttention,
  figures: renderFigures,
  listeners: renderListeners,
  servers: renderServers,
  sessions: renderSessions,
  pinholes: renderPinholes,
  pools: renderPools,
  refusals: renderRefusals,
  footer: renderFooter,
} as const

export type SectionName = keyof typeof sections

/** What each part of the page holds, as HTML. */
export type Sections = Readonly<Record<SectionName, string>>

export function renderSections(content: PageContent): Sections {
  const parts = Object.entries(sections).map(([name, render]) => [name, render(content).text])
  // fromEntries forgets the names; they are those of `sections`.
  return Object.fromEntries(parts) as Sections
}

/** A whole HTML document. */
export function renderPage(content: PageContent): string {
  const { version, hostname } = content.status
  const parts = renderSections(content)
  const part = (name: SectionName) => new Markup(parts[name])
  const card = (name: SectionName) => html`<section id="${name}" class="card">${part(name)}</section>\n`
  const hasServers = content.status.servers.length > 0
  const servers = html`<section id="servers" class="card"${hasServers ? '' : new Markup(' hidden')}>${part('servers')}</section>\n`
  return html`<!doctype html>
<html lang="en" data-version="${version}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<title>ftp-alg on ${hostname}</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="style.css">
<script src="script.js" defer></script>
</head>
<body>
<header id="header">${part('header')}</header>
<p id="connection" role="status" data-own hidden></p>
${renderOperator(content.canAct)}<main>
<div id="attention">${part('attention')}</div>
<div id="figures">${part('figures')}</div>
${[card('listeners'), servers, card('sessions'), card('pinholes'), card('pools'), card('refusals')]}</main>
<footer id="footer">${part('footer')}</footer>
</body>
</html>
`.text
}
