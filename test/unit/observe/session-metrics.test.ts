import { describe, expect, test } from 'vitest'
import { client, moved, observe, server } from './fixture.ts'

function openSession() {
  const { observer, ...rest } = observe()
  return { observer, session: observer.sessionOpened({ listener: 'edge', client }), ...rest }
}

describe('what a session reports moves its counters and no others', () => {
  test('a session opens and closes', async () => {
    const { observer } = observe()
    const opened = await moved(observer, () => observer.sessionOpened({ listener: 'edge', client }))
    expect(opened).toEqual({
      'ftp_alg_sessions_total{listener="edge"}': 1,
      'ftp_alg_sessions_active{listener="edge"}': 1,
    })
    const session = observer.sessionOpened({ listener: 'edge', client })
    const closed = await moved(observer, () => session.closed({ reason: 'idle', durationMs: 1500 }))
    expect(closed).toEqual({
      'ftp_alg_sessions_active{listener="edge"}': -1,
      'ftp_alg_sessions_closed_total{listener="edge",reason="idle"}': 1,
      'ftp_alg_session_duration_seconds_sum{listener="edge"}': 1.5,
      'ftp_alg_session_duration_seconds_count{listener="edge"}': 1,
    })
  })

  test('the upstream connects or fails', async () => {
    const { observer, session } = openSession()
    expect(await moved(observer, () => session.upstreamConnected({ server, durationMs: 2 }))).toEqual({
      'ftp_alg_upstream_connect_duration_seconds_sum{listener="edge"}': 0.002,
      'ftp_alg_upstream_connect_duration_seconds_count{listener="edge"}': 1,
    })
    const fail = () =>
      session.upstreamFailed({ server: 'ftp.internal', reason: 'resolve', detail: 'ENOTFOUND' })
    expect(await moved(observer, fail)).toEqual({
      'ftp_alg_upstream_connect_failures_total{listener="edge",reason="resolve"}': 1,
      'ftp_alg_upstream_failing_servers{listener="edge"}': 1,
    })
  })

  test('a forgotten translation is restored or lost', async () => {
    const { observer, session } = openSession()
    const name = 'ftp_alg_translations_forgotten_total'
    for (const [isRestored, result] of [
      [true, 'restored'],
      [false, 'lost'],
    ] as const) {
      expect(await moved(observer, () => session.translationForgotten({ isRestored }))).toEqual({
        [`${name}{listener="edge",result="${result}"}`]: 1,
      })
    }
  })

  test('control bytes are counted by direction', async () => {
    const { observer, session } = openSession()
    const change = await moved(observer, () => {
      session.controlBytes({ from: 'client', count: 6 })
      session.controlBytes({ from: 'server', count: 40 })
      session.controlBytes({ from: 'server', count: 2 })
    })
    expect(change).toEqual({
      'ftp_alg_control_bytes_total{listener="edge",direction="client_to_server"}': 6,
      'ftp_alg_control_bytes_total{listener="edge",direction="server_to_client"}': 42,
    })
  })

  test('commands, replies and logins', async () => {
    const { observer, session } = openSession()
    const change = await moved(observer, () => {
      session.record({ type: 'command', verb: 'RETR', line: 'RETR a' })
      session.record({ type: 'command', verb: 'OTHER', line: 'XYZZY' })
      session.record({ type: 'reply', code: 550, line: '550 no' })
      session.record({ type: 'reply', code: 631, line: '631 protected' })
      session.record({ type: 'reply', code: 42, line: '42' })
      session.record({ type: 'login', user: 'anna', accepted: true, code: 230 })
      session.record({ type: 'login', user: 'anna', accepted: false, code: 530 })
    })
    expect(change).toEqual({
      // The first of them is the greeting.
      'ftp_alg_upstream_rejections_total{listener="edge"}': 1,
      'ftp_alg_commands_total{listener="edge",command="RETR"}': 1,
      'ftp_alg_commands_total{listener="edge",command="other"}': 1,
      'ftp_alg_replies_total{listener="edge",code_class="5xx"}': 1,
      'ftp_alg_replies_total{listener="edge",code_class="6xx"}': 1,
      'ftp_alg_replies_total{listener="edge",code_class="invalid"}': 1,
      'ftp_alg_logins_total{listener="edge",result="accepted"}': 1,
      'ftp_alg_logins_total{listener="edge",result="refused"}': 1,
    })
  })

  test('rewrites, conversions and protocol errors', async () => {
    const { observer, session } = openSession()
    const change = await moved(observer, () => {
      session.record({ type: 'rewrite', kind: 'pasv_227', from: server, to: client })
      session.record({ type: 'conversion', from: 'active', to: 'passive' })
      session.record({ type: 'protocolError', side: 'server', reason: 'bad_reply', detail: 'hello' })
    })
    expect(change).toEqual({
      'ftp_alg_rewrites_total{listener="edge",kind="pasv_227"}': 1,
      'ftp_alg_mode_conversions_total{listener="edge",from="active",to="passive"}': 1,
      'ftp_alg_protocol_errors_total{listener="edge",side="server",reason="bad_reply"}': 1,
    })
  })

  test('a refused endpoint is a denied command and a rewrite that failed', async () => {
    const { observer, session } = openSession()
    const refuse = () =>
      session.record({ type: 'refusal', verb: 'PORT', reason: 'bounce', code: 501, detail: '10.0.0.9:21' })
    expect(await moved(observer, refuse)).toEqual({
      'ftp_alg_commands_denied_total{listener="edge",command="PORT",reason="bounce"}': 1,
      'ftp_alg_rewrite_failures_total{listener="edge",kind="port",reason="bounce"}': 1,
    })
  })

  test('a refused transfer is a denied command only, and a verb that no reason lists is other', async () => {
    const { observer, session } = openSession()
    const change = await moved(observer, () => {
      session.record({ type: 'refusal', verb: 'RETR', reason: 'data_failed', code: 425, detail: '' })
      session.record({ type: 'refusal', verb: 'NOOP', reason: 'syntax', code: 500, detail: '' })
    })
    expect(change).toEqual({
      'ftp_alg_commands_denied_total{listener="edge",command="RETR",reason="data_failed"}': 1,
      'ftp_alg_commands_denied_total{listener="edge",command="other",reason="syntax"}': 1,
    })
  })

  test('a pinhole opens and is used', async () => {
    const { observer, session } = openSession()
    const opened = await moved(observer, () => session.pinholeOpened(pinhole()))
    expect(opened).toEqual({
      'ftp_alg_pinholes_opened_total{listener="edge",backend="nftables"}': 1,
      'ftp_alg_pinholes_active{listener="edge",backend="nftables"}': 1,
      'ftp_alg_pinhole_open_duration_seconds_sum{backend="nftables"}': 0.0001,
      'ftp_alg_pinhole_open_duration_seconds_count{backend="nftables"}': 1,
    })
    const close = () => session.pinholeClosed({ pinhole: 1, backend: 'nftables', reason: 'used', ageMs: 12 })
    expect(await moved(observer, close)).toEqual({
      'ftp_alg_pinholes_closed_total{listener="edge",backend="nftables",reason="used"}': 1,
      'ftp_alg_pinholes_active{listener="edge",backend="nftables"}': -1,
      'ftp_alg_pinhole_wait_seconds_sum{backend="nftables"}': 0.012,
      'ftp_alg_pinhole_wait_seconds_count{backend="nftables"}': 1,
    })
  })

  test('a pinhole that nobody used says nothing about waiting', async () => {
    const { observer, session } = openSession()
    session.pinholeOpened(pinhole())
    const close = () =>
      session.pinholeClosed({ pinhole: 1, backend: 'nftables', reason: 'expired', ageMs: 60_000 })
    expect(await moved(observer, close)).toEqual({
      'ftp_alg_pinholes_closed_total{listener="edge",backend="nftables",reason="expired"}': 1,
      'ftp_alg_data_failing_clients{listener="edge"}': 1,
      'ftp_alg_pinholes_active{listener="edge",backend="nftables"}': -1,
    })
  })

  test('a pinhole that could not be opened', async () => {
    const { observer, session } = openSession()
    const fail = () => session.pinholeFailed({ pinhole: 1, reason: 'exhausted', detail: '10 ports' })
    expect(await moved(observer, fail)).toEqual({
      'ftp_alg_pinhole_failures_total{listener="edge",reason="exhausted"}': 1,
    })
  })

  test('a data channel opens, moves bytes and ends; the transfer counts when the server has replied', async () => {
    const { observer, session } = openSession()
    const opened = await moved(observer, () =>
      session.dataOpened({ channel: 1, mode: 'passive', path: 'relay', setupMs: 5 }),
    )
    expect(opened).toEqual({
      'ftp_alg_data_connections_active{listener="edge",mode="passive",path="relay"}': 1,
      'ftp_alg_data_connection_setup_seconds_sum{mode="passive"}': 0.005,
      'ftp_alg_data_connection_setup_seconds_count{mode="passive"}': 1,
    })
    const bytes = await moved(observer, () => {
      session.dataBytes({ direction: 'download', path: 'relay', count: 65_536 })
      session.dataBytes({ direction: 'download', path: 'relay', count: 4 })
      session.dataBytes({ direction: 'upload', path: 'kernel', count: 7 })
    })
    expect(bytes).toEqual({
      'ftp_alg_data_bytes_total{listener="edge",direction="download",path="relay"}': 65_540,
      'ftp_alg_data_bytes_total{listener="edge",direction="upload",path="kernel"}': 7,
    })
    const ended = await moved(observer, () => session.dataEnded(dataEnd({ channel: 1, result: 'ok' })))
    expect(ended).toEqual({
      'ftp_alg_data_connections_total{listener="edge",mode="passive",result="ok"}': 1,
      'ftp_alg_data_connections_active{listener="edge",mode="passive",path="relay"}': -1,
    })
    const replied = await moved(observer, () =>
      session.record({ type: 'transfer', verb: 'RETR', path: 'a.bin', code: 226, channel: 1 }),
    )
    expect(replied).toEqual({
      'ftp_alg_transfers_total{listener="edge",command="RETR",result="ok"}': 1,
      'ftp_alg_transfer_duration_seconds_sum{direction="download"}': 0.25,
      'ftp_alg_transfer_duration_seconds_count{direction="download"}': 1,
    })
  })

  test('a reset data channel makes a reset transfer, whatever the server said', async () => {
    const { observer, session } = openSession()
    session.dataOpened({ channel: 3, mode: 'active', path: 'relay', setupMs: 1 })
    const change = await moved(observer, () => {
      session.record({ type: 'transfer', verb: 'STOR', path: 'a.bin', code: 226, channel: 3 })
      session.dataEnded({ ...dataEnd({ channel: 3, result: 'reset' }), mode: 'active' })
    })
    expect(change).toMatchObject({
      'ftp_alg_data_connections_total{listener="edge",mode="active",result="reset"}': 1,
      'ftp_alg_transfers_total{listener="edge",command="STOR",result="reset"}': 1,
      'ftp_alg_transfer_duration_seconds_count{direction="upload"}': 1,
    })
  })

  test('a data channel that no command used is no transfer: the file does not exist, or the client leaves', async () => {
    const { observer, session, linesOf } = openSession()
    const change = await moved(observer, () => {
      session.dataOpened({ channel: 1, mode: 'passive', path: 'relay', setupMs: 1 })
      session.record({ type: 'command', verb: 'RETR', line: 'RETR none.bin' })
      session.record({ type: 'transfer', verb: 'RETR', path: 'none.bin', code: 550, channel: null })
      const empty = { uploadBytes: 0, downloadBytes: 0 }
      session.dataEnded({ ...dataEnd({ channel: 1, result: 'reset' }), ...empty })
      session.dataOpened({ channel: 2, mode: 'passive', path: 'relay', setupMs: 1 })
      session.dataEnded({ ...dataEnd({ channel: 2, result: 'reset' }), ...empty })
      session.closed({ reason: 'quit', durationMs: 1 })
    })
    const transfers = Object.entries(change).filter(([series]) =>
      series.startsWith('ftp_alg_transfers_total'),
    )
    expect(transfers).toEqual([
      ['ftp_alg_transfers_total{listener="edge",command="RETR",result="failed"}', 1],
    ])
    expect(linesOf('transfer')).toHaveLength(1)
    expect(linesOf('session.close')).toMatchObject([{ transfers: 1 }])
  })

  test('a leg that could not be made', async () => {
    const { observer, session } = openSession()
    const fail = () => session.dataFailed({ channel: 1, mode: 'active', side: 'client', reason: 'refused' })
    expect(await moved(observer, fail)).toEqual({
      'ftp_alg_data_connections_total{listener="edge",mode="active",result="failed"}': 1,
      'ftp_alg_data_connection_failures_total{listener="edge",mode="active",side="client",reason="refused"}': 1,
      'ftp_alg_data_failing_clients{listener="edge"}': 1,
    })
  })

  test('a defect of ours', async () => {
    const { observer, session } = openSession()
    expect(await moved(observer, () => session.failed(new Error('boom')))).toEqual({
      'ftp_alg_session_defects_total{listener="edge"}': 1,
    })
  })
})

