import { describe, expect, test } from 'vitest'
import { tracker } from '../../../src/observe/tracker.ts'
import { attentionOf } from '../../../src/observe/view/attention.ts'
import { createRateMeter } from '../../../src/observe/view/rates.ts'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatEndpoint,
  formatPlural,
  withControlPictures,
} from '../../../src/observe/view/wording.ts'
import { client, observe } from './fixture.ts'

describe('figures for people', () => {
  test('bytes go in steps of a thousand', () => {
    const said = [0, 999, 1000, 1536, 999_949, 999_950, 1e6, 2.5e9, 3e15, 9e18].map(formatBytes)
    expect(said).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '1.5 kB',
      '999.9 kB',
      '1.0 MB',
      '1.0 MB',
      '2.5 GB',
      '3.0 PB',
      '9000.0 PB',
    ])
  })

  test('durations have their two largest units, and no fraction ever rounds up', () => {
    const said = [0, 999, 59_999, 60_000, 3_599_999, 3_600_000, 86_399_999, 93_784_000].map(formatDuration)
    expect(said).toEqual(['0s', '0s', '59s', '1m 0s', '59m 59s', '1h 0m', '23h 59m', '1d 2h'])
  })

  test('counts are grouped, and things have their plural', () => {
    expect([0, 999, 1000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567'])
    expect([0, 1, 2].map((count) => formatPlural(count, 'session'))).toEqual([
      '0 sessions',
      '1 session',
      '2 sessions',
    ])
  })

  test('endpoints are written as they are typed', () => {
    expect(formatEndpoint('10.0.0.5', 21)).toBe('10.0.0.5:21')
    expect(formatEndpoint('2001:db8::5', 21)).toBe('[2001:db8::5]:21')
    expect(formatEndpoint(null, null)).toBeNull()
  })

  test('control characters become pictures', () => {
    expect(withControlPictures('a\x1b[31m\r\n\x00\x7fä')).toBe('a␛[31m␍␊␀␡ä')
  })
})

describe('throughput', () => {
  const afterBytes = (upload_bytes: number, download_bytes: number) => {
    const [listener] = observe().observer.status().listeners
    if (listener === undefined) throw new Error('no listener')
    return { listeners: [{ ...listener, upload_bytes, download_bytes }] }
  }

  test('is the mean of the last six seconds', () => {
    const meter = createRateMeter()
    expect(meter.measure(afterBytes(0, 0), 100_000)).toBeNull()
    expect(meter.measure(afterBytes(0, 1000), 101_000)).toEqual({ upload: 0, download: 1000 })
    for (let second = 2; second <= 20; second += 1)
      meter.measure(afterBytes(0, 1000), 100_000 + second * 1000)
    expect(meter.measure(afterBytes(6000, 1000), 121_000)).toEqual({ upload: 1000, download: 0 })
  })

  test('is not known after a pause, nor when a counter went back', () => {
    const meter = createRateMeter()
    meter.measure(afterBytes(0, 0), 1000)
    expect(meter.measure(afterBytes(0, 1e9), 60_000)).toBeNull()
    expect(meter.measure(afterBytes(0, 1e9), 61_000)).toEqual({ upload: 0, download: 0 })
    expect(meter.measure(afterBytes(0, 5), 62_000)).toBeNull()
  })
})

