import { describe, expect, test } from 'vitest'
import { printConfig } from '../../../src/config/effective.ts'
import { settingsFor } from '../../../src/config/pool-settings.ts'
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

test('whom checks log in as is printed with the file of the password', () => {
  const config = configOf(
    withPool(
      '{ name: files, servers: [{ address: a }], health: { expect: login, user: joe, passwordFile: /etc/ftp-alg/check.password } }',
    ),
  )
  expect(config.upstreams[0]?.health).toMatchObject({
    expect: 'login',
    user: 'joe',
    passwordFile: '/etc/ftp-alg/check.password',
  })
  expect(configOf(printConfig(config))).toEqual(config)
})

test('keys of a pool in place of its listener’s are printed, and what it does not say is the listener’s', () => {
  const config = configOf(
    withPool(
      '{ name: files, servers: [{ address: a }], connectTimeout: 3s, slowStart: 30s, upstreamMode: passive, upstreamVerbs: [PASV], upstreamTls: { mode: off } }',
      'upstream: files, upstreamTls: { mode: required }',
    ),
  )
  expect(config.upstreams).toMatchObject([
    {
      connectMs: 3_000,
      slowStartMs: 30_000,
      upstreamMode: 'passive',
      upstreamVerbs: ['PASV'],
      upstreamTls: null,
    },
  ])
  expect(configOf(printConfig(config))).toEqual(config)
  const [listener] = config.listeners
  const [pool] = config.upstreams
  if (listener === undefined || pool === undefined) throw new Error('no configuration')
  expect(settingsFor(pool, listener).upstreamTls).toEqual({ value: null, from: 'pool' })
  expect(settingsFor({}, listener)).toMatchObject({
    upstreamTls: { value: { mode: 'required' }, from: 'listener' },
    upstreamMode: { value: 'client', from: 'listener' },
    upstreamVerbs: { value: [], from: 'listener' },
  })
})

test('a service in DNS is a server without a port', () => {
  const config = configOf(
    withPool('{ name: files, servers: [{ srv: _FTP._tcp.Example.net, weight: 2 }, { address: a }] }'),
  )
  expect(config.upstreams[0]?.servers).toMatchObject([
    { host: '_ftp._tcp.example.net', port: 0, isSrv: true, weight: 2 },
    { host: 'a', port: 21 },
  ])
  expect(configOf(printConfig(config))).toEqual(config)
})

describe('a server that is neither or both', () => {
  test.each([
    [
      '{ weight: 2 }',
      'servers[0].address: is required (given nothing, allowed address: HOST:PORT or srv: _SERVICE._tcp.DOMAIN)',
    ],
    ['{ address: a, srv: _ftp._tcp.a }', 'servers[0].srv: goes without address (given "_ftp._tcp.a"'],
    [
      '{ srv: ftp.example.net }',
      'servers[0].srv: is not the name of a service over TCP (given "ftp.example.net"',
    ],
    ['{ srv: _ftp._tcp.a }, { srv: _ftp._tcp.a }', 'servers[1].srv: is servers[0] too (given "_ftp._tcp.a"'],
  ])('%s', (servers, text) => {
    expect(mistakesIn(withPool(`{ name: files, servers: [${servers}] }`)).join('\n')).toContain(text)
  })

  test('or a service behind a proxy of via', () => {
    const yaml = withPool(
      '{ name: files, servers: [{ srv: _ftp._tcp.a }], via: "http://proxy", upstreamMode: passive }',
    )
    expect(mistakesIn(yaml)).toEqual([expect.stringContaining('servers[0].srv: cannot be asked for where')])
  })
})

describe('mistakes', () => {
  test.each([
    [
      'upstreamTls: { mode: as-client }',
      '',
      'upstreamTls.mode: has no client with TLS to follow, since tls.mode of listener default is off',
    ],
    ['upstreamTls: { mode: required, verify: pin }', '', 'upstreamTls.pins: is needed when verify is pin'],
    [
      'via: "http://proxy", upstreamMode: active',
      '',
      'upstreams[0].upstreamMode: has to be passive: its servers are behind the proxy of via (given "active", allowed passive)',
    ],
    [
      'upstreamMode: passive, upstreamVerbs: [PORT, EPRT]',
      '',
      'upstreams[0].upstreamVerbs: has none for upstreamMode passive (given',
    ],
    [
      'upstreamVerbs: [EPSV]',
      'upstreamMode: active',
      'upstreams[0].upstreamVerbs: has none for upstreamMode active of listener default (given',
    ],
    [
      'upstreamMode: active',
      'upstreamVerbs: [EPSV]',
      'upstreams[0].upstreamMode: has no verb among upstreamVerbs of listener default, which are EPSV (given "active"',
    ],
    [
      'health: false',
      'upstreamMode: passive, upstreamVerbs: [PORT]',
      'listeners[0].upstreamVerbs: has none for upstreamMode passive (given',
    ],
    [
      'slowStart: 30s, balance: first',
      '',
      'upstreams[0].slowStart: has no use when balance is first (given "30s", allowed balance: roundRobin or leastSessions)',
    ],
    [
      'slowStart: 30s, balance: clientHash',
      '',
      'upstreams[0].slowStart: has no use when balance is clientHash',
    ],
    [
      'upstreamTls: { mode: required }',
      'tls: { mode: passthrough }',
      'listeners[0].tls.mode: leads to pool files, which has upstreamTls: TLS that passes through is between client and server alone',
    ],
    [
      'health: { expect: connect }, upstreamMode: passive',
      'tls: { mode: passthrough-implicit }',
      'listeners[0].tls.mode: leads to pool files, which has upstreamMode',
    ],
    ['health: { expect: login, passwordFile: /a }', '', 'health.user: is needed when expect is login'],
    ['health: { expect: login, user: joe }', '', 'health.passwordFile: is needed when expect is login'],
    ['health: { user: joe }', '', 'health.user: has no use when expect is greeting (given "joe"'],
    [
      'health: { expect: login, user: "a\\nb", passwordFile: /a }',
      '',
      'health.user: is not the name of a user',
    ],
    [
      'health: { expect: login, user: joe, passwordFile: /a }, upstreamTls: { mode: optional }',
      '',
      'health.expect: needs upstreamTls of the pool to be certain, which is optional',
    ],
    [
      'health: { expect: login, user: joe, passwordFile: /a }',
      'upstreamTls: { mode: required }',
      'health.expect: would send the password in clear: listener default has upstreamTls',
    ],
    ['connectTimeout: soon', '', 'connectTimeout: is not a duration'],
  ])('%s with %s', (pool, listener, text) => {
    const yaml = withPool(
      `{ name: files, servers: [{ address: a }], ${pool} }`,
      `upstream: files, ${listener}`,
    )
    const mistakes = mistakesIn(yaml)
    expect(mistakes).toEqual([expect.stringContaining(text)])
  })

  test('a pool passive by itself may be behind a proxy of via whatever its listener says', () => {
    const config = configOf(
      withPool('{ name: files, servers: [{ address: a }], via: "http://proxy", upstreamMode: passive }'),
    )
    expect(config.listeners[0]?.upstreamMode).toBe('client')
  })

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
