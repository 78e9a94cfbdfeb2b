export interface TextColumn<Row> {
  readonly title: string
  /** Figures stand at the right. */
  readonly isFigure?: boolean
  readonly cell: (row: Row) => string | number | null
}

/**
 * A title, column heads and rows, aligned; two spaces between columns, null as `–`.
 *
 * ```
 * Data ports
 *   POOL    IN USE  FREE
 *   shared      12   988
 * ```
 */
export function printTable<Row>(
  title: string,
  columns: readonly TextColumn<Row>[],
  rows: readonly Row[],
): string[] {
  const cells = rows.map((row) => columns.map(({ cell }) => String(cell(row) ?? '–')))
  const heads = columns.map((column) => column.title.toUpperCase())
  const widths = heads.map((head, index) =>
    Math.max(head.length, ...cells.map((row) => row[index]?.length ?? 0)),
  )
  const line = (texts: readonly string[]) => {
    const padded = texts.map((text, index) => {
      const width = widths[index] ?? 0
      return columns[index]?.isFigure === true ? text.padStart(width) : text.padEnd(width)
    })
    return `  ${padded.join('  ')}`.trimEnd()
  }
  return [title, ...[heads, ...cells].map(line)]
}

/** `printBar({ of: 10, used: 3 })` gives `'██████░░░░░░░░░░░░░░'`; something is never drawn as nothing. */
export function printBar({ of, used }: { readonly of: number; readonly used: number }): string {
  const length = 20
  const filled = of === 0 || used === 0 ? 0 : Math.max(1, Math.min(length, Math.floor((length * used) / of)))
  return '█'.repeat(filled) + '░'.repeat(length - filled)
}
