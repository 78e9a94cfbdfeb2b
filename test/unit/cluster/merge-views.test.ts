import { describe, expect, test } from 'vitest'
import { byAge, mergeLists, mergeStatus, remainsOf } from '../../../src/cluster/merge-views.ts'
import type { ListenerView, RefusalView, StatusView } from '../../../src/observe/view/shapes.ts'
import { observe } from '../observe/fixture.ts'

/** As an observer that has seen nothing shows itself. */
const blank: StatusView = observe().observer.status()
const idle = blank.listeners[0] as ListenerView // the fixture has one listener

function status(change: Partial<StatusView> = {}, listener: Partial<ListenerView> = {}): StatusView {
  return { ...blank, memory_rss_bytes: 100, listeners: [{ ...idle, ...listener }], ...change }
}

const up = { up: true, address: '0.0.0.0', port: 2121, sessions_limit: 50 }
const counted = {
  sessions_total: 3,
  sessions_rejected_total: 1,
  commands_denied_total: 4,
  upstream_failures_total: 5,
  data_connections_failed_total: 2,
  upload_bytes: 1000,
  download_bytes: 20,
}
const going = { sessions_active: 2, data_connections_active: 1, pinholes_active: 1 }
const doubled = (figures: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, value * 2]))

function refusal(change: Partial<RefusalView>): RefusalView {
  return {
    time: '2026-01-01T00:00:00.000Z',
    event: 'command.deny',
    reason: 'bounce',
    client_ip: '10.0.0.1',
    listener: 'edge',
    session_id: 's',
    command: 'PORT',
    reply_code: 501,
    detail: null,
    count: 1,
    ...change,
  }
}

