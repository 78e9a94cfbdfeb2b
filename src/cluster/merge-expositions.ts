// What the supervisor and its workers count apart, as one service would.

import type { Exposition, MetricFamily } from './exposition.ts'

export interface ExpositionParts {
  /** The supervisor's: it knows the configuration, and has sessions of nobody. */
  readonly own: Exposition
  /** Of the workers that run. */
  readonly workers: readonly Exposition[]
  /** What workers counted that are gone: counters and histograms only, see `countersOf`. */
  readonly gone: Exposition
}

/**
 * Joins expositions. Families and series keep the order in which they are first seen, and are there when any part has
 * them; comments are the first part's.
 *
 * Counters, histograms and most gauges add up; what does not is listed in `rules`.
 */
export function mergeExpositions({ own, workers, gone }: ExpositionParts): Exposition {
  const merged = new Map<string, MetricFamily>()
  const parts = [own, ...workers, gone]
  for (const name of new Set(parts.flatMap((part) => [...part.keys()]))) {
    const { from, combine } = rules.find(({ names }) => names.test(name)) ?? addUp
    const asked = from === 'own' || (from === 'workers' && workers.length === 0) ? [own] : workers
    const families = (from === 'all' ? parts : asked).flatMap((part) => part.get(name) ?? [])
    const [first] = families
    if (first !== undefined) merged.set(name, { ...first, samples: combineSamples(families, combine) })
  }
  return merged
}

/** What must not be forgotten when a worker goes: a counter that went backwards would look like a restart. */
export function countersOf(exposition: Exposition): Exposition {
  return new Map([...exposition].filter(([, { type }]) => type === 'counter' || type === 'histogram'))
}

/** Adds the counters of one more worker that is gone. */
export function addCounters(gone: Exposition, exposition: Exposition): Exposition {
  return mergeExpositions({ own: gone, workers: [], gone: countersOf(exposition) })
}

/** Several values of one series, at least one; never NaN unless all are. */
type Combine = (values: readonly number[]) => number

interface Rule {
  readonly names: RegExp
  /** `workers`: the supervisor's counts only when no worker runs. */
  readonly from: 'all' | 'own' | 'workers'
  readonly combine: Combine
}

const first: Combine = ([value = Number.NaN]) => value
const sum: Combine = (values) => values.reduce((total, value) => total + value, 0)
const max: Combine = (values) => Math.max(...values)
const min: Combine = (values) => Math.min(...values)

const addUp: Omit<Rule, 'names'> = { from: 'all', combine: sum }

/** The first that fits. */
const rules: readonly Rule[] = [
  // One service has one version, one configuration with its limits, and started once.
  {
    names: /^(ftp_alg_build_info|nodejs_version_info|process_start_time_seconds)$/,
    from: 'own',
    combine: first,
  },
  { names: /^ftp_alg_(config_.*|sessions_limit)$/, from: 'own', combine: first },
  // The supervisor itself listens for nobody.
  { names: /^ftp_alg_listener_up$/, from: 'workers', combine: min },
  { names: /^ftp_alg_(draining|transfer_log_failing)$/, from: 'all', combine: max },
  // The process that is nearest to its limit, or the slowest, is the one to look at.
  { names: /^process_open_fds$/, from: 'all', combine: max },
  { names: /^process_max_fds$/, from: 'all', combine: min },
  { names: /^nodejs_eventloop_lag_min_seconds$/, from: 'all', combine: min },
  { names: /^nodejs_eventloop_/, from: 'all', combine: max },
]

function combineSamples(families: readonly MetricFamily[], combine: Combine): Map<string, number> {
  const series = new Map<string, number[]>()
  for (const { samples } of families) {
    for (const [key, value] of samples) {
      const values = series.get(key)
      if (values === undefined) series.set(key, [value])
      else values.push(value)
    }
  }
  return new Map([...series].map(([key, values]) => [key, combineNumbers(values, combine)]))
}

/** prom-client says NaN for "nothing measured yet", which says nothing about the others. */
function combineNumbers(values: readonly number[], combine: Combine): number {
  const numbers = values.filter((value) => !Number.isNaN(value))
  return numbers.length === 0 ? Number.NaN : combine(numbers)
}
