import { describe, expect, it, test, vi } from 'vitest'
import type { PoolConfig, PoolServerConfig } from '../../../../../src/config/config.ts'
import { Pool } from '../../../../../src/net/upstream/pool/pool.ts'
import type { PoolServer } from '../../../../../src/net/upstream/pool/pool-server.ts'

const health = { intervalMs: 10_000, timeoutMs: 5_000, expect: 'greeting', rise: 2, fall: 3 } as const
const server = (host: string, changes: Partial<PoolServerConfig> = {}): PoolServerConfig => {
  return { host, port: 21, weight: 1, backup: false, maxSessions: null, ...changes }
}

function poolOf(servers: readonly PoolServerConfig[], changes: Partial<PoolConfig> = {}) {
  const config: PoolConfig = {
    name: 'files',
    servers,
    balance: 'first',
    health: null,
    proxyProtocol: 'off',
    via: null,
    ...changes,
  }
  const changed: string[] = []
  const pool = new Pool(config, {
    changed: ({ server: name, address, isUp, why }) => {
      changed.push(`${name}${address === null ? '' : ` ${address}`} ${isUp ? 'up' : 'down'}: ${why}`)
    },
  })
  const pick = (client = '192.0.2.1', tried: readonly PoolServer[] = []) => pool.pick(client, new Set(tried))
  const get = (name: string) => {
    const found = pool.servers.find((each) => each.host === name)
    if (found === undefined) throw new Error(`no server ${name}`)
    return found
  }
  return { pool, config, changed, pick, get }
}

describe('balance', () => {
  test('first takes the first that can be had, in the order of the file', () => {
    const { pick, get } = poolOf([server('a'), server('b')])
    expect([pick()?.host, pick('192.0.2.1', [get('a')])?.host]).toEqual(['a', 'b'])
    expect(pick('192.0.2.1', [get('a'), get('b')])).toBe(null)
  })

  test('roundRobin goes by weight, and spreads the turns', () => {
    const { pick } = poolOf([server('a', { weight: 3 }), server('b')], { balance: 'roundRobin' })
    const turns = Array.from({ length: 8 }, (_, index) => pick(`192.0.2.${index}`)?.host)
    expect(turns.join('')).toBe('aabaaaba')
  })

  test('leastSessions goes by sessions for each weight', () => {
    const { pool, pick } = poolOf([server('a'), server('b', { weight: 2 })], { balance: 'leastSessions' })
    const hosts = Array.from({ length: 9 }, (_, index) => {
      const client = `192.0.2.${index}`
      const chosen = pick(client)
      if (chosen !== null) pool.sessionBegan(chosen, client)
      return chosen?.host
    })
    expect(hosts.filter((host) => host === 'b')).toHaveLength(6)
  })

  test('clientHash keeps a client with its server, and moves only those of one that goes', () => {
    const servers = ['a', 'b', 'c', 'd'].map((name) => server(name))
    const { pool, pick, config } = poolOf(servers, { balance: 'clientHash' })
    const clients = Array.from({ length: 400 }, (_, index) => `192.0.${index >> 8}.${index & 255}`)
    const before = clients.map((client) => pick(client)?.host)
    for (const name of ['a', 'b', 'c', 'd']) {
      expect(before.filter((host) => host === name).length).toBeGreaterThan(60)
    }
    pool.configure({ ...config, servers: servers.slice(0, 3) })
    const after = clients.map((client) => pick(client)?.host)
    for (const [index, host] of before.entries()) if (host !== 'd') expect(after[index]).toBe(host)
  })
})

test('a client with a session gets the same server for its next one, whatever the balance', () => {
  const { pool, pick, get } = poolOf([server('a'), server('b')], { balance: 'roundRobin' })
  const over = pool.sessionBegan(get('b'), '192.0.2.1')
  for (let index = 0; index < 4; index += 1) expect(pick('192.0.2.1')?.host).toBe('b')
  over()
  over()
  expect(get('b').sessions).toBe(0)
  expect(new Set([pick('192.0.2.1')?.host, pick('192.0.2.1')?.host]).size).toBe(2)
})

