import { describe, expect, test } from 'vitest'
import { printConfig } from '../../../src/config/effective.ts'
import { configOf, mistakesIn, warningsIn } from './sources.ts'

const withPool = (pool: string, listener = 'upstream: files') =>
  `upstreams: [${pool}]\nlisteners: [{ ${listener} }]\n`

test('a pool gets its defaults, and a listener that names it has it', () => {
  const { upstreams, listeners } = configOf(
    withPool('{ name: files, servers: [{ address: a }, { address: b:2121 }] }'),
  )
  const server = { weight: 1, backup: false, maxSessions: null }
  expect(upstreams).toEqual([
    {
      name: 'files',
      servers: [
        { host: 'a', port: 21, ...server },
        { host: 'b', port: 2121, ...server },
      ],
      balance: 'leastSessions',
      health: { intervalMs: 10_000, timeoutMs: 5_000, expect: 'greeting', rise: 2, fall: 3 },
      proxyProtocol: 'off',
      via: null,
    },
  ])
  expect(listeners).toMatchObject([{ pool: 'files' }])
})

test('a name with another port is a host', () => {
  const { listeners } = configOf(
    withPool('{ name: files, servers: [{ address: a }] }', 'upstream: files:2121'),
  )
  expect(listeners[0]?.pool).toBeUndefined()
})

test('what is printed gives the same again', () => {
  const yaml = withPool(
    '{ name: files, servers: [{ address: "[2001:db8::1]:2121", backup: true, maxSessions: 5 }], balance: first, health: false, proxyProtocol: v2 }',
  )
  const config = configOf(yaml)
  expect(configOf(printConfig(config))).toEqual(config)
  const checked = configOf(withPool('{ name: files, servers: [{ address: a }] }'))
  expect(configOf(printConfig(checked))).toEqual(checked)
})

describe('mistakes', () => {
  test.each([
    ['{ name: files, servers: [] }', 'servers: is empty (given a list of 0, allowed one or more servers'],
    ['{ name: files }', 'servers: is required'],
    [
      '{ name: files, servers: [{ address: a }, { address: "A:21" }] }',
      'servers[1].address: is servers[0] too (given "a:21"',
    ],
    [
      '{ name: files, servers: [{ address: a, weight: 0 }] }',
      'weight: is too small (given 0, allowed 1 to 256)',
    ],
    [
      '{ name: files, servers: [{ address: a, backup: 1 }] }',
      'backup: is neither true nor false (given 1, allowed true or false)',
    ],
    [
      '{ name: files, servers: [{ address: 127.0.0.1:2121 }] }',
      'servers[0].address: leads back to ourselves',
    ],
    ['{ name: files, servers: [{ address: a }], balance: random }', 'balance: is not a known value'],
    ['{ name: files, servers: [{ address: a }], health: yes }', 'health: is not an allowed value'],
  ])('%s', (pool, text) => {
    expect(mistakesIn(withPool(pool, 'upstream: files, listen: 127.0.0.1:2121')).join('\n')).toContain(text)
  })

  test('two pools of one name', () => {
    const pool = '{ name: files, servers: [{ address: a }] }'
    expect(mistakesIn(withPool(`${pool}, ${pool}`))).toEqual([
      expect.stringContaining('upstreams[1].name: is the name of upstreams[0] too (given "files"'),
    ])
  })
})

test('a pool that no listener names gives a warning', () => {
  expect(warningsIn(withPool('{ name: fils, servers: [{ address: a }] }'))).toEqual([
    expect.stringContaining('upstreams[0].name: is named by no listener (given fils)'),
  ])
})