describe('the status', () => {
  test('is the supervisor’s where the service is meant, and adds up where the workers are', () => {
    const own = status({ pid: 7, log_lines_lost: 1, started_at: '2026-01-01T00:00:00.000Z' })
    const worker = status(
      { pid: 8, log_lines_lost: 2, intruders_total: 3, session_defects_total: 4 },
      { ...up, ...counted, ...going },
    )
    const merged = mergeStatus({ own, workers: [worker, worker], gone: null })
    expect(merged).toMatchObject({
      pid: 7,
      started_at: '2026-01-01T00:00:00.000Z',
      config: own.config,
      memory_rss_bytes: 300,
      log_lines_lost: 5,
      intruders_total: 6,
      session_defects_total: 8,
      draining: false,
    })
    // The limit is for all together, and the supervisor knows it.
    expect(merged.listeners).toEqual([
      {
        ...up,
        listener: 'edge',
        intercepts: false,
        drained: false,
        sessions_limit: idle.sessions_limit,
        ...doubled(counted),
        certificates: [],
        certificates_problem: null,
        lately: idle.lately,
        ...doubled(going),
      },
    ])
  })

  test('keeps what was counted by workers that are gone, and forgets what they had', () => {
    const dead = status(
      {
        draining: true,
        pools: [{ pool: 'shared', ports: 10, in_use: 1, quarantined: 1 }],
        refusals: [refusal({})],
        transfer_log: { file: '/t', format: 'json', problem: 'gone', lines_written: 5, lines_lost: 1 },
      },
      { ...up, ...counted, ...going },
    )
    const alive = status({}, { ...up, sessions_active: 1, sessions_total: 1 })
    const merged = mergeStatus({ own: status(), workers: [alive], gone: remainsOf(dead) })
    expect(merged.listeners).toEqual([
      {
        ...idle,
        ...up,
        ...counted,
        sessions_limit: idle.sessions_limit,
        sessions_active: 1,
        sessions_total: 4,
      },
    ])
    expect(merged).toMatchObject({ draining: false, pools: [], memory_rss_bytes: 200 })
    expect(merged.refusals).toEqual([refusal({})])
    expect(merged.transfer_log).toMatchObject({ problem: null, lines_written: 5, lines_lost: 1 })
  })

  test('of a service without any worker has listeners that are down, where they were', () => {
    const merged = mergeStatus({ own: status(), workers: [], gone: remainsOf(status({}, up)) })
    expect(merged.listeners).toEqual([{ ...idle, up: false, address: '0.0.0.0', port: 2121 }])
    expect(mergeStatus({ own: status(), workers: [], gone: null }).listeners).toEqual([
      { ...idle, up: false, address: null, port: null },
    ])
  })

  test('has the certificates of the workers, and what is wrong with them in any', () => {
    const certificate = {
      side: 'client',
      file: '/edge.crt',
      subject: 'CN=edge',
      expires_at: '2027-01-01T00:00:00.000Z',
      expires_in_ms: 1000,
    } as const
    const good = status({}, { certificates: [certificate] })
    const bad = status({}, { certificates: [certificate], certificates_problem: 'does not fit' })
    const merged = mergeStatus({ own: status(), workers: [good, bad], gone: null })
    expect(merged.listeners[0]).toMatchObject({
      certificates: [certificate],
      certificates_problem: 'does not fit',
    })
  })

  test('adds up what happened lately, and forgets it of workers that are gone', () => {
    const upstream = { succeeded: 1, failed: 3, failing: 2, why: 'ftp.internal:21: connection refused' }
    const trouble = { lately: { ...idle.lately, upstream } }
    const swallowed_lately = { input: 0, forward: 2 }
    const workers = [status({ swallowed_lately }, trouble), status({ swallowed_lately }, trouble)]
    const merged = mergeStatus({ own: status(), workers, gone: remainsOf(status({}, trouble)) })
    expect(merged.swallowed_lately).toEqual({ input: 0, forward: 4 })
    expect(merged.listeners[0]?.lately.upstream).toEqual({ ...upstream, succeeded: 2, failed: 6 })
  })

  test('has a listener up only when every worker has it up', () => {
    const workers = [status({}, up), status({}, { ...up, up: false })]
    expect(mergeStatus({ own: status(), workers, gone: null }).listeners[0]?.up).toBe(false)
  })

  test('has a server of a pool up only when every worker finds it up, and adds its figures', () => {
    const server = {
      upstream: 'files',
      server: 'a:21',
      up: true,
      backup: false,
      sessions_active: 2,
      failures_total: 1,
    }
    const other = { ...server, server: 'b:21', backup: true }
    const workers = [
      status({ servers: [server, other] }),
      status({ servers: [{ ...server, up: false }, other] }),
    ]
    const gone = remainsOf(status({ servers: [server] }))
    expect(mergeStatus({ own: status(), workers, gone }).servers).toEqual([
      { ...server, up: false, sessions_active: 4, failures_total: 2 },
      { ...other, sessions_active: 4, failures_total: 2 },
    ])
  })

  test('adds the slices of a pool, and tells pools apart', () => {
    const pool = (name: 'client' | 'server', ports: number) =>
      ({ pool: name, ports, in_use: 1, quarantined: 2 }) as const
    const workers = [
      status({ pools: [pool('client', 5), pool('server', 7)] }),
      status({ pools: [pool('client', 4), pool('server', 6)] }),
    ]
    expect(mergeStatus({ own: status(), workers, gone: null }).pools).toEqual([
      { pool: 'client', ports: 9, in_use: 2, quarantined: 4 },
      { pool: 'server', ports: 13, in_use: 2, quarantined: 4 },
    ])
  })

  test('shows the last refusals first, and one client with one reason once', () => {
    const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`
    const workers = [
      status({ refusals: [refusal({ time: at(5), count: 2 }), refusal({ time: at(1), reason: 'syntax' })] }),
      status({
        refusals: [
          refusal({ time: at(7), count: 3, session_id: 'late' }),
          refusal({ time: at(6), client_ip: 'b' }),
        ],
      }),
    ]
    expect(mergeStatus({ own: status(), workers, gone: null }).refusals).toEqual([
      refusal({ time: at(7), count: 5, session_id: 'late' }),
      refusal({ time: at(6), client_ip: 'b' }),
      refusal({ time: at(1), reason: 'syntax' }),
    ])
    const many = Array.from({ length: 50 }, (_, index) => refusal({ client_ip: `10.0.1.${index}` }))
    const other = many.map((each) => ({ ...each, reason: 'syntax' }))
    const full = [status({ refusals: many }), status({ refusals: other })]
    expect(mergeStatus({ own: status(), workers: full, gone: null }).refusals).toHaveLength(50)
  })

  test('says that the transfer log has a problem when one worker’s has', () => {
    const log = { file: '/t', format: 'json', problem: null, lines_written: 2, lines_lost: 1 } as const
    const workers = [status({ transfer_log: log }), status({ transfer_log: { ...log, problem: 'full' } })]
    expect(mergeStatus({ own: status(), workers, gone: null }).transfer_log).toEqual({
      ...log,
      problem: 'full',
      lines_written: 4,
      lines_lost: 2,
    })
  })
})

test('lists count all there are and show the oldest, whichever worker has them', () => {
  const list = (...ages: number[]) => ({ total: 10, items: ages.map((age_ms) => ({ age_ms })) })
  const merged = mergeLists([list(30, 10), list(40, 20)], { limit: 3, order: byAge })
  expect(merged).toEqual({ total: 20, items: [{ age_ms: 40 }, { age_ms: 30 }, { age_ms: 20 }] })
})
