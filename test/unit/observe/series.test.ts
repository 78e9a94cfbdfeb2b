import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { verbs } from '../../../src/ftp/commands.ts'
import { refusedCommands } from '../../../src/observe/metrics/control.ts'
import {
  closeReasons,
  legFailures,
  protocolErrors,
  refusalReasons,
  rejectReasons,
  valuesOf,
} from '../../../src/observe/metrics/labels.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { client, observe, seriesOf, server } from './fixture.ts'

describe('series exist before anything happens', () => {
  test('the exposition of a fresh process with one listener is the one on file', async () => {
    const { observer } = observe()
    observer.poolsMeasuredBy(() => [{ pool: 'shared', ports: 1000, inUse: 0, quarantined: 0 }])
    const text = await observer.exposition()
    const own = text
      .split('\n\n')
      .filter((family) => family.startsWith('# HELP ftp_alg_'))
      .join('\n\n')
      .replace(/node_version="[^"]+"/, 'node_version="…"')
      .replace(/(timestamp_seconds) \d+/, '$1 …')
      // One of the many verbs is enough to see here.
      .replace(/^ftp_alg_commands_total\{.*command="(?!RETR|other).*\n/gm, '')
    await expect(`${own}\n`).toMatchFileSnapshot('exposition.txt')
  })

  test('every listener of the configuration has the same series, all of them at 0 but the limit', async () => {
    const { observer } = observe({ listeners: ['edge', 'side-car'] })
    const series = [...(await seriesOf(observer))]
    const of = (listener: string) =>
      series
        .filter(([name]) => name.includes(`listener="${listener}"`))
        .map(([name, value]) => [name.replace(listener, '?'), value])
    expect(of('edge').length).toBeGreaterThan(300)
    expect(of('side-car')).toEqual(of('edge'))
    const notZero = of('edge').filter(([, value]) => value !== 0)
    expect(notZero).toEqual([['ftp_alg_sessions_limit{listener="?"}', 100]])
  })

  test('a listener with TLS has those of TLS too, and one without has none', async () => {
    const { families } = createMetrics({
      version: '1.2.3',
      backend: 'relay',
      listeners: [
        { name: 'edge', intercepts: false, hasTls: true },
        { name: 'plain', intercepts: false, hasTls: false },
      ],
      pools: () => [],
      upstreams: () => [],
    })
    const all = (await families()).filter(({ name }) => name.startsWith('ftp_alg_tls_'))
    // Certificates have none before they were read, and are good until proven otherwise.
    const tls = all.filter(({ name }) => !/_expiry_|_successful$/.test(name))
    expect([all.length, tls.length]).toEqual([9, 7])
    for (const { name, values } of tls) {
      expect(values.length, name).toBeGreaterThan(0)
      for (const { labels, value } of values) expect([labels.listener, value], name).toEqual(['edge', 0])
    }
  })

  test('the commands that a refusal is counted with are known verbs', () => {
    const unknown = Object.values(refusedCommands)
      .flat()
      .filter((verb) => !verbs.has(verb))
    expect(unknown).toEqual([])
  })
})

describe('no peer can make a series', () => {
  test('hostile verbs, users, paths and addresses leave the set of series as it was', async () => {
    const { observer } = observe({ level: 'error' })
    const before = [...(await seriesOf(observer)).keys()]
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('__proto__', 'constructor', 'toString', 'a"} 1\nevil_total{x="', '\\', '\0'),
    )
    fc.assert(
      fc.property(text, text, fc.integer(), (hostile, other, code) => {
        const session = observer.sessionOpened({ listener: 'edge', client: { address: hostile, port: 1 } })
        session.upstreamConnected({ server: { address: other, port: 21 }, durationMs: 1 })
        session.upstreamFailed({ server: hostile, reason: 'resolve', detail: other })
        session.record({ type: 'command', verb: hostile, line: other })
        session.record({ type: 'reply', code, line: hostile })
        session.record({ type: 'login', user: hostile, accepted: true, code })
        session.record({ type: 'refusal', verb: hostile, reason: 'syntax', code, detail: other })
        session.record({ type: 'protocolError', side: 'server', reason: 'bad_reply', detail: hostile })
        session.record({ type: 'transfer', verb: hostile, path: other, code, channel: null })
        session.pinholeFailed({ pinhole: 1, reason: 'backend', detail: hostile })
        session.failed(new Error(hostile))
        session.closed({ reason: 'error', durationMs: 1 })
        observer.pinholeIntruded({ from: { address: hostile, port: 1 }, port: 2, reason: 'wrong_peer' })
        observer.sessionRejected({
          listener: 'edge',
          client: { address: hostile, port: 1 },
          reason: 'limit',
        })
      }),
    )
    expect([...(await seriesOf(observer)).keys()]).toEqual(before)
  })

  test('every reason of every closed set has its own series', async () => {
    const { observer } = observe({ level: 'error' })
    const session = () => observer.sessionOpened({ listener: 'edge', client })
    for (const reason of valuesOf(closeReasons)) session().closed({ reason, durationMs: 1 })
    for (const reason of valuesOf(rejectReasons))
      observer.sessionRejected({ listener: 'edge', client, reason })
    const one = session()
    for (const reason of valuesOf(refusalReasons)) {
      one.record({ type: 'refusal', verb: 'OTHER', reason, code: 500, detail: '' })
    }
    for (const reason of valuesOf(protocolErrors)) {
      one.record({ type: 'protocolError', side: 'client', reason, detail: '' })
    }
    for (const reason of valuesOf(legFailures)) {
      one.dataFailed({ channel: 1, mode: 'passive', side: 'server', reason })
    }
    one.upstreamConnected({ server, durationMs: 1 })
    const series = await seriesOf(observer)
    for (const [name, value] of series) {
      if (/^ftp_alg_(sessions_closed|sessions_rejected)_total/.test(name))
        expect([name, value]).toEqual([name, 1])
      if (/denied.*command="other"|errors.*side="client"|failures.*passive.*server/.test(name)) {
        expect([name, value]).toEqual([name, 1])
      }
    }
  })
})
