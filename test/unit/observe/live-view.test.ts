import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { createRefusalRing } from '../../../src/observe/view/refusals.ts'
import { client, observe, server } from './fixture.ts'

describe('live sessions', () => {
  test('say what they are doing', () => {
    const { observer } = observe()
    const session = observer.sessionOpened({ listener: 'edge', client })
    const state = () => observer.sessions().items[0]?.state
    expect(state()).toBe('connecting')
    session.upstreamConnected({ server, durationMs: 1 })
    expect(state()).toBe('login')
    session.record({ type: 'login', user: 'anna', accepted: true, code: 230 })
    expect(state()).toBe('idle')
    session.pinholeOpened({
      pinhole: 1,
      from: 'client',
      expect: client.address,
      announce: server,
      target: null,
      backend: 'relay',
      durationMs: 1,
    })
    expect(state()).toBe('waiting')
    session.pinholeClosed({ pinhole: 1, backend: 'relay', reason: 'used', ageMs: 1 })
    session.dataOpened({ channel: 1, mode: 'passive', path: 'relay', setupMs: 1 })
    expect(state()).toBe('transfer')
    session.dataEnded({
      channel: 1,
      mode: 'passive',
      path: 'relay',
      uploadBytes: 0,
      downloadBytes: 0,
      durationMs: 1,
      result: 'ok',
    })
    expect(state()).toBe('idle')
    session.record({ type: 'passedThrough', kind: 'explicit' })
    expect(state()).toBe('passthrough')
    session.closed({ reason: 'quit', durationMs: 1 })
    expect(observer.sessions()).toEqual({ total: 0, items: [] })
  })

  test('have ids that differ and are easy to read aloud', () => {
    const { observer } = observe({ level: 'error' })
    const ids = Array.from({ length: 5000 }, () => observer.sessionOpened({ listener: 'edge', client }).id)
    expect(new Set(ids).size).toBe(5000)
    expect(ids.filter((id) => !/^[0-9a-hjkmnp-tv-z]{10}$/.test(id))).toEqual([])
  })

  test('a user name does not keep the chunk alive that it was read from', () => {
    const { observer } = observe({ level: 'error' })
    const used = heapAfterCollection()
    for (let n = 0; n < 200; n += 1) {
      const chunk = `USER somebody with a long name ${n}${'x'.repeat(100_000)}`
      const session = observer.sessionOpened({ listener: 'edge', client })
      session.record({ type: 'login', user: chunk.slice(5, 34), accepted: true, code: 230 })
    }
    expect((heapAfterCollection() - used) / 200).toBeLessThan(5000)
    expect(observer.sessions(1).total).toBe(200)
  })

  test('cost less than 400 bytes each while idle, everything included', () => {
    const { observer } = observe({ level: 'error' })
    const open = (count: number) => {
      for (let n = 0; n < count; n += 1) {
        const session = observer.sessionOpened({ listener: 'edge', client })
        session.upstreamConnected({ server, durationMs: 1 })
        session.record({ type: 'command', verb: 'NOOP', line: 'NOOP' })
        session.record({ type: 'login', user: 'anna', accepted: true, code: 230 })
      }
    }
    open(100)
    const used = heapAfterCollection()
    open(10_000)
    const bytes = (heapAfterCollection() - used) / 10_000
    expect(observer.sessions(1).total).toBe(10_100)
    expect(bytes).toBeGreaterThan(50)
    expect(bytes).toBeLessThan(400)
  })
})

describe('the last refusals', () => {
  test('are the last fifty, newest first', () => {
    const ring = createRefusalRing()
    for (let n = 0; n < 60; n += 1) {
      ring.add({ event: 'session.reject', reason: 'limit', client_ip: `10.0.0.${n}` })
    }
    const list = ring.list()
    expect(list).toHaveLength(50)
    expect([list[0]?.client_ip, list[49]?.client_ip]).toEqual(['10.0.0.59', '10.0.0.10'])
  })

  test('one client that does not stop cannot push the others out', () => {
    const { observer } = observe({ level: 'error' })
    observer.pinholeIntruded({ from: { address: '192.0.2.1', port: 1 }, port: 30_000, reason: 'late' })
    const session = observer.sessionOpened({ listener: 'edge', client })
    for (let n = 0; n < 1000; n += 1) {
      session.record({ type: 'refusal', verb: 'PORT', reason: 'bounce', code: 501, detail: `${n}` })
    }
    expect(observer.status().refusals).toMatchObject([
      { event: 'command.deny', reason: 'bounce', detail: '999', count: 1000, session_id: session.id },
      { event: 'pinhole.intrude', reason: 'late', client_ip: '192.0.2.1', detail: 'port 30000', count: 1 },
    ])
  })
})

/** Bytes in use after a full garbage collection. */
function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  collect()
  collect()
  return process.memoryUsage().heapUsed
}
