// Horizontal bars as SVG, legible on light and dark pages, drawn by hand so that the repository needs no chart library.

export interface Chart {
  readonly title: string
  /** `CPU time per session, Squid = 1; shorter is better` */
  readonly subtitle: string
  readonly bars: readonly Bar[]
}

export interface Bar {
  readonly label: string
  readonly value: number
  /** Printed at the end of the bar: `0.42×`. */
  readonly text: string
  readonly kind: 'ours' | 'reference' | 'other'
}

const width = 720
const padding = 24
const labelWidth = 190
const textWidth = 70
const rowHeight = 30
const barHeight = 16
const top = 74
/** A bar that would be longer than so many times the reference is cut, and looks it. */
const longest = 4

export function drawBars({ title, subtitle, bars }: Chart): string {
  const height = top + bars.length * rowHeight + padding - 8
  const room = width - 2 * padding - labelWidth - textWidth
  const reference = bars.find(({ kind }) => kind === 'reference')?.value ?? 0
  const limit = reference > 0 ? reference * longest : Number.POSITIVE_INFINITY
  const scale = room / Math.max(...bars.map(({ value }) => Math.min(value, limit)), Number.MIN_VALUE)
  const rows = bars.map((bar, i) =>
    drawRow(bar, {
      y: top + i * rowHeight,
      length: Math.min(bar.value, limit) * scale,
      isCut: bar.value > limit,
    }),
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(`${title}. ${subtitle}. ${bars.map(({ label, text }) => `${label}: ${text}`).join('; ')}`)}">
<style>
  .card { fill: #ffffff; stroke: #d8dee4 }
  .title { fill: #1f2328; font-weight: 600; font-size: 17px }
  .subtitle, .text { fill: #59636e }
  .label { fill: #1f2328 }
  .ours { fill: #0a7d6c } .label.ours, .text.ours { fill: #0a7d6c; font-weight: 600 }
  .reference { fill: #8c959f } .other { fill: #c4cbd3 }
  .label.reference, .label.other { fill: #1f2328 } .text.reference, .text.other { fill: #59636e }
  .cut { stroke: #ffffff; stroke-width: 3 }
  text { font: 14px ui-sans-serif, system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d }
    .title, .label, .label.reference, .label.other { fill: #e6edf3 }
    .subtitle, .text, .text.reference, .text.other { fill: #9198a1 }
    .ours { fill: #2fbfa5 } .label.ours, .text.ours { fill: #2fbfa5 }
    .reference { fill: #6e7681 } .other { fill: #434b55 }
    .cut { stroke: #0d1117 }
  }
</style>
<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
<text class="title" x="${padding}" y="34">${escapeXml(title)}</text>
<text class="subtitle" x="${padding}" y="56">${escapeXml(subtitle)}</text>
${rows.join('\n')}
</svg>
`
}

interface Placement {
  readonly y: number
  readonly length: number
  readonly isCut: boolean
}

function drawRow({ label, text, kind }: Bar, { y, length, isCut }: Placement): string {
  const x = padding + labelWidth
  const drawn = Math.max(2, Math.round(length))
  const base = y + rowHeight / 2 + 5
  const barY = y + (rowHeight - barHeight) / 2
  const cutX = x + drawn - 24
  const cut = isCut
    ? `<path class="cut" d="M${cutX} ${barY + barHeight + 2} l6 -${barHeight + 4} M${cutX + 8} ${barY + barHeight + 2} l6 -${barHeight + 4}"/>`
    : ''
  return [
    `<text class="label ${kind}" x="${x - 12}" y="${base}" text-anchor="end">${escapeXml(label)}</text>`,
    `<rect class="${kind}" x="${x}" y="${barY}" width="${drawn}" height="${barHeight}" rx="3"/>${cut}`,
    `<text class="text ${kind}" x="${x + drawn + 10}" y="${base}">${escapeXml(text)}</text>`,
  ].join('')
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
