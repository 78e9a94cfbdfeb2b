// HTML by tagged template. Whatever is put into a template is escaped, so that nothing a peer wrote can become markup.

import { withControlPictures } from '../view/wording.ts'

/** Markup that can be sent as it is; only `html` makes it. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Null and false leave nothing behind. */
export type Content = Markup | string | number | null | false | readonly Content[]

/** `` html`<b title="${'"'}">${1 < 2 && '<'}</b>` `` gives the markup `<b title="&quot;">&lt;</b>`. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  const texts = parts.map((part, index) => part + render(contents[index] ?? null))
  return new Markup(texts.join(''))
}

function render(content: Content): string {
  if (content === null || content === false) return ''
  if (content instanceof Markup) return content.text
  if (typeof content === 'string') return escapeHtml(content)
  return typeof content === 'number' ? String(content) : content.map(render).join('')
}

/** Without these a text is markup already. Most texts are. */
const special = /[&<>"'\x00-\x1f\x7f]/

/** `'<b>"'` gives `'&lt;b&gt;&quot;'`. */
function escapeHtml(text: string): string {
  if (!special.test(text)) return text
  return withControlPictures(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
