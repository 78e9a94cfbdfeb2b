/** Samples of a Prometheus exposition: `name{labels}` to value. */
type Samples = ReadonlyMap<string, number>

/** Reads the sample lines of an exposition. `'a_total{x="1"} 2\n'` gives `a_total{x="1"}` → 2. */
export function readSamples(exposition: string): Samples {
  const samples = new Map<string, number>()
  for (const line of exposition.split('\n')) {
    const space = line.lastIndexOf(' ')
    if (line.startsWith('#') || space < 0) continue
    samples.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return samples
}

/** The `ftp_alg_…_total` counters that moved, as `name{labels} +n`, in the order of the exposition. */
export function movedCounters(before: Samples, after: Samples): string[] {
  return [...after].flatMap(([name, value]) => {
    const moved = value - (before.get(name) ?? 0)
    return moved !== 0 && /^ftp_alg_\w+_total(\{|$)/.test(name) ? [`${name} +${moved}`] : []
  })
}
