import { describe, expect, test } from 'vitest'
import type { Readiness } from '../../../src/observe/admin/answers.ts'
import { startAdmin } from './admin-fixture.ts'
import { client, observe, server as upstream } from './fixture.ts'

describe('probes', () => {
  test('livez answers as long as the event loop runs', async () => {
    const { get } = await startAdmin()
    expect(await get('/livez')).toMatchObject({ status: 200, body: 'ok\n' })
  })

  test('readyz is 503 with one line of reason until sessions are accepted, at once', async () => {
    let state: Readiness = { ready: false, reason: 'listener edge is\nnot bound' }
    const { get } = await startAdmin({ ready: () => state })
    expect(await get('/readyz')).toMatchObject({
      status: 503,
      body: 'not ready: listener edge is not bound\n',
    })
    state = { ready: true, reason: '' }
    expect(await get('/readyz')).toMatchObject({ status: 200, body: 'ready\n' })
    state = { ready: false, reason: 'draining' }
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'not ready: draining\n' })
  })
})

describe('metrics', () => {
  test('are served as Prometheus text', async () => {
    const { get, observer } = await startAdmin()
    observer.sessionOpened({ listener: 'edge', client })
    const { status, headers, body } = await get('/metrics')
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(body).toContain('\nftp_alg_sessions_total{listener="edge"} 1\n')
    expect(body).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m)
  })

  test('are made once for all who ask at the same time', async () => {
    const { observer } = observe()
    let made = 0
    const counting = {
      ...observer,
      exposition: () => {
        made += 1
        return observer.exposition()
      },
    }
    const { get } = await startAdmin({ observer: counting })
    const start = performance.now()
    const answers = await Promise.all(Array.from({ length: 60 }, () => get('/metrics')))
    const tookMs = performance.now() - start
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(made).toBeLessThanOrEqual(1 + Math.ceil(tookMs / 250))
  })

  test('that cannot be made are a 500 and a log line, and are tried again', async () => {
    const { observer, linesOf } = observe()
    let isBroken = true
    const { get } = await startAdmin({
      observer: {
        ...observer,
        exposition: () => (isBroken ? Promise.reject(new Error('broken')) : observer.exposition()),
      },
    })
    expect((await get('/metrics')).status).toBe(500)
    expect(linesOf('admin.fail')).toMatchObject([
      { level: 'error', url_path: '/metrics', error: { message: 'broken' } },
    ])
    isBroken = false
    expect((await get('/metrics')).status).toBe(200)
  })
})

describe('the API', () => {
  test('shows the process, its listeners, pools and refusals', async () => {
    const { get, observer } = await startAdmin({ ready: () => ({ ready: false, reason: 'draining' }) })
    observer.listenerStarted({ listener: 'edge', at: { address: '0.0.0.0', port: 2121 }, sessionLimit: 50 })
    observer.poolsMeasuredBy(() => [{ pool: 'shared', ports: 10, inUse: 1, quarantined: 2 }])
    observer.draining()
    const session = observer.sessionOpened({ listener: 'edge', client })
    session.record({
      type: 'refusal',
      verb: 'PORT',
      reason: 'bounce',
      code: 501,
      detail: 'PORT 10,0,0,9,0,21',
    })
    session.dataBytes({ direction: 'upload', path: 'relay', count: 10 })
    const { status, headers, body } = await get('/api/v1/status')
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
    expect(JSON.parse(body)).toMatchObject({
      ready: false,
      not_ready_reason: 'draining',
      version: '1.2.3',
      backend: 'relay',
      draining: true,
      config: { last_reload_successful: true, reloads_accepted: 0, reloads_refused: 0 },
      log_lines_lost: 0,
      intruders_total: 0,
      listeners: [
        {
          listener: 'edge',
          up: true,
          address: '0.0.0.0',
          port: 2121,
          sessions_active: 1,
          sessions_limit: 50,
          sessions_total: 1,
          sessions_rejected_total: 0,
          commands_denied_total: 1,
          data_connections_active: 0,
          pinholes_active: 0,
          upload_bytes: 10,
          download_bytes: 0,
        },
      ],
      pools: [{ pool: 'shared', ports: 10, in_use: 1, quarantined: 2 }],
      refusals: [
        {
          event: 'command.deny',
          reason: 'bounce',
          client_ip: '203.0.113.9',
          listener: 'edge',
          session_id: session.id,
          command: 'PORT',
          reply_code: 501,
          detail: 'PORT 10,0,0,9,0,21',
          count: 1,
        },
      ],
    })
  })

  test('shows sessions with what they are doing', async () => {
    const { get, observer } = await startAdmin()
    const session = observer.sessionOpened({ listener: 'edge', client })
    session.upstreamConnected({ server: upstream, durationMs: 1 })
    session.record({ type: 'command', verb: 'PASS', line: 'PASS ***' })
    session.record({ type: 'login', user: 'anna', accepted: true, code: 230 })
    session.dataOpened({ channel: 1, mode: 'passive', path: 'relay', setupMs: 1 })
    session.dataBytes({ direction: 'download', path: 'relay', count: 512 })
    const { total, sessions } = JSON.parse((await get('/api/v1/sessions?x=1')).body)
    expect(total).toBe(1)
    expect(sessions).toEqual([
      {
        session_id: session.id,
        listener: 'edge',
        client_ip: '203.0.113.9',
        client_port: 40_001,
        server_ip: '10.0.0.5',
        server_port: 21,
        user: 'anna',
        state: 'transfer',
        mode: 'passive',
        last_command: 'PASS',
        upload_bytes: 0,
        download_bytes: 512,
        transfers: 0,
        refusals: 0,
        opened_at: expect.stringMatching(/^\d{4}-.*Z$/),
        age_ms: expect.any(Number),
      },
    ])
  })

  test('shows pinholes that wait, with the time they have left', async () => {
    const { get, observer } = await startAdmin()
    const session = observer.sessionOpened({ listener: 'edge', client })
    session.pinholeOpened({
      pinhole: 1,
      from: 'client',
      expect: '203.0.113.9',
      announce: { address: '198.51.100.7', port: 30_001 },
      target: null,
      backend: 'relay',
      durationMs: 1,
    })
    const { total, pinholes } = JSON.parse((await get('/api/v1/pinholes')).body)
    expect(total).toBe(1)
    expect(pinholes).toMatchObject([
      {
        session_id: session.id,
        listener: 'edge',
        client_ip: '203.0.113.9',
        pinhole: 1,
        from: 'client',
        expected_ip: '203.0.113.9',
        announced_ip: '198.51.100.7',
        announced_port: 30_001,
        target_ip: null,
        target_port: null,
        backend: 'relay',
      },
    ])
    const [{ age_ms, expires_in_ms }] = pinholes
    expect(age_ms + expires_in_ms).toBe(60_000)
  })

  test('cuts a long list at 1000 and says how many there are', async () => {
    const { get, observer } = await startAdmin({ observer: observe({ level: 'error' }).observer })
    for (let n = 0; n < 1100; n += 1) observer.sessionOpened({ listener: 'edge', client })
    const { total, sessions } = JSON.parse((await get('/api/v1/sessions')).body)
    expect([total, sessions.length]).toEqual([1100, 1000])
  })
})