describe('what needs attention', () => {
  const said = (
    { observer }: ReturnType<typeof observe>,
    differences: Partial<ReturnType<typeof observer.status>> = {},
    notReady: string | null = null,
  ) =>
    attentionOf({ ...observer.status(), ...differences }, notReady).map(
      ({ level, text }) => `${level}: ${text}`,
    )
  const started = (sessionLimit = 100) => {
    const observed = observe({ level: 'error' })
    observed.observer.listenerStarted({ listener: 'edge', at: { address: '::', port: 2121 }, sessionLimit })
    return observed
  }

  test('is nothing when all is well', () => {
    expect(said(started())).toEqual([])
  })

  test('is a listener that is not up, or full, or nearly so', () => {
    expect(said(observe())).toEqual(['bad: Listener edge is not up.'])
    const proxy = started(5)
    for (let n = 0; n < 4; n += 1) proxy.observer.sessionOpened({ listener: 'edge', client })
    expect(said(proxy)).toEqual(['warn: Listener edge is nearly full: 4 of 5 sessions.'])
    proxy.observer.sessionOpened({ listener: 'edge', client })
    expect(said(proxy)).toEqual([
      'bad: Listener edge is full (5 of 5 sessions): new clients are sent away with 421.',
    ])
  })

  test('is a pool that runs out', () => {
    const proxy = started()
    let inUse = 79
    proxy.observer.poolsMeasuredBy(() => [{ pool: 'client', ports: 100, inUse, quarantined: 0 }])
    expect(said(proxy)).toEqual([])
    inUse = 80
    expect(said(proxy)).toEqual(['warn: Data ports for clients are running out: 80 of 100 in use.'])
    inUse = 100
    expect(said(proxy)).toEqual([
      'bad: Data ports for clients: 100 of 100 in use. Clients may get 425 until some are free.',
    ])
  })

  test('is a server that cannot be reached, in its own words, until it can', () => {
    const proxy = started()
    const open = () => proxy.observer.sessionOpened({ listener: 'edge', client })
    const fail = () =>
      open().upstreamFailed({ server: 'ftp.internal:21', reason: 'refused', detail: 'ECONNREFUSED' })
    fail()
    fail()
    expect(said(proxy)).toEqual([])
    fail()
    expect(said(proxy)).toEqual([
      'bad: The server behind listener edge cannot be reached: 3 of 3 connections failed in the last two minutes, the last to ftp.internal:21: connection refused.',
    ])
    for (let n = 0; n < 3; n += 1) open().upstreamConnected({ server: client, durationMs: 1 })
    expect(said(proxy)).toEqual([])
  })

  test('is not one host that a client of a gateway cannot reach, but many', () => {
    const proxy = started()
    const [listener] = proxy.observer.status().listeners
    if (listener === undefined) throw new Error('no listener')
    const upstream = { succeeded: 0, failed: 5, failing: 1, why: '203.0.113.22:21: no answer' }
    const saidOf = (failing: number) =>
      said(proxy, {
        listeners: [
          {
            ...listener,
            intercepts: true,
            lately: { ...listener.lately, upstream: { ...upstream, failing } },
          },
        ],
      })
    expect(saidOf(1)).toEqual([])
    expect(saidOf(3)).toEqual([expect.stringMatching(/^bad: No servers behind listener edge can be reached/)])
  })

  test('is a certificate that ends, and files that are refused until they are good', () => {
    const proxy = started()
    const days = (count: number) => Date.now() + count * 86_400_000
    let expiresMs = days(15)
    const certificate = () =>
      ({ listener: 'edge', side: 'client', file: '/edge.crt', subject: 'CN=edge', expiresMs }) as const
    proxy.observer.certificatesMeasuredBy(() => [certificate()])
    const read = (failure: Error | null) =>
      proxy.observer.certificatesRead({ listener: 'edge', certificates: [certificate()], failure })
    read(null)
    expect(said(proxy)).toEqual([])
    expiresMs = days(3) + 3_600_000
    expect(said(proxy)).toEqual([
      expect.stringMatching(/^warn: The certificate CN=edge that listener edge shows to clients ends in 3d/),
    ])
    expiresMs = days(-1)
    expect(said(proxy)).toEqual([expect.stringMatching(/^bad: The certificate CN=edge .* has ended/)])
    expiresMs = days(90)
    read(new Error('/edge.key does not fit'))
    expect(said(proxy)).toEqual([
      'bad: Changed certificates of listener edge are refused, and the old ones are in use: /edge.key does not fit.',
    ])
    read(null)
    expect(said(proxy)).toEqual([])
  })

  test('is interception that is not in place', () => {
    const proxy = started()
    proxy.observer.interceptionChecked('table inet ftp_alg_intercept is not loaded')
    expect(said(proxy)).toEqual([
      'bad: Nothing is intercepted: table inet ftp_alg_intercept is not loaded. ftp-alg firewall --apply puts the rules there.',
    ])
    proxy.observer.interceptionChecked(null)
    expect(said(proxy)).toEqual([])
  })

  test('is connection tracking that is full, or nearly so', () => {
    const saidOf = (entries: number) => said(started(), { conntrack: { entries, limit: 1000 } })
    expect(saidOf(799)).toEqual([])
    expect(saidOf(900)).toEqual([
      'warn: The kernel’s connection tracking is nearly full: 900 of 1,000 connections. Raise net.netfilter.nf_conntrack_max.',
    ])
    expect(saidOf(998)).toEqual([
      'bad: The kernel’s connection tracking is full (998 of 1,000 connections): new connections are dropped.',
    ])
  })

  test('is a server that sends sessions away, in its words', () => {
    const proxy = started()
    const line = '421 There are too many connections from your internet address.'
    const greet = (code: number, text: string) => {
      const session = proxy.observer.sessionOpened({ listener: 'edge', client })
      session.upstreamConnected({ server: { address: '10.0.0.5', port: 21 }, durationMs: 1 })
      session.record({ type: 'reply', code, line: text })
      session.record({ type: 'reply', code: 421, line: '421 Timeout.' })
    }
    for (let n = 0; n < 3; n += 1) greet(220, '220 Welcome.')
    expect(said(proxy)).toEqual([])
    for (let n = 0; n < 3; n += 1) greet(421, line)
    expect(said(proxy)).toEqual([
      `warn: 3 sessions of listener edge got no further than the server’s greeting in the last two minutes, the last at 10.0.0.5 port 21: ${line} Servers limit sessions from one address, and to them all of ours come from one.`,
    ])
  })

  test('is data connections that fail, whoever gave up first, and worse with several clients', () => {
    const proxy = started()
    const giveUp = (address: string, reason: 'expired' | 'abandoned') => {
      const session = proxy.observer.sessionOpened({ listener: 'edge', client: { address, port: 40_000 } })
      const announce = { address: '203.0.113.9', port: 30_001 }
      const hole = { pinhole: 1, from: 'client', backend: 'relay' } as const
      session.pinholeOpened({ ...hole, expect: address, announce, target: null, durationMs: 1 })
      session.pinholeClosed({ pinhole: 1, backend: 'relay', reason, ageMs: 20_000 })
    }
    for (let n = 0; n < 3; n += 1) giveUp('192.0.2.7', 'abandoned')
    expect(said(proxy)).toEqual([
      'warn: Data connections of listener edge fail: 3 of 3 in the last two minutes, of 1 client; the last: 192.0.2.7 did not come to 203.0.113.9 port 30001 within 20 s.',
    ])
    giveUp('192.0.2.8', 'expired')
    expect(said(proxy)).toEqual([
      'bad: Data connections of listener edge fail: 4 of 4 in the last two minutes, of 2 clients; the last: 192.0.2.8 did not come to 203.0.113.9 port 30001 within 20 s.',
    ])
    const at = { address: '203.0.113.9', port: 30_001 }
    proxy.observer.pinholeSwallowed({ session: 's', peer: '192.0.2.8', at, chain: 'forward' })
    // One cause is said once.
    expect(said(proxy)).toEqual([
      'bad: The forward chain of this machine’s firewall drops data connections that a pinhole let in (1 in the last two minutes): accept the ct mark there. ftp-alg firewall prints the line.',
    ])
  })

  test('is a refused reload, a defect, and a drain, the worst first', () => {
    const proxy = started()
    proxy.observer.sessionOpened({ listener: 'edge', client }).failed(new Error('boom'))
    proxy.observer.draining()
    proxy.observer.configReloaded(new Error('mistake'))
    expect(said(proxy)).toEqual([
      expect.stringMatching(
        /^bad: The last reload was refused\. The configuration of \d{4}-.* UTC stays in use/,
      ),
      `bad: 1 session ended by a defect of this proxy; please report the lines of event session.fail in the log: ${tracker}`,
      'warn: Draining: no new sessions, running transfers finish. 1 session left.',
    ])
  })

  test('is why the process takes no sessions', () => {
    expect(said(started(), {}, 'starting')).toEqual(['bad: Not ready: starting.'])
  })

  test('is a transfer log that cannot be written', () => {
    const transfer_log = { file: '/var/log/xferlog', format: 'xferlog', lines_written: 9 } as const
    const problem = 'no space left on device (ENOSPC)'
    expect(said(started(), { transfer_log: { ...transfer_log, problem: null, lines_lost: 3 } })).toEqual([])
    expect(said(started(), { transfer_log: { ...transfer_log, problem, lines_lost: 3 } })).toEqual([
      'warn: The transfer log /var/log/xferlog cannot be written: no space left on device (ENOSPC), 3 lines lost. It is tried again every second.',
    ])
  })
})
