import { describe, expect, test } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { type Beside, configOf, load, mistakesIn, writeConfig } from './sources.ts'

const one = 'listeners: [{ name: edge, upstream: ftp.internal }]\n'

test('a file with only an upstream gets every default', () => {
  expect(configOf(one)).toEqual({
    upstreams: [],
    listeners: [
      {
        name: 'edge',
        listen: { address: '0.0.0.0', port: 2121 },
        intercept: 'none',
        proxyProtocol: { from: [] },
        matches: { ports: [21], interfaces: [] },
        upstream: { host: 'ftp.internal', port: 21 },
        source: 'proxy',
        upstreamMode: 'client',
        upstreamVerbs: [],
        upstreamKeepAliveMs: null,
        activeSourcePort: null,
        advertise: { clients: [], servers: [] },
      },
    ],
    dataPorts: {
      client: { first: 30_000, last: 30_999, announceOffset: 0 },
      server: { first: 30_000, last: 30_999, announceOffset: 0 },
      shared: true,
    },
    pinholes: {
      backend: 'relay',
      timeoutMs: 60_000,
      mark: 0xf7,
      table: 'ftp_alg',
      admit: { ipv4: null, ipv6: null },
    },
    limits: {
      sessions: 10_000,
      sessionsPerClient: 100,
      idleMs: 900_000,
      replyMs: 900_000,
      transferMs: 900_000,
      connectMs: 30_000,
      loginMs: 60_000,
      handshakeMs: 15_000,
      lineBytes: 4096,
      refusals: 10,
      pinholesPerClient: null,
    },
    policy: {
      bounce: 'refuse',
      pasvAddress: 'control-peer',
      minPort: 1024,
      dataPeers: { clients: [], servers: [] },
      fxp: [],
    },
    admin: { listen: { address: '127.0.0.1', port: 9121 } },
    log: { level: 'info', format: 'json', transfers: null },
    shutdown: { drainTimeoutMs: 300_000 },
    reloadOnChange: false,
    workers: 1,
  })
})

test('every key of a file is read', () => {
  const config = configOf(`listeners:
  - name: edge
    listen: "[::]:2121"
    intercept: tproxy
    matches: { ports: [21, 2100], interfaces: [lan0] }
    source: client
    upstreamMode: passive
    upstreamVerbs: [PASV, PORT]
    upstreamKeepAlive: 30s
    activeSourcePort: any
    advertise:
      clients:
        - { to: 10.0.0.0/8, address: 10.1.0.1 }
        - { to: any, address: FTP.example.net }
      servers: [{ to: any, address: 198.51.100.7 }]
dataPorts:
  client: { listen: 30000-30999, announce: 40000-40999 }
  server: 31000-31999
  slice: { index: 1, of: 4 }
pinholes: { backend: nftables, timeout: 2m, mark: 0x10, table: ftp_alg_dmz, admit: { ipv4: inet filter ftp_data } }
limits: { sessions: 5, sessionsPerClient: 2, idle: 1h, reply: 2m, transfer: 3m, connect: 500ms, login: 10s, line: 8k, refusals: 3, pinholesPerClient: 7 }
policy: { bounce: use-control-peer, pasvAddress: [10.0.0.0/8, "2001:DB8::/32"], minPort: 2000, dataPeers: { clients: [100.64.0.0/10], servers: [10.1.0.7] }, fxp: [198.51.100.0/24] }
admin: { listen: localhost:0 }
log: { level: debug, format: pretty, transfers: { file: /var/log/xferlog, format: xferlog } }
shutdown: { drainTimeout: 1d }
reloadOnChange: true
workers: 2
`)
  expect(config).toEqual({
    upstreams: [],
    listeners: [
      {
        name: 'edge',
        listen: { address: '::', port: 2121 },
        intercept: 'tproxy',
        proxyProtocol: { from: [] },
        matches: { ports: [21, 2100], interfaces: ['lan0'] },
        upstream: null,
        source: 'client',
        upstreamMode: 'passive',
        upstreamVerbs: ['PASV', 'PORT'],
        upstreamKeepAliveMs: 30_000,
        activeSourcePort: null,
        advertise: {
          clients: [
            { to: '10.0.0.0/8', address: '10.1.0.1' },
            { to: 'any', address: 'ftp.example.net' },
          ],
          servers: [{ to: 'any', address: '198.51.100.7' }],
        },
      },
    ],
    dataPorts: {
      client: { first: 30_250, last: 30_499, announceOffset: 10_000 },
      server: { first: 31_250, last: 31_499, announceOffset: 0 },
      shared: false,
    },
    pinholes: {
      backend: 'nftables',
      timeoutMs: 120_000,
      mark: 16,
      table: 'ftp_alg_dmz',
      admit: { ipv4: 'inet filter ftp_data', ipv6: null },
    },
    limits: {
      sessions: 5,
      sessionsPerClient: 2,
      idleMs: 3_600_000,
      replyMs: 120_000,
      transferMs: 180_000,
      connectMs: 500,
      loginMs: 10_000,
      handshakeMs: 15_000,
      lineBytes: 8192,
      refusals: 3,
      pinholesPerClient: 7,
    },
    policy: {
      bounce: 'use-control-peer',
      pasvAddress: ['10.0.0.0/8', '2001:db8::/32'],
      minPort: 2000,
      dataPeers: { clients: ['100.64.0.0/10'], servers: ['10.1.0.7/32'] },
      fxp: ['198.51.100.0/24'],
    },
    admin: { listen: { address: '127.0.0.1', port: 0 } },
    log: {
      level: 'debug',
      format: 'pretty',
      transfers: { file: '/var/log/xferlog', format: 'xferlog' },
    },
    shutdown: { drainTimeoutMs: 86_400_000 },
    reloadOnChange: true,
    workers: 2,
  })
})

