import { describe, expect, test } from 'vitest'
import { client, moved, observe, seriesOf } from './fixture.ts'

describe('what the observer is told about the process moves its metrics and no others', () => {
  test('a connection is sent away', async () => {
    const { observer } = observe()
    const reject = () => observer.sessionRejected({ listener: 'edge', client, reason: 'client_limit' })
    expect(await moved(observer, reject)).toEqual({
      'ftp_alg_sessions_rejected_total{listener="edge",reason="client_limit"}': 1,
    })
  })

  test('an intruder comes to a data port', async () => {
    const { observer } = observe()
    const intrude = () => observer.pinholeIntruded({ from: client, port: 30_001, reason: 'late' })
    expect(await moved(observer, intrude)).toEqual({
      'ftp_alg_pinhole_rejected_connections_total{reason="late"}': 1,
    })
  })

  test('the firewall drops what a pinhole let in', async () => {
    const { observer } = observe()
    const swallow = () =>
      observer.pinholeSwallowed({ session: 's', peer: '192.0.2.1', at: client, chain: 'forward' })
    expect(await moved(observer, swallow)).toEqual({ 'ftp_alg_pinholes_swallowed_total{chain="forward"}': 1 })
  })

  test('a listener starts with its limit', async () => {
    const { observer } = observe()
    const at = { address: '0.0.0.0', port: 2121 }
    const start = () => observer.listenerStarted({ listener: 'edge', at, sessionLimit: 150 })
    expect(await moved(observer, start)).toEqual({
      'ftp_alg_listener_up{listener="edge"}': 1,
      'ftp_alg_sessions_limit{listener="edge"}': 50,
    })
  })

  test('draining shows', async () => {
    const { observer } = observe()
    expect(await moved(observer, () => observer.draining())).toEqual({ ftp_alg_draining: 1 })
  })

  test('port pools are measured at every scrape', async () => {
    const { observer } = observe()
    let inUse = 3
    observer.poolsMeasuredBy(() => [
      { pool: 'client', ports: 1000, inUse, quarantined: 2 },
      { pool: 'server', ports: 50, inUse: 0, quarantined: 0 },
    ])
    const before = await seriesOf(observer)
    expect(before.get('ftp_alg_port_pool_size{pool="client"}')).toBe(1000)
    expect(before.get('ftp_alg_port_pool_in_use{pool="client"}')).toBe(3)
    expect(before.get('ftp_alg_port_pool_quarantined{pool="client"}')).toBe(2)
    expect(before.get('ftp_alg_port_pool_size{pool="server"}')).toBe(50)
    inUse = 9
    expect((await seriesOf(observer)).get('ftp_alg_port_pool_in_use{pool="client"}')).toBe(9)
  })

  test('a reload is accepted or refused', async () => {
    const { observer } = observe()
    const refused = await moved(observer, () => observer.configReloaded(new Error('line 3')))
    expect(refused).toEqual({
      'ftp_alg_config_reloads_total{result="refused"}': 1,
      ftp_alg_config_last_reload_successful: -1,
    })
    const accepted = await moved(observer, () => observer.configReloaded(null))
    expect(accepted).toMatchObject({
      'ftp_alg_config_reloads_total{result="accepted"}': 1,
      ftp_alg_config_last_reload_successful: 1,
    })
  })

  test('build_info says what runs', async () => {
    const { observer } = observe()
    const name = `ftp_alg_build_info{version="1.2.3",node_version="${process.version}",backend="relay",tcp="epoll"}`
    expect((await seriesOf(observer)).get(name)).toBe(1)
  })

  test('the slower TCP is said with its reason, once; the other goes without a word', async () => {
    const { observer, linesOf } = observe()
    expect(linesOf('tcp.fallback')).toEqual([])
    expect(observer.status().tcp).toEqual({ implementation: 'epoll', reason: null })
    observer.tcpChosen({ implementation: 'node', reason: 'no koffi' })
    expect(linesOf('tcp.fallback')).toMatchObject([{ level: 'warn', reason: 'no koffi' }])
    expect(observer.status().tcp).toEqual({ implementation: 'node', reason: 'no koffi' })
  })

  test('identical warnings that were left out are counted', async () => {
    const { observer, linesOf } = observe()
    const flood = () => {
      for (let n = 0; n < 25; n += 1) {
        observer.sessionRejected({ listener: 'edge', client, reason: 'limit' })
      }
    }
    flood()
    expect(linesOf('session.reject')).toHaveLength(10)
    await observer.close()
    const series = await seriesOf(observer)
    expect(series.get('ftp_alg_log_lines_lost_total{reason="flood"}')).toBe(15)
    expect(series.get('ftp_alg_log_lines_lost_total{reason="output"}')).toBe(0)
  })
})

describe('the runtime’s own metrics', () => {
  test('tell CPU, memory, event loop lag and open files', async () => {
    const { observer } = observe()
    const text = await observer.exposition()
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_start_time_seconds',
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_gc_duration_seconds',
      'process_open_fds',
    ]) {
      expect(text).toMatch(new RegExp(`^# TYPE ${name} `, 'm'))
    }
    expect(Number(/^process_open_fds (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(3)
  })

  test('leave out what breaks the naming rules or walks every socket', async () => {
    const { observer } = observe()
    expect(await observer.exposition()).not.toMatch(/nodejs_active_/)
  })
})
