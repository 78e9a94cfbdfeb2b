// The Prometheus text format 0.0.4 as prom-client writes it: no timestamps, a family's samples right behind its comments.
//
// @see https://prometheus.io/docs/instrumenting/exposition_formats/

export interface MetricFamily {
  readonly name: string
  /** `untyped` where no `# TYPE` line says more. */
  type: string
  /** The text behind the name, escaped as it came; null when there is none. */
  help: string | null
  /** By series as it is written, `ftp_alg_sessions_active{listener="edge"}`; in the order of the exposition. */
  readonly samples: Map<string, number>
}

/** By name, in the order in which they are first named. */
export type Exposition = ReadonlyMap<string, MetricFamily>

/**
 * Reads an exposition. Series keep their labels as they are written, escapes and all; lines that are neither comment nor
 * sample, and samples before the first family, are left out.
 */
export function parseExposition(text: string): Exposition {
  const families = new Map<string, MetricFamily>()
  let family: MetricFamily | null = null
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) {
      const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? []
      if (keyword === undefined) continue
      family = families.get(name) ?? { name, type: 'untyped', help: null, samples: new Map() }
      families.set(name, family)
      if (keyword === 'HELP') family.help ??= rest
      else family.type = rest
      continue
    }
    // A label's value may hold spaces; the number behind it does not.
    const space = line.lastIndexOf(' ')
    if (space > 0 && family !== null)
      family.samples.set(line.slice(0, space), parseValue(line.slice(space + 1)))
  }
  return families
}

/** Undoes `parseExposition`. */
export function formatExposition(exposition: Exposition): string {
  let text = ''
  for (const { name, type, help, samples } of exposition.values()) {
    if (help !== null) text += `# HELP ${name} ${help}\n`
    if (type !== 'untyped') text += `# TYPE ${name} ${type}\n`
    for (const [series, value] of samples) text += `${series} ${formatValue(value)}\n`
  }
  return text
}

/** `'12'`, `'1e-7'`, `'+Inf'`, `'-Inf'`, and `'Nan'` as prom-client spells it. */
function parseValue(text: string): number {
  const infinity = /^([+-]?)inf(inity)?$/i.exec(text)
  if (infinity === null) return Number(text)
  return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return String(value)
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? '+Inf' : '-Inf'
}