test('a full server gets no more, and a backup serves only while no other can', () => {
  const { pool, pick, get } = poolOf([server('spare', { backup: true }), server('a', { maxSessions: 1 })])
  expect(pick()?.host).toBe('a')
  const over = pool.sessionBegan(get('a'), '192.0.2.2')
  expect(pick()?.host).toBe('spare')
  over()
  expect(pick()?.host).toBe('a')
  expect(pool.isAvailable).toBe(true)
})

describe('without checks', () => {
  it('leaves a server that failed alone for ten seconds, unless no other is left', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    try {
      const { pool, pick, get, changed } = poolOf([server('a'), server('b')])
      pool.failed(get('a'), 'refused')
      expect(pick()?.host).toBe('b')
      pool.failed(get('b'), 'timeout')
      expect(pool.isAvailable).toBe(false)
      expect(pick()?.host).toBe('a')
      pool.served(get('b'))
      vi.advanceTimersByTime(10_001)
      expect(pick()?.host).toBe('a')
      pool.served(get('a'))
      expect(changed).toEqual([
        'a:21 down: refused',
        'b:21 down: timeout',
        'b:21 up: it greets again',
        'a:21 up: it greets again',
      ])
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('with checks', () => {
  it('takes a server down after so many that fail in a row, and up after so many that go well', () => {
    const { pool, get, changed } = poolOf([server('a')], { health })
    for (const problem of ['x', 'x', null, 'x', 'x']) pool.checked(get('a'), problem)
    expect(changed).toEqual([])
    pool.checked(get('a'), 'no greeting')
    for (const problem of [null, 'x', null]) pool.checked(get('a'), problem)
    expect(changed).toEqual(['a:21 down: no greeting'])
    pool.checked(get('a'), null)
    expect(changed).toEqual(['a:21 down: no greeting', 'a:21 up: 2 checks went well'])
  })

  it('believes a client’s failure at once, and nothing but checks afterwards', () => {
    const { pool, pick, get } = poolOf([server('a'), server('b')], { health })
    pool.failed(get('a'), 'refused')
    pool.served(get('a'))
    expect(pick()?.host).toBe('b')
    expect(pool.use).toMatchObject([{ isUp: false, failures: 1 }, { isUp: true }])
  })
})

describe('a server that came back, with slowStart', () => {
  const slow = { health, slowStartMs: 30_000 }

  it.each([
    // Of 30 clients in each third of the time and after it, as many beside another server of weight 1; those of one third stay.
    ['roundRobin', [4, 10, 14, 15]],
    ['leastSessions', [7, 12, 14, 15]],
  ] as const)('gets a share that grows to its weight: %s', (balance, shares) => {
    vi.useFakeTimers({ toFake: ['performance'] })
    try {
      const { pool, get } = poolOf([server('a'), server('b')], { ...slow, balance })
      pool.failed(get('a'), 'refused')
      for (const problem of [null, null]) pool.checked(get('a'), problem)
      const counted = shares.map(() => {
        let own = 0
        const over = Array.from({ length: 30 }, (_, index) => {
          const client = `192.0.2.${index}`
          const chosen = pool.pick(client, new Set())
          if (chosen === null) throw new Error('no server')
          if (chosen === get('a')) own += 1
          vi.advanceTimersByTime(333)
          return pool.sessionBegan(chosen, client)
        })
        for (const end of over) end()
        return own
      })
      for (const [index, share] of shares.entries()) {
        expect(Math.abs((counted[index] ?? 0) - share), `${balance}: ${counted}`).toBeLessThanOrEqual(1)
      }
    } finally {
      vi.useRealTimers()
    }
  })

  it('keeps its clients, and serves at once where no other is left; without a failure there is no start', () => {
    const { pool, pick, get } = poolOf([server('a'), server('b')], { ...slow, balance: 'roundRobin' })
    expect(get('a').weight).toBe(1)
    const over = pool.sessionBegan(get('a'), '192.0.2.1')
    pool.failed(get('a'), 'refused')
    for (const problem of [null, null]) pool.checked(get('a'), problem)
    expect(get('a').weight).toBeLessThan(0.1)
    expect(pick('192.0.2.1')?.host).toBe('a')
    over()
    expect(pick('192.0.2.2', [get('b')])?.host).toBe('a')
  })
})

describe('a name with several addresses', () => {
  const at = (address: string, tier = 0) => ({ host: 'pods', address, port: 21, weight: 1, tier })
  const [one, two, three] = [at('192.0.2.1'), at('192.0.2.2'), at('192.0.2.3')]

  it('is several servers, each with a state of its own, under one name in figures', () => {
    const pods = server('pods', { maxSessions: 1 })
    const { pool, changed } = poolOf([pods], { balance: 'roundRobin' })
    expect(pool.servers.map(({ target }) => target.host)).toEqual(['pods'])
    pool.moved(pods, [one, two])
    const [first, second] = pool.servers
    if (first === undefined || second === undefined) throw new Error('no servers')
    pool.failed(first, 'refused')
    expect(pool.use).toMatchObject([{ server: 'pods:21', isUp: true, failures: 1 }])
    expect(pool.pick('198.51.100.1', new Set())).toBe(second)
    pool.sessionBegan(second, '198.51.100.1')
    expect(pool.pick('198.51.100.2', new Set())).toBe(first)
    pool.failed(second, 'refused')
    expect(pool.use).toMatchObject([{ isUp: false, sessions: 1, failures: 2 }])
    expect(changed).toEqual(['pods:21 192.0.2.1 down: refused', 'pods:21 192.0.2.2 down: refused'])
  })

  it('gives a server that goes no more sessions, counts those that go on, and knows one that comes back', () => {
    const pods = server('pods')
    const { pool, pick } = poolOf([pods])
    pool.moved(pods, [one, two])
    const [gone] = pool.servers
    if (gone === undefined) throw new Error('no server')
    const over = pool.sessionBegan(gone, '198.51.100.1')
    pool.failed(gone, 'refused')
    pool.moved(pods, [two, three])
    expect(pick('198.51.100.1')?.target.host).toBe('192.0.2.2')
    expect(pool.use).toMatchObject([{ sessions: 1, failures: 1 }])
    pool.moved(pods, [one, two])
    expect(pool.servers[0]).toBe(gone)
    pool.moved(pods, [two])
    over()
    // It is forgotten now; what it failed is not.
    expect(pool.use).toMatchObject([{ sessions: 0, failures: 1 }])
    pool.moved(pods, [one, two])
    expect(pool.servers[0]).not.toBe(gone)
    expect(pool.use).toMatchObject([{ failures: 1 }])
  })

  it('serves by the family that the system prefers, by the other while none can, and by the client’s where that must be', () => {
    const pods = server('pods')
    const { pool, pick } = poolOf([pods, server('spare', { backup: true })])
    pool.moved(pods, [at('2001:db8::1'), at('192.0.2.1', 0.5)])
    const [six, four] = pool.servers
    if (six === undefined || four === undefined) throw new Error('no servers')
    expect(pick()).toBe(six)
    expect(pool.pick('192.0.2.9', new Set(), 4)).toBe(four)
    pool.failed(six, 'unreachable')
    expect(pick()).toBe(four)
    pool.failed(four, 'refused')
    expect(pick()?.host).toBe('spare')
  })
})

test('what another process has checked counts as our own, but is logged and counted by that one', () => {
  const { pool, get, changed } = poolOf([server('a'), server('b')], {
    health: { ...health, fall: 1, rise: 1 },
  })
  const heard = (problem: string | null) => pool.checked(get('a'), problem, { isOurs: false })
  heard('no greeting')
  expect([get('a').isUp, get('a').failures]).toEqual([false, 0])
  heard(null)
  expect(get('a').isUp).toBe(true)
  expect(changed).toEqual([])
  // A client of ours finds it down: then it is ours to say that it is back.
  pool.failed(get('a'), 'refused')
  heard(null)
  expect(changed).toEqual(['a:21 down: refused', 'a:21 up: 1 checks went well'])
})

test('a reload keeps what is known of servers that stay', () => {
  const { pool, pick, get, config } = poolOf([server('a'), server('b')])
  pool.failed(get('a'), 'refused')
  const over = pool.sessionBegan(get('b'), '192.0.2.9')
  pool.configure({ ...config, servers: [server('a', { weight: 5 }), server('c')] })
  expect(pool.servers.map(({ name, isUp, weight }) => [name, isUp, weight])).toEqual([
    ['a:21', false, 5],
    ['c:21', true, 1],
  ])
  // Its session goes on, and its client’s next one is elsewhere.
  expect(pick('192.0.2.9')?.host).toBe('c')
  over()
})
