import { describe, expect, test } from 'vitest'
import { Figures } from '../../../src/cluster/figures.ts'
import type { Snapshot } from '../../../src/cluster/messages.ts'
import type { MetricFamily, Sample } from '../../../src/observe/metrics/family.ts'
import { observe } from '../observe/fixture.ts'

interface Told {
  readonly own?: readonly MetricFamily[]
  readonly workers?: readonly (readonly MetricFamily[])[]
  /** Of workers that have ended. */
  readonly gone?: readonly (readonly MetricFamily[])[]
}

/** What a supervisor exposes that was told this by its workers, without blank lines. */
async function exposed({ own = [], workers = [], gone = [] }: Told): Promise<string> {
  const { observer } = observe()
  const figures = new Figures({
    observer: { families: async () => own, status: observer.status },
    workers: () => [],
  })
  const snapshot = (families: readonly MetricFamily[]): Snapshot => {
    // As it arrives from another process.
    const sent: readonly MetricFamily[] = JSON.parse(JSON.stringify(families))
    return {
      families: sent,
      status: observer.status(),
      sessions: observer.sessions(),
      pinholes: observer.pinholes(),
    }
  }
  for (const families of gone) {
    figures.reported(0, snapshot(families))
    figures.ended(0)
  }
  for (const [worker, families] of workers.entries()) figures.reported(worker, snapshot(families))
  return (await figures.source.exposition()).replace(/\n+/g, '\n')
}

const family = (type: string, name: string, values: readonly Sample[], help = 'As.'): MetricFamily => ({
  name,
  help,
  type,
  aggregator: 'sum',
  values,
})

const counter = (name: string, value: number): MetricFamily =>
  family('counter', name, [{ labels: {}, value }])
const gauge = (name: string, value: number): MetricFamily => family('gauge', name, [{ labels: {}, value }])

describe('counters', () => {
  test('add up, each series by itself; one that a single worker has is kept', async () => {
    const workers = [
      [
        family('counter', 'a_total', [
          { labels: { x: '1' }, value: 2 },
          { labels: { x: '2' }, value: 5 },
        ]),
      ],
      [
        family('counter', 'a_total', [
          { labels: { x: '1' }, value: 3 },
          { labels: { x: '3' }, value: 0.5 },
        ]),
      ],
    ]
    expect(await exposed({ workers })).toBe(`# HELP a_total As.
# TYPE a_total counter
a_total{x="1"} 5
a_total{x="2"} 5
a_total{x="3"} 0.5
`)
  })

  test('of a family that only one worker has are there, with its comments, in the order of first sight', async () => {
    const workers = [[counter('b_total', 2)], [counter('a_total', 1)]]
    expect(await exposed({ workers })).toBe(`# HELP b_total As.
# TYPE b_total counter
b_total 2
# HELP a_total As.
# TYPE a_total counter
a_total 1
`)
  })

  test('whose labels hold quotes, backslashes and line ends are matched by what they hold', async () => {
    const worker = [family('counter', 'a_total', [{ labels: { x: 'C:\\t "q" \n } 7' }, value: 1 }])]
    expect(await exposed({ workers: [worker, worker] })).toContain(
      '\na_total{x="C:\\\\t \\"q\\" \\n } 7"} 2\n',
    )
  })

  test('say HELP and TYPE once even when workers word it differently', async () => {
    const worded = (help: string) => [family('counter', 'a_total', [{ labels: {}, value: 1 }], help)]
    expect(await exposed({ workers: [worded('New words.'), worded('Old words.')] })).toBe(
      '# HELP a_total New words.\n# TYPE a_total counter\na_total 2\n',
    )
  })

  test('of workers that are gone still count, their gauges do not', async () => {
    const count = family('histogram', 'c_seconds', [{ metricName: 'c_seconds_count', labels: {}, value: 1 }])
    const dead = [counter('a_total', 7), gauge('b', 3), count]
    const workers = [[counter('a_total', 1), gauge('b', 4)]]
    expect(await exposed({ gone: [dead, dead], workers })).toBe(`# HELP a_total As.
# TYPE a_total counter
a_total 15
# HELP b As.
# TYPE b gauge
b 4
# HELP c_seconds As.
# TYPE c_seconds histogram
c_seconds_count 2
`)
  })
})

test('histograms add up bucket by bucket, with sum and count', async () => {
  const histogram = (few: number, all: number, seconds: number) => [
    family('histogram', 'd_seconds', [
      { metricName: 'd_seconds_bucket', labels: { le: 0.1 }, value: few },
      { metricName: 'd_seconds_bucket', labels: { le: '+Inf' }, value: all },
      { metricName: 'd_seconds_sum', labels: {}, value: seconds },
      { metricName: 'd_seconds_count', labels: {}, value: all },
    ]),
  ]
  expect(await exposed({ workers: [histogram(1, 3, 1.5), histogram(0, 2, 8)] })).toBe(`# HELP d_seconds As.
# TYPE d_seconds histogram
d_seconds_bucket{le="0.1"} 1
d_seconds_bucket{le="+Inf"} 5
d_seconds_sum 9.5
d_seconds_count 5
`)
})

