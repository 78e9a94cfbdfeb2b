import { describe, expect, test } from 'vitest'
import { formatExposition, parseExposition } from '../../../src/cluster/exposition.ts'
import { addCounters, countersOf, mergeExpositions } from '../../../src/cluster/merge-expositions.ts'
import { observe } from '../observe/fixture.ts'

interface Texts {
  readonly own?: string
  readonly workers?: readonly string[]
  readonly gone?: string
}

function merge({ own = '', workers = [], gone = '' }: Texts): string {
  return formatExposition(
    mergeExpositions({
      own: parseExposition(own),
      workers: workers.map(parseExposition),
      gone: parseExposition(gone),
    }),
  )
}

/** The only line of the merged text that is no comment, without its series. */
function onlyValue(texts: Texts): string {
  const samples = merge(texts)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  expect(samples).toHaveLength(1)
  return samples[0]?.replace(/.* /, '') ?? ''
}

const gauge = (name: string, value: number | string) => `# TYPE ${name} gauge\n${name} ${value}\n`

describe('counters', () => {
  test('add up, each series by itself; one that a single worker has is kept', () => {
    const workers = [
      '# HELP a_total As.\n# TYPE a_total counter\na_total{x="1"} 2\na_total{x="2"} 5\n',
      '# HELP a_total As.\n# TYPE a_total counter\na_total{x="1"} 3\na_total{x="3"} 0.5\n',
    ]
    expect(merge({ workers })).toBe(`# HELP a_total As.
# TYPE a_total counter
a_total{x="1"} 5
a_total{x="2"} 5
a_total{x="3"} 0.5
`)
  })

  test('of a family that only one worker has are there, with its comments, in the order of first sight', () => {
    const workers = ['# TYPE a_total counter\na_total 1\n', '# TYPE b_total counter\nb_total 2\n']
    expect(merge({ workers: workers.toReversed() })).toBe(`${workers[1]}${workers[0]}`)
  })

  test('whose labels hold quotes, backslashes and line ends are matched by what they hold', () => {
    const series = 'a_total{x="C:\\\\t \\"q\\" \\n } 7"}'
    const worker = `# TYPE a_total counter\n${series} 1\n`
    expect(merge({ workers: [worker, worker] })).toBe(`# TYPE a_total counter\n${series} 2\n`)
  })

  test('say HELP and TYPE once even when workers word it differently', () => {
    const workers = [
      '# HELP a_total New words.\n# TYPE a_total counter\na_total 1\n',
      '# HELP a_total Old words.\n# TYPE a_total counter\na_total 1\n',
    ]
    expect(merge({ workers })).toBe('# HELP a_total New words.\n# TYPE a_total counter\na_total 2\n')
  })

  test('of workers that are gone still count, their gauges do not', () => {
    const dead = parseExposition(
      '# TYPE a_total counter\na_total 7\n# TYPE b gauge\nb 3\n# TYPE c_seconds histogram\nc_seconds_count 1\n',
    )
    expect(formatExposition(countersOf(dead))).toBe(
      '# TYPE a_total counter\na_total 7\n# TYPE c_seconds histogram\nc_seconds_count 1\n',
    )
    const gone = formatExposition(addCounters(addCounters(new Map(), dead), dead))
    expect(merge({ gone, workers: ['# TYPE a_total counter\na_total 1\n# TYPE b gauge\nb 4\n'] })).toBe(
      '# TYPE a_total counter\na_total 15\n# TYPE b gauge\nb 4\n# TYPE c_seconds histogram\nc_seconds_count 2\n',
    )
  })
})

test('histograms add up bucket by bucket, with sum and count', () => {
  const histogram = (few: number, all: number, seconds: number) =>
    `# TYPE d_seconds histogram
d_seconds_bucket{le="0.1"} ${few}
d_seconds_bucket{le="+Inf"} ${all}
d_seconds_sum ${seconds}
d_seconds_count ${all}
`
  expect(merge({ workers: [histogram(1, 3, 1.5), histogram(0, 2, 8)] })).toBe(histogram(1, 5, 9.5))
})

describe('gauges', () => {
  test.each([
    ['ftp_alg_sessions_active', '7', 'what each has'],
    ['ftp_alg_port_pool_size', '7', 'each has its own slice'],
    ['process_resident_memory_bytes', '7', 'memory is used by all'],
    ['nodejs_eventloop_lag_p99_seconds', '5', 'the slowest is the one to look at'],
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
  ])('%s: of 0 in the supervisor, 5 and 2 in workers comes %s (%s)', (name, expected) => {
    expect(onlyValue({ own: gauge(name, 0), workers: [gauge(name, 5), gauge(name, 2)] })).toBe(expected)
  })

  test('a listener is not up when no worker runs', () => {
    expect(onlyValue({ own: gauge('ftp_alg_listener_up', 0) })).toBe('0')
  })

  test('reloads are counted where they are asked for, not once for each worker', () => {
    const reloads = (count: number) =>
      `# TYPE ftp_alg_config_reloads_total counter\nftp_alg_config_reloads_total{result="accepted"} ${count}\n`
    expect(merge({ own: reloads(2), workers: [reloads(1), reloads(0)] })).toBe(reloads(2))
  })
})

describe('values that are no numbers', () => {
  test.each([
    ['a', ['Nan', '3'], '3'],
    ['a', ['Nan', 'Nan'], 'NaN'],
    ['a', ['+Inf', '3'], '+Inf'],
    ['a', ['-Inf', '3'], '-Inf'],
    ['a', ['-Inf', '+Inf'], 'NaN'],
    ['nodejs_eventloop_lag_seconds', ['Nan', '0.5'], '0.5'],
    ['nodejs_eventloop_lag_min_seconds', ['+Inf', '0.5'], '0.5'],
  ])('%s: of %j comes %s', (name, values, expected) => {
    expect(onlyValue({ workers: values.map((value) => gauge(name, value)) })).toBe(expected)
  })
})

test('the real expositions of a supervisor and two workers make one that counts every session once', async () => {
  const [own, one, other] = [observe(), observe(), observe()]
  for (const { observer } of [one, other, other]) {
    observer.listenerStarted({ listener: 'edge', at: { address: '::', port: 21 }, sessionLimit: 50 })
    observer.sessionOpened({ listener: 'edge', client: { address: '10.0.0.1', port: 1 } })
  }
  const text = merge({
    own: await own.observer.exposition(),
    workers: [await one.observer.exposition(), await other.observer.exposition()],
  })
  expect(text).toContain('\nftp_alg_sessions_active{listener="edge"} 3\n')
  expect(text).toContain('\nftp_alg_sessions_total{listener="edge"} 3\n')
  expect(text).toContain('\nftp_alg_sessions_limit{listener="edge"} 100\n')
  expect(text).toContain('\nftp_alg_listener_up{listener="edge"} 1\n')
  expect(text).toMatch(/\nftp_alg_build_info\{version="1\.2\.3",[^}]*\} 1\n/)
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
  expect(new Set(names).size).toBe(names.length)
})
