import { formatBytes, formatCount, formatDuration } from '../view/wording.ts'
import { type Content, html, type Markup } from './html.ts'

export interface Column<Row> {
  readonly title: string
  /** Figures stand at the right. */
  readonly isFigure?: boolean
  /** The cell that says what the row is about. */
  readonly isHead?: boolean
  /** Buttons, for operators only. */
  readonly isAct?: boolean
  /** The title is a link that orders the rows by it. */
  readonly sort?: { readonly href: string; readonly now: 'ascending' | 'descending' | null }
  /** Longer text, which may be broken into lines. */
  readonly isText?: boolean
  readonly cell: (row: Row) => Content
}

export interface Table<Row> {
  /** Unique in the page. */
  readonly id: string
  readonly title: string
  /** One line under the title. */
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  /** How many there are, shown or not. */
  readonly total: number
  /** How many of them were asked for; absent: all. */
  readonly found?: number
  /** Stands above the rows. */
  readonly tools?: Markup
  /** Where the rest is, when not all are shown. */
  readonly more: string
  /** What to say when there are none. */
  readonly empty: string
  /** The same row keeps its key from one second to the next. */
  readonly keyOf: (row: Row) => string
}

/** Rows of a table that are shown. */
export const PAGE_ROWS = 100

/** A titled card with a table that scrolls sideways by itself, or with one sentence when there is nothing to show. */
export function renderTable<Row>(table: Table<Row>): Markup {
  const { id, title, total, rows, more, empty, found = total, tools = null } = table
  const count = found === total ? formatCount(total) : `${formatCount(found)} of ${formatCount(total)}`
  const heading = html`<h2 id="${id}-title">${title} <span class="count">${count}</span></h2>${tools}`
  if (rows.length === 0) return html`${heading}<p class="empty">${empty}</p>`
  const rest = found - rows.length
  const note = rest > 0 && html`<p class="more">and ${formatCount(rest)} more: ${more}</p>`
  return html`${heading}<div class="scroll" role="region" tabindex="0" aria-labelledby="${id}-title">${renderRows(table)}</div>${note}`
}

function renderRows<Row>({ caption, columns, rows, keyOf }: Table<Row>): Markup {
  const head = columns.map(({ title, isFigure, isAct, sort }) => {
    const kind = isAct === true ? 'act' : isFigure === true ? 'figure' : null
    const order = sort?.now ?? null
    const text = sort === undefined ? title : html`<a href="${sort.href}" data-choice>${title}</a>`
    return html`<th scope="col"${kind !== null && html` class="${kind}"`}${order !== null && html` aria-sort="${order}"`}>${text}</th>`
  })
  const body = rows.map((row) => {
    const cells = columns.map((column) => renderCell(column, row))
    return html`<tr data-key="${keyOf(row)}">${cells}</tr>`
  })
  return html`<table><caption><span>${caption}</span></caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`
}

function renderCell<Row>({ isFigure, isHead, isText, isAct, cell }: Column<Row>, row: Row): Markup {
  if (isAct === true) return html`<td class="act">${cell(row)}</td>`
  if (isHead === true) return html`<th scope="row">${cell(row)}</th>`
  if (isFigure === true) return html`<td class="figure">${cell(row)}</td>`
  return isText === true ? html`<td class="text">${cell(row)}</td>` : html`<td>${cell(row)}</td>`
}

/** What is not known, or does not apply. */
export const nothing = html`<span class="faint">–</span>`

export function orNothing(content: Content): Content {
  return content === null || content === '' ? nothing : content
}

/** `1.5 kB`, the exact number in its title. */
export function bytesCell(bytes: number): Markup {
  if (bytes === 0) return html`<span class="faint">0</span>`
  return html`<span title="${formatCount(bytes)} bytes">${formatBytes(bytes)}</span>`
}

export function countCell(count: number): Markup {
  return count === 0 ? html`<span class="faint">0</span>` : html`${formatCount(count)}`
}

/** `1m 1s`; `exact` says when or how long precisely. */
export function durationCell(ms: number, exact: string): Markup {
  return html`<span title="${exact}">${formatDuration(ms)}</span>`
}

export function codeCell(text: string | null): Markup {
  return text === null ? nothing : html`<code>${text}</code>`
}
