// Draws panels of a dashboard from Prometheus's answers to their queries, as an SVG. Not as Grafana would: lines and names only.

export interface PanelPicture {
  readonly title: string
  /** Grafana's word for it: `cps`, `Bps`, `s`, `short`. */
  readonly unit: string
  readonly series: readonly SeriesPicture[]
}

export interface SeriesPicture {
  readonly name: string
  /** Unix seconds and value. */
  readonly points: readonly (readonly [number, number])[]
}

export interface Picture {
  readonly caption: string
  readonly panels: readonly PanelPicture[]
  /** Unix seconds. */
  readonly from: number
  readonly to: number
}

const columns = 3
const cell = { width: 420, height: 230 }
const plot = { left: 62, top: 40, width: 340, height: 120 }
const colours = ['#3b7dd8', '#d9822b', '#2f9e6e', '#c2405a', '#7d5bbe', '#8a8f98', '#b59b2a', '#2a9db5']

/** `legendFormat` of a panel with the labels of a series: `{{from}} to {{to}}` gives `active to passive`. */
export function seriesName(format: string | undefined, labels: Readonly<Record<string, string>>): string {
  return (format ?? '').replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '')
}

export function drawPanels({ caption, panels, from, to }: Picture): string {
  const width = columns * cell.width + 20
  const height = Math.ceil(panels.length / columns) * cell.height + 50
  const cells = panels.map((panel, index) => {
    const x = 10 + (index % columns) * cell.width
    const y = 40 + Math.floor(index / columns) * cell.height
    return `<g transform="translate(${x} ${y})">${drawPanel(panel, { from, to })}</g>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#30363d">
<rect width="${width}" height="${height}" fill="#f4f5f7"/>
${text(14, 26, caption, 'font-size="14"')}
${cells.join('\n')}
</svg>
`
}

function drawPanel(
  { title, unit, series }: PanelPicture,
  { from, to }: { from: number; to: number },
): string {
  const largest = Math.max(...series.flatMap(({ points }) => points.map(([, value]) => value)), 0)
  const top = roundUp(largest)
  const x = (at: number) => (plot.left + (plot.width * (at - from)) / (to - from)).toFixed(1)
  const y = (value: number) => (plot.top + plot.height * (1 - value / top)).toFixed(1)
  const grid = [0, 0.5, 1].map((share) => {
    const at = y(share * top)
    const line = `<path d="M${plot.left} ${at}h${plot.width}" stroke="#e3e6ea"/>`
    return (
      line +
      text(plot.left - 6, Number(at) + 4, format(share * top, unit), 'text-anchor="end" fill="#6b7280"')
    )
  })
  const lines = series.map(({ points }, index) => {
    const path = points.map(([at, value], n) => `${n === 0 ? 'M' : 'L'}${x(at)} ${y(value)}`).join('')
    return `<path d="${path}" fill="none" stroke="${colours[index % colours.length]}" stroke-width="1.5"/>`
  })
  return [
    `<rect width="${cell.width - 10}" height="${cell.height - 10}" rx="6" fill="#fff" stroke="#dde1e6"/>`,
    text(14, 24, title, 'font-weight="600"'),
    ...grid,
    ...lines,
    text(plot.left, plot.top + plot.height + 16, `${Math.round(to - from)} s ago`, 'fill="#6b7280"'),
    text(plot.left + plot.width, plot.top + plot.height + 16, 'now', 'text-anchor="end" fill="#6b7280"'),
    ...legend(series.map(({ name }) => name)),
  ].join('\n')
}

/** Two rows of names at most; those that do not fit are counted. */
function legend(names: readonly string[]): string[] {
  const drawn: string[] = []
  let x = 14
  let y = plot.top + plot.height + 36
  for (const [index, name] of names.entries()) {
    const width = 24 + name.length * 6.2
    if (x + width > cell.width - 60 && y > plot.top + plot.height + 40) {
      drawn.push(text(x, y, `and ${names.length - index} more`, 'fill="#6b7280"'))
      break
    }
    if (x + width > cell.width - 24) {
      x = 14
      y += 18
    }
    drawn.push(`<path d="M${x} ${y - 4}h10" stroke="${colours[index % colours.length]}" stroke-width="3"/>`)
    drawn.push(text(x + 14, y, name))
    x += width
  }
  return drawn
}

function text(x: number, y: number, content: string, more = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}" ${more}>${escaped}</text>`
}

/** 1, 2 or 5 times a power of ten: `37` gives 50, 0 gives 1. */
function roundUp(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power
}

function format(value: number, unit: string): string {
  if (unit === 's') return value < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`
  if (unit === 'Bps') return value < 1e6 ? `${short(value / 1e3)} kB/s` : `${short(value / 1e6)} MB/s`
  return short(value) + (unit === 'cps' ? '/s' : '')
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)))
}
