import { html, type Markup } from './html.ts'

/**
 * Where an operator shows the token; until then buttons that change something are hidden. It is a part that the script
 * does not fetch again.
 */
export function renderOperator(canAct: boolean): Markup {
  if (!canAct) return html``
  return html`<div id="operator" data-own hidden>
<p class="locked"><label>Operator’s token <input id="token" type="password" autocomplete="off" size="24"></label> <button type="button" id="unlock">Show buttons</button></p>
<p class="unlocked"><button type="button" data-act="drain">Drain all</button> <button type="button" data-act="resume">Resume all</button> <button type="button" id="lock">Hide buttons</button></p>
<p id="said" role="status"></p>
</div>
`
}

/** A button that only operators see. */
export function actButton(act: 'end' | 'drain' | 'resume', of: string, about: string): Markup {
  const label = { end: 'End', drain: 'Drain', resume: 'Resume' }[act]
  return html`<button type="button" data-act="${act}" data-of="${of}" title="${about}">${label}</button>`
}
