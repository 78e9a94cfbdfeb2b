import { describe, expect, test } from 'vitest'
import { AlgError } from '../../../src/errors.ts'
import type { Observed } from './fixture.ts'
import { client, observe, server } from './fixture.ts'

function openSession(observed: Observed = observe()) {
  const session = observed.observer.sessionOpened({ listener: 'edge', client })
  const common = { session_id: session.id, listener: 'edge', client_ip: '203.0.113.9' }
  return { ...observed, session, common }
}

/** A passive download of a file, as an ordinary client makes it. */
function download({ session }: ReturnType<typeof openSession>): void {
  session.upstreamConnected({ server, durationMs: 1.23456 })
  session.record({ type: 'command', verb: 'USER', line: 'USER anna' })
  session.record({ type: 'reply', code: 230, line: '230 welcome' })
  session.record({ type: 'login', user: 'anna', accepted: true, code: 230 })
  session.record({ type: 'command', verb: 'PASV', line: 'PASV' })
  session.pinholeOpened({
    pinhole: 1,
    from: 'client',
    expect: client.address,
    announce: { address: '198.51.100.7', port: 30_001 },
    target: { address: '10.0.0.5', port: 5001 },
    backend: 'relay',
    durationMs: 0.0504,
  })
  session.record({
    type: 'rewrite',
    kind: 'pasv_227',
    from: { address: '10.0.0.5', port: 5001 },
    to: { address: '198.51.100.7', port: 30_001 },
  })
  session.record({ type: 'command', verb: 'RETR', line: 'RETR /pub/a.bin' })
  session.pinholeClosed({ pinhole: 1, backend: 'relay', reason: 'used', ageMs: 12.5 })
  session.dataOpened({ channel: 1, mode: 'passive', path: 'relay', setupMs: 14 })
  session.dataBytes({ direction: 'download', path: 'relay', count: 65_536 })
  session.record({ type: 'transfer', verb: 'RETR', path: '/pub/a.bin', code: 226, channel: 1 })
  session.dataEnded({
    channel: 1,
    mode: 'passive',
    path: 'relay',
    uploadBytes: 0,
    downloadBytes: 65_536,
    durationMs: 250,
    result: 'ok',
  })
  session.closed({ reason: 'quit', durationMs: 900 })
}

describe('the lines of a session', () => {
  test('at level info a download is five lines', () => {
    const opened = openSession(observe({ level: 'info' }))
    download(opened)
    const { common, lines } = opened
    const info = { level: 'info', ...common }
    expect(lines().map(({ time: _time, ...line }) => line)).toEqual([
      { ...info, event: 'session.open', message: 'session opened', client_port: 40001 },
      {
        ...info,
        event: 'pinhole.open',
        message: 'pinhole opened',
        pinhole: 1,
        from: 'client',
        expected_ip: '203.0.113.9',
        announced_ip: '198.51.100.7',
        announced_port: 30_001,
        target_ip: '10.0.0.5',
        target_port: 5001,
        backend: 'relay',
        duration_ms: 0.05,
      },
      {
        ...info,
        event: 'pinhole.close',
        message: 'pinhole closed',
        pinhole: 1,
        backend: 'relay',
        reason: 'used',
        age_ms: 12.5,
      },
      {
        ...info,
        event: 'transfer',
        message: 'transfer over',
        user: 'anna',
        command: 'RETR',
        file: '/pub/a.bin',
        direction: 'download',
        mode: 'passive',
        path: 'relay',
        bytes: 65_536,
        duration_ms: 250,
        result: 'ok',
        reply_code: 226,
      },
      {
        ...info,
        event: 'session.close',
        message: 'session closed',
        server_ip: '10.0.0.5',
        server_port: 21,
        user: 'anna',
        reason: 'quit',
        duration_ms: 900,
        upload_bytes: 0,
        download_bytes: 65_536,
        transfers: 1,
        refusals: 0,
      },
    ])
  })

  test('time is ISO 8601 in UTC, and every line carries session, listener and client', () => {
    const opened = openSession()
    download(opened)
    const lines = opened.lines()
    expect(lines.length).toBeGreaterThan(10)
    for (const line of lines) {
      expect(line).toMatchObject(opened.common)
      expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    }
  })

  test('at level debug the control channel and its rewriting can be read along', () => {
    const opened = openSession()
    download(opened)
    const { common, linesOf } = opened
    expect(linesOf('upstream.connect')).toEqual([
      {
        level: 'debug',
        ...common,
        event: 'upstream.connect',
        message: 'connected to the server',
        server_ip: '10.0.0.5',
        server_port: 21,
        duration_ms: 1.235,
      },
    ])
    expect(linesOf('command').map(({ command, line }) => [command, line])).toEqual([
      ['USER', 'USER anna'],
      ['PASV', 'PASV'],
      ['RETR', 'RETR /pub/a.bin'],
    ])
    expect(linesOf('reply')).toMatchObject([{ reply_code: 230, line: '230 welcome' }])
    expect(linesOf('login.accept')).toMatchObject([{ user: 'anna', reply_code: 230 }])
    expect(linesOf('rewrite')).toMatchObject([
      {
        kind: 'pasv_227',
        original_ip: '10.0.0.5',
        original_port: 5001,
        announced_ip: '198.51.100.7',
        announced_port: 30_001,
      },
    ])
    expect(linesOf('data.open')).toMatchObject([
      { channel: 1, mode: 'passive', path: 'relay', duration_ms: 14 },
    ])
  })

  test('the transfer line waits for a data channel that is noticed after the reply', () => {
    const { session, linesOf } = openSession()
    session.record({ type: 'transfer', verb: 'STOR', path: 'up.bin', code: 226, channel: 4 })
    expect(linesOf('transfer')).toEqual([])
    session.dataOpened({ channel: 4, mode: 'active', path: 'kernel', setupMs: 1 })
    session.dataEnded({
      channel: 4,
      mode: 'active',
      path: 'kernel',
      uploadBytes: 99,
      downloadBytes: 3,
      durationMs: 7,
      result: 'ok',
    })
    expect(linesOf('transfer')).toMatchObject([
      { command: 'STOR', direction: 'upload', mode: 'active', path: 'kernel', bytes: 99, result: 'ok' },
    ])
    session.closed({ reason: 'quit', durationMs: 1 })
    expect(linesOf('transfer')).toHaveLength(1)
  })

  test('a transfer that the server refused has no data channel to wait for', () => {
    const { session, linesOf } = openSession()
    session.record({ type: 'transfer', verb: 'RETR', path: 'none', code: 550, channel: 1 })
    session.record({ type: 'transfer', verb: 'LIST', path: '', code: 226, channel: null })
    expect(linesOf('transfer')).toMatchObject([
      { command: 'RETR', file: 'none', result: 'failed', reply_code: 550, bytes: 0 },
      { command: 'LIST', result: 'ok', reply_code: 226 },
    ])
    expect(linesOf('transfer')[1]).not.toHaveProperty('file')
  })
})

