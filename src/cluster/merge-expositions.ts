// One Prometheus exposition out of several: what the workers counted apart belongs together.

type Combine = (values: readonly number[]) => number

const sum: Combine = (values) => values.reduce((total, value) => total + value, 0)
const max: Combine = (values) => Math.max(...values)
const min: Combine = (values) => Math.min(...values)

/** Counters, histograms and most gauges add up; these do not. */
const exceptions: readonly (readonly [RegExp, Combine])[] = [
  [/^(ftp_alg_build_info|nodejs_version_info|ftp_alg_draining|ftp_alg_transfer_log_failing)$/, max],
  [/^nodejs_eventloop_/, max],
  [/^ftp_alg_listener_up$/, min],
  [/^ftp_alg_config_last_reload_/, min],
  [/^process_start_time_seconds$/, min],
]

/**
 * Joins expositions in the text format 0.0.4. Families keep the order in which they are first seen; a series that only
 * one worker has is kept.
 *
 * `'a_total{x="1"} 2\n'` and `'a_total{x="1"} 3\n'` give `'a_total{x="1"} 5\n'`.
 */
export function mergeExpositions(expositions: readonly string[]): string {
  /** Family name to its comment lines and to its samples: series to the values it has. */
  const families = new Map<string, { readonly comments: string[]; readonly series: Map<string, number[]> }>()
  for (const exposition of expositions) {
    let family = families.get('')
    for (const line of exposition.split('\n')) {
      if (line === '') continue
      const comment = /^# (?:HELP|TYPE) (\S+)/.exec(line)
      const name = comment?.[1]
      if (name !== undefined) {
        family = families.get(name) ?? { comments: [], series: new Map() }
        families.set(name, family)
        if (!family.comments.includes(line)) family.comments.push(line)
      } else if (family !== undefined) {
        const space = line.lastIndexOf(' ')
        const series = line.slice(0, space)
        const values = family.series.get(series) ?? []
        values.push(Number(line.slice(space + 1)))
        family.series.set(series, values)
      }
    }
  }
  return [...families].map(([name, { comments, series }]) => print(name, comments, series)).join('')
}

function print(name: string, comments: readonly string[], series: ReadonlyMap<string, number[]>): string {
  const combine = exceptions.find(([pattern]) => pattern.test(name))?.[1] ?? sum
  const samples = [...series].map(([key, values]) => `${key} ${format(combine(values))}`)
  return `${[...comments, ...samples].join('\n')}\n`
}

function format(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}
