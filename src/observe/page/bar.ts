import { NEARLY_FULL } from '../view/attention.ts'
import { html, type Markup } from './html.ts'

export interface Bar {
  readonly of: number
  readonly used: number
  /** Whether it is a limit that should not be reached; then a long bar is in the colour of a warning. */
  readonly isLimit?: boolean
  /** After what is used: neither used nor free. */
  readonly resting?: number
}

/**
 * A horizontal bar, for figures that stand beside it as text. SVG, because the content security policy forbids a width in
 * a style attribute.
 */
export function renderBar({ of, used, resting = 0, isLimit = true }: Bar): Markup {
  const share = of === 0 || !isLimit ? 0 : used / of
  const level = share >= 1 ? 'full' : share >= NEARLY_FULL ? 'high' : 'normal'
  const rest =
    resting > 0 &&
    html`<rect class="resting" x="${percent(used, of)}" width="${percent(resting, of)}" height="100%"/>`
  return html`<svg class="bar ${level}" aria-hidden="true"><rect class="used" width="${percent(used, of)}" height="100%"/>${rest}</svg>`
}

/** Something is never drawn as nothing: at least 0.5 %. */
function percent(part: number, of: number): string {
  if (part === 0 || of === 0) return '0%'
  return `${Math.min(100, Math.max(0.5, (100 * part) / of)).toFixed(1)}%`
}