describe('what goes wrong', () => {
  test('is a warning where a peer or the policy is the cause', () => {
    const { session, observer, linesOf, common } = openSession()
    session.record({
      type: 'refusal',
      verb: 'PORT',
      reason: 'bounce',
      code: 501,
      detail: 'PORT 10,0,0,9,0,21',
    })
    session.record({ type: 'protocolError', side: 'server', reason: 'bad_reply', detail: 'hello' })
    session.upstreamFailed({ server: 'ftp.internal:21', reason: 'refused', detail: 'ECONNREFUSED' })
    session.dataFailed({ channel: 2, mode: 'active', side: 'client', reason: 'timeout' })
    session.pinholeFailed({ pinhole: 1, reason: 'share', detail: '5 of 5' })
    observer.sessionRejected({ listener: 'edge', client, reason: 'limit' })
    observer.pinholeIntruded({ from: client, port: 30_001, reason: 'wrong_peer' })
    const warn = { level: 'warn', ...common }
    expect(linesOf('command.deny')).toEqual([
      {
        ...warn,
        event: 'command.deny',
        message: 'command denied',
        command: 'PORT',
        reason: 'bounce',
        reply_code: 501,
        detail: 'PORT 10,0,0,9,0,21',
      },
    ])
    expect(linesOf('protocol.error')).toMatchObject([
      { ...warn, side: 'server', reason: 'bad_reply', detail: 'hello' },
    ])
    expect(linesOf('upstream.fail')).toMatchObject([
      { ...warn, server: 'ftp.internal:21', reason: 'refused' },
    ])
    expect(linesOf('data.fail')).toMatchObject([{ ...warn, channel: 2, side: 'client', reason: 'timeout' }])
    expect(linesOf('pinhole.refuse')).toMatchObject([
      { ...warn, pinhole: 1, reason: 'share', detail: '5 of 5' },
    ])
    const stranger = { level: 'warn', client_ip: '203.0.113.9', client_port: 40_001 }
    expect(linesOf('session.reject')).toMatchObject([{ ...stranger, listener: 'edge', reason: 'limit' }])
    expect(linesOf('pinhole.intrude')).toMatchObject([
      { ...stranger, data_port: 30_001, reason: 'wrong_peer' },
    ])
  })

  test('is an error where the operator must act', () => {
    const { session, linesOf, common } = openSession()
    session.pinholeFailed({ pinhole: 1, reason: 'backend', detail: 'nft: no such table' })
    const cause = new Error('EPERM')
    session.failed(new AlgError('PINHOLE_FAILED', 'cannot add', { context: { table: 'ftp_alg' }, cause }))
    session.failed('not even an error')
    expect(linesOf('pinhole.fail')).toMatchObject([{ level: 'error', ...common, reason: 'backend' }])
    const [first, second] = linesOf('session.fail')
    expect(first).toMatchObject({
      level: 'error',
      ...common,
      table: 'ftp_alg',
      error: { type: 'AlgError', code: 'PINHOLE_FAILED', message: 'cannot add: EPERM' },
    })
    expect(first?.error).toHaveProperty('stack', expect.stringContaining('session-log.test.ts'))
    expect(second).toMatchObject({ error: { type: 'string', message: 'not even an error' } })
  })

  test('a refused login is said at level info, with the address that fail2ban needs', () => {
    const { session, linesOf, common } = openSession(observe({ level: 'info' }))
    session.record({ type: 'login', user: 'root', accepted: false, code: 530 })
    expect(linesOf('login.refuse')).toEqual([
      {
        level: 'info',
        ...common,
        event: 'login.refuse',
        message: 'login refused by the server',
        user: 'root',
        reply_code: 530,
      },
    ])
  })
})