describe('gauges come back to zero', () => {
  test('closing a session takes its pinholes and data channels with it', async () => {
    const { observer, session } = openSession()
    session.pinholeOpened(pinhole())
    session.dataOpened({ channel: 1, mode: 'passive', path: 'kernel', setupMs: 1 })
    session.closed({ reason: 'client', durationMs: 10 })
    const { listeners } = observer.status()
    expect(listeners[0]).toMatchObject({ sessions_active: 0, pinholes_active: 0, data_connections_active: 0 })
  })

  test('saying something twice counts once where a gauge is concerned', async () => {
    const { observer, session } = openSession()
    session.pinholeOpened(pinhole())
    const closed = { pinhole: 1, backend: 'nftables', reason: 'replaced', ageMs: 1 } as const
    session.pinholeClosed(closed)
    session.pinholeClosed(closed)
    session.dataOpened({ channel: 1, mode: 'passive', path: 'relay', setupMs: 1 })
    session.dataEnded(dataEnd({ channel: 1, result: 'ok' }))
    session.dataEnded(dataEnd({ channel: 1, result: 'ok' }))
    session.closed({ reason: 'quit', durationMs: 1 })
    session.closed({ reason: 'error', durationMs: 1 })
    const { listeners } = observer.status()
    expect(listeners[0]).toMatchObject({ sessions_active: 0, pinholes_active: 0, data_connections_active: 0 })
    expect(observer.sessions().total).toBe(0)
  })

  test('a session that never names its transfers keeps no more than eight data channels', () => {
    const { observer, session, linesOf } = openSession()
    for (let channel = 1; channel <= 20; channel += 1) {
      session.dataOpened({ channel, mode: 'passive', path: 'relay', setupMs: 1 })
      session.dataEnded(dataEnd({ channel, result: 'ok' }))
    }
    expect(linesOf('transfer')).toHaveLength(12)
    session.closed({ reason: 'client', durationMs: 1 })
    expect(linesOf('transfer')).toHaveLength(20)
    expect(observer.status().listeners[0]?.data_connections_active).toBe(0)
  })
})

function pinhole() {
  return {
    pinhole: 1,
    from: 'client',
    expect: client.address,
    announce: { address: '198.51.100.7', port: 30_001 },
    target: { address: '10.0.0.5', port: 5001 },
    backend: 'nftables',
    durationMs: 0.1,
  } as const
}

function dataEnd({ channel, result }: { readonly channel: number; readonly result: 'ok' | 'reset' }) {
  return {
    channel,
    mode: 'passive',
    path: 'relay',
    uploadBytes: 0,
    downloadBytes: 65_540,
    durationMs: 250,
    result,
  } as const
}