/** The real family of this name, with this value in all its series. */
async function real(name: string, value: number): Promise<readonly MetricFamily[]> {
  const { observer } = observe()
  observer.poolsMeasuredBy(() => [{ pool: 'shared', ports: 1, inUse: 0, quarantined: 0 }])
  return (await observer.families())
    .filter((each) => each.name === name)
    .map((each) => ({ ...each, values: each.values.map((sample) => ({ ...sample, value })) }))
}

/** The values of the exposed lines that are no comments, which must all be the same. */
async function onlyValue(reported: Told): Promise<string> {
  const samples = (await exposed(reported)).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const values = new Set(samples.map((line) => line.replace(/.* /, '')))
  expect(values.size).toBe(1)
  return [...values].join()
}

describe('gauges', () => {
  test.each([
    ['ftp_alg_sessions_active', '7', 'what each has'],
    ['ftp_alg_port_pool_size', '7', 'each has its own slice'],
    ['process_resident_memory_bytes', '7', 'memory is used by all'],
    ['nodejs_eventloop_lag_p99_seconds', '5', 'the slowest is the one to look at'],
    ['nodejs_eventloop_lag_seconds', '5', 'the slowest is the one to look at'],
    ['nodejs_eventloop_lag_min_seconds', '0', 'the least of all'],
    ['process_open_fds', '5', 'the limit is each process’s own'],
    ['process_max_fds', '0', 'the limit is each process’s own'],
    ['ftp_alg_draining', '5', 'one that drains is enough'],
    ['ftp_alg_transfer_log_failing', '5', 'one that fails is enough'],
    ['ftp_alg_listener_up', '2', 'the supervisor itself never listens, all workers must'],
    ['ftp_alg_build_info', '0', 'of the supervisor: one service has one version'],
    ['nodejs_version_info', '0', 'of the supervisor'],
    ['process_start_time_seconds', '0', 'of the supervisor: a worker that is replaced is no restart'],
    ['ftp_alg_config_last_reload_successful', '0', 'of the supervisor, which reads the file'],
    ['ftp_alg_config_last_reload_success_timestamp_seconds', '0', 'of the supervisor'],
    ['ftp_alg_sessions_limit', '0', 'of the supervisor: it is meant for all together'],
  ])('%s: of 0 in the supervisor, 5 and 2 in workers comes %s (%s)', async (name, expected) => {
    const workers = [await real(name, 5), await real(name, 2)]
    expect(await onlyValue({ own: await real(name, 0), workers })).toBe(expected)
  })

  test('a listener is not up when no worker runs', async () => {
    expect(await onlyValue({ own: await real('ftp_alg_listener_up', 0) })).toBe('0')
  })

  test('reloads are counted where they are asked for, not once for each worker', async () => {
    const reloads = (count: number) => real('ftp_alg_config_reloads_total', count)
    const workers = [await reloads(1), await reloads(0)]
    expect(await onlyValue({ own: await reloads(2), workers, gone: [await reloads(1)] })).toBe('2')
  })
})

test('what is of the supervisor is of it alone, whatever series a worker has', async () => {
  const build = (backend: string): MetricFamily => ({
    ...family('gauge', 'ftp_alg_build_info', [{ labels: { backend }, value: 1 }]),
    aggregator: 'first',
  })
  expect(
    await exposed({ own: [build('relay')], workers: [[build('nftables')]] }),
  ).toBe(`# HELP ftp_alg_build_info As.
# TYPE ftp_alg_build_info gauge
ftp_alg_build_info{backend="relay"} 1
`)
})

test('a supervisor and two workers show what one service would, and count every session once', async () => {
  const [own, one, other] = [observe(), observe(), observe()]
  for (const { observer } of [one, other, other]) {
    observer.listenerStarted({ listener: 'edge', at: { address: '::', port: 21 }, sessionLimit: 50 })
    observer.sessionOpened({ listener: 'edge', client: { address: '10.0.0.1', port: 1 } })
  }
  const text = await exposed({
    own: await own.observer.families(),
    workers: [await one.observer.families(), await other.observer.families()],
  })
  expect(text).toContain('\nftp_alg_sessions_active{listener="edge"} 3\n')
  expect(text).toContain('\nftp_alg_sessions_total{listener="edge"} 3\n')
  expect(text).toContain('\nftp_alg_sessions_limit{listener="edge"} 100\n')
  expect(text).toContain('\nftp_alg_listener_up{listener="edge"} 1\n')
  expect(text).toMatch(/\nftp_alg_build_info\{version="1\.2\.3",[^}]*\} 1\n/)
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
  expect(new Set(names).size).toBe(names.length)
})

test('every value survives the way from a worker', async () => {
  const families = await observe().observer.families()
  expect(JSON.parse(JSON.stringify(families))).toEqual(families)
})