describe('what peers write', () => {
  test('control characters stay escaped inside one line of JSON', () => {
    const texts: string[] = []
    const { session, lines } = openSession()
    session.record({ type: 'command', verb: 'OTHER', line: 'X\r\n{"level":"info"}\x1b[31m\x00' })
    for (const line of lines()) texts.push(JSON.stringify(line))
    expect(lines().at(-1)).toMatchObject({ event: 'command', line: 'X\r\n{"level":"info"}\x1b[31m\x00' })
    expect(texts.join('')).not.toMatch(/[\x00-\x1f\x7f]/)
  })

  test('long values are cut to 256 characters', () => {
    const { session, linesOf } = openSession()
    session.record({ type: 'command', verb: 'CWD', line: `CWD ${'a'.repeat(4000)}` })
    session.record({ type: 'reply', code: 250, line: `250 ${'b'.repeat(4000)}` })
    session.record({ type: 'transfer', verb: 'RETR', path: 'c'.repeat(4000), code: 550, channel: null })
    for (const [event, field] of [
      ['command', 'line'],
      ['reply', 'line'],
      ['transfer', 'file'],
    ] as const) {
      expect(linesOf(event)[0]?.[field]).toMatch(/^.{255}…$/)
    }
  })

  test('a password is not in the log even if the engine forgot to mask it', () => {
    const { session, linesOf } = openSession()
    session.record({ type: 'command', verb: 'PASS', line: 'PASS hunter2' })
    expect(linesOf('command')).toMatchObject([{ command: 'PASS', line: 'PASS ***' }])
  })
})

describe('levels', () => {
  test('at level warn a good session says nothing', () => {
    const opened = openSession(observe({ level: 'warn' }))
    download(opened)
    expect(opened.lines()).toEqual([])
  })

  test('the level can be changed while running, for sessions that are open too', () => {
    const { session, observer, lines } = openSession(observe({ level: 'warn' }))
    observer.setLogLevel('debug')
    session.record({ type: 'command', verb: 'NOOP', line: 'NOOP' })
    observer.setLogLevel('error')
    session.record({ type: 'command', verb: 'NOOP', line: 'NOOP' })
    expect(lines().map(({ event }) => event)).toEqual(['command'])
  })
})

describe('events of the process', () => {
  test('have their own fields, made presentable', () => {
    const { observer, lines } = observe()
    observer.listenerStarted({ listener: 'edge', at: { address: '::', port: 2121 }, sessionLimit: 5 })
    observer.draining()
    observer.configReloaded(null)
    observer.configReloaded(new AlgError('CONFIG_INVALID', 'c.yaml:3:11 dataPorts: too big'))
    observer.log('process.start', {
      version: '1.2.3',
      level: 'mine',
      file: 'x'.repeat(300),
    })
    observer.log('listener.recover')
    expect(lines().map(({ time: _time, error: _error, ...line }) => line)).toEqual([
      {
        level: 'info',
        event: 'listener.start',
        message: 'listening',
        listener: 'edge',
        address: '::',
        port: 2121,
        session_limit: 5,
      },
      { level: 'info', event: 'drain.start', message: 'draining: no new sessions', sessions: 0 },
      { level: 'info', event: 'config.reload', message: 'configuration reloaded' },
      { level: 'error', event: 'config.refuse', message: 'configuration refused, the old one stays' },
      {
        level: 'info',
        event: 'process.start',
        message: 'ftp-alg is running',
        version: '1.2.3',
        file: `${'x'.repeat(255)}…`,
      },
      { level: 'info', event: 'listener.recover', message: 'connections are accepted again' },
    ])
    expect(lines()[3]?.error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'c.yaml:3:11 dataPorts: too big',
    })
  })
})
