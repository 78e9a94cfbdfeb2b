import { formatNumber, formatRatio } from './number.ts'
import type { Table } from './summary.ts'
import { ratioOf } from './summary.ts'

/** A table in plain text: medians, ratios to the reference in brackets, failures below. */
export function formatTable(table: Table, titles: ReadonlyMap<string, string>): string {
  const { title, metrics, rows, reference } = table
  const header = [
    '',
    ...metrics.map(({ title, unit }) => (title.includes('/s') ? title : `${title}, ${unit}`)),
  ]
  const body = rows.map(({ systemId, cells }) => [
    titles.get(systemId) ?? systemId,
    ...metrics.map(({ id }) => {
      const cell = cells[id]
      if (cell === undefined) return '–'
      const ratio =
        reference === null || reference === systemId
          ? null
          : ratioOf(table, id, { of: systemId, to: reference })
      return ratio === null
        ? formatNumber(cell.median)
        : `${formatNumber(cell.median)} (${formatRatio(ratio)})`
    }),
  ])
  const notes = rows.flatMap(({ systemId, failures }) =>
    failures.slice(0, 3).map((failure) => `  ${titles.get(systemId) ?? systemId}: ${failure}`),
  )
  return [`${title}`, ...layOut([header, ...body]), ...notes, ''].join('\n')
}

/** Columns as wide as they need to be, the first to the left and the others to the right. */
function layOut(lines: readonly (readonly string[])[]): string[] {
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  return lines.map((line) =>
    line
      .map((text, column) =>
        column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join('   '),
  )
}