test.each(['false', 'null', '~'])('admin: %s switches the admin listener off', (value) => {
  expect(configOf(`${one}admin: ${value}\n`).admin).toBeNull()
})

describe('without a destination', () => {
  const allowed =
    'allowed listeners in the file named by --config, or one by --upstream HOST or FTP_ALG_UPSTREAM=HOST'
  test('and without a file, the message says what to pass', () => {
    expect(mistakesIn(null)).toEqual([`--upstream: is required (given nothing, ${allowed})`])
    expect(mistakesIn(null, { flags: { listen: ':21' } })).toEqual([
      '--upstream: is required when intercept is none (given nothing, allowed HOST or HOST:PORT, as in ftp.example.net:21)',
    ])
  })

  test('in a file, the message says where', () => {
    expect(mistakesIn('log: {}\n')).toEqual([
      `config.yaml:1:1 listeners: is required (given nothing, ${allowed})`,
    ])
    expect(mistakesIn('log: {}\nlisteners: []\n')).toEqual([
      `config.yaml:2:12 listeners: needs at least one listener (given a list of 0, ${allowed})`,
    ])
    expect(mistakesIn('listeners:\n  - name: edge\n')).toEqual([
      'config.yaml:2:5 listeners[0].upstream: is required when intercept is none (given nothing, allowed HOST or HOST:PORT, as in ftp.example.net:21)',
    ])
  })
})

test('a configuration that is right has no warnings', () => {
  expect(load(one).warnings).toEqual([])
})

describe('the default file', () => {
  const loaded = (defaultFile: string, { flags = {}, environment = {} }: Beside = {}) =>
    loadConfig({ flags, environment, defaultFile, ephemeralPorts: () => null }).config
  const upstreamOf = (config: Config) => config.listeners.map(({ upstream }) => upstream?.host)

  test('is read where nothing else says what to do', () => {
    const file = writeConfig('listeners: [{ upstream: in.the.file }]\n')
    expect(upstreamOf(loaded(file))).toEqual(['in.the.file'])
    expect(loaded(file, { flags: { 'log-level': 'debug' } }).log.level).toBe('debug')
    expect(upstreamOf(loaded(file, { flags: { listen: ':2122' } }))).toEqual(['in.the.file'])
  })

  test('is left alone where flags or the environment do', () => {
    const file = writeConfig('workers: 3\nlisteners: [{ upstream: in.the.file }]\n')
    const others: Beside[] = [
      { flags: { upstream: 'elsewhere' } },
      { flags: { intercept: 'redirect' } },
      { environment: { FTP_ALG_UPSTREAM: 'elsewhere' } },
    ]
    for (const beside of others) expect(loaded(file, beside).workers).toBe(1)
    expect(() => loaded(file, { flags: { config: '/nowhere.yaml' } })).toThrow(/^\/nowhere\.yaml: cannot be/)
  })

  test('is named when there is none', () => {
    expect(() => loaded('/nowhere/config.yaml')).toThrow(
      /^there is no \/nowhere\/config\.yaml; --upstream: is required \(/,
    )
  })

  test('is wrong like any other file', () => {
    expect(() => loaded(writeConfig('wokers: 1\nlisteners: [{ upstream: a }]\n'))).toThrow(
      /did you mean workers/,
    )
  })
})
