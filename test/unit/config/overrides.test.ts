import { describe, expect, test } from 'vitest'
import { settings } from '../../../src/config/settings.ts'
import { configOf, mistakesIn, writeConfig } from './sources.ts'

const one = 'listeners: [{ name: edge, upstream: ftp.internal }]\n'
const two = 'listeners: [{ name: a, upstream: x }, { name: b, upstream: y, listen: ":2122" }]\n'

describe('flags win over the environment, which wins over the file', () => {
  const file = `${one}log: { level: warn }\n`
  test.each([
    ['warn', {}, {}],
    ['error', {}, { FTP_ALG_LOG_LEVEL: 'error' }],
    ['debug', { 'log-level': 'debug' }, { FTP_ALG_LOG_LEVEL: 'error' }],
    ['debug', { 'log-level': 'debug' }, {}],
  ])('log.level is %s with flags %j and environment %j', (level, flags, environment) => {
    expect(configOf(file, { flags, environment }).log).toMatchObject({ level, format: 'json' })
  })

  test('a mistake that is overridden does not count', () => {
    expect(configOf(`${one}workers: lots\n`, { flags: { workers: '2' } }).workers).toBe(2)
  })

  test('every setting reaches its key, by flag and by environment alike', () => {
    const values: Record<string, string> = {
      FTP_ALG_LISTEN: '[::]:2100',
      FTP_ALG_INTERCEPT: 'none',
      FTP_ALG_UPSTREAM: '[2001:db8::5]:2100',
      FTP_ALG_UPSTREAM_MODE: 'active',
      FTP_ALG_ADVERTISE: '203.0.113.7',
      FTP_ALG_DATA_PORTS: '20000-20099',
      FTP_ALG_SLICE_INDEX: '1',
      FTP_ALG_SLICE_OF: '2',
      FTP_ALG_PINHOLES: 'nftables',
      FTP_ALG_ADMIN: '0.0.0.0:9000',
      FTP_ALG_LOG_LEVEL: 'error',
      FTP_ALG_LOG_FORMAT: 'pretty',
      FTP_ALG_WORKERS: '3',
    }
    expect(settings.map(({ variable }) => variable)).toEqual(Object.keys(values))
    const byEnvironment = configOf(null, { environment: values })
    expect(byEnvironment).toMatchObject({
      listeners: [
        {
          name: 'default',
          listen: { address: '::', port: 2100 },
          upstream: { host: '2001:db8::5', port: 2100 },
          upstreamMode: 'active',
          advertise: { clients: [{ to: 'any', address: '203.0.113.7' }], servers: [] },
        },
      ],
      dataPorts: { client: { first: 20_050, last: 20_099 }, shared: true },
      pinholes: { backend: 'nftables' },
      admin: { listen: { address: '0.0.0.0', port: 9000 } },
      log: { level: 'error', format: 'pretty' },
      workers: 3,
    })
    const flags = Object.fromEntries(
      settings.flatMap(({ flag, variable }) => (flag === null ? [] : [[flag, values[variable]]])),
    )
    const slices = { FTP_ALG_SLICE_INDEX: '1', FTP_ALG_SLICE_OF: '2' }
    expect(configOf(null, { flags, environment: slices })).toEqual(byEnvironment)
  })
})

describe('the environment', () => {
  test('is read by an explicit list of names, and FTP_ALG_PORT is not one of them', () => {
    const asked: string[] = []
    const environment = new Proxy<Record<string, string>>(
      { FTP_ALG_PORT: 'tcp://10.0.0.1:21', FTP_ALG_SERVICE_HOST: '10.0.0.1', FTP_ALG_WORKERZ: 'x' },
      {
        get(target, name) {
          asked.push(String(name))
          return target[String(name)]
        },
        ownKeys: () => {
          throw new Error('the environment was listed')
        },
      },
    )
    configOf(null, { flags: { upstream: 'ftp.internal' }, environment })
    expect(asked).not.toContain('FTP_ALG_PORT')
    expect(asked).not.toContain('FTP_ALG_SERVICE_HOST')
    expect(
      asked.every((name) => [...settings.map(({ variable }) => variable), 'FTP_ALG_CONFIG'].includes(name)),
    ).toBe(true)
  })

  test('names the file when no flag does', () => {
    const file = writeConfig(one)
    expect(configOf(null, { environment: { FTP_ALG_CONFIG: file } }).listeners[0]?.name).toBe('edge')
  })

  test('counts a variable that is set to nothing as not set', () => {
    const environment = { FTP_ALG_CONFIG: '', FTP_ALG_WORKERS: '', FTP_ALG_UPSTREAM: 'ftp.internal' }
    expect(configOf(null, { environment }).workers).toBe(1)
  })

  test('and flags are named in mistakes instead of a place', () => {
    const environment = { FTP_ALG_WORKERS: 'many', FTP_ALG_LOG_LEVEL: 'inf', FTP_ALG_LISTEN: '1.2.3.4' }
    const flags = { 'data-ports': '5-4', advertise: ['a', 'b'], admin: '127.0.0.1:x' }
    const allowed =
      'ADDRESS:PORT, [IPv6]:PORT, localhost:PORT or :PORT (all addresses), port 0 to 65535, as in 0.0.0.0:2121'
    expect(mistakesIn(one, { environment, flags })).toEqual([
      `FTP_ALG_LISTEN: has no port (given "1.2.3.4", allowed ${allowed})`,
      '--data-ports: ends before it begins (given "5-4", allowed FIRST-LAST within 1-65535, as in 30000-30999)',
      `--admin: has a port that is not a number (given "127.0.0.1:x", allowed ${allowed})`,
      'FTP_ALG_LOG_LEVEL: is not a known value; did you mean info? (given "inf", allowed debug, info, warn or error)',
      'FTP_ALG_WORKERS: must be a whole number (given "many", allowed 1 to 128)',
      '--advertise: needs one value (given a list of 2, allowed ADDR)',
    ])
  })

  test('cuts the data ports of a file, however they are written', () => {
    const environment = { FTP_ALG_SLICE_INDEX: '3', FTP_ALG_SLICE_OF: '4' }
    expect(configOf(one, { environment }).dataPorts.client).toMatchObject({ first: 30_750, last: 30_999 })
    const text = `${one}dataPorts: 20000-20003\n`
    expect(configOf(text, { environment }).dataPorts.client).toMatchObject({ first: 20_003, last: 20_003 })
    const map = `${one}dataPorts: { client: 20000-20003, server: 20004-20007, slice: { index: 0, of: 4 } }\n`
    const { client, server } = configOf(map, { environment: { FTP_ALG_SLICE_INDEX: '3' } }).dataPorts
    expect([client.first, server.first]).toEqual([20_003, 20_007])
  })

  test('needs both numbers of a slice', () => {
    expect(mistakesIn(one, { environment: { FTP_ALG_SLICE_INDEX: '0' } })).toEqual([
      'FTP_ALG_SLICE_OF: is required (given nothing, allowed 1 to 1024)',
    ])
    expect(mistakesIn(one, { environment: { FTP_ALG_SLICE_INDEX: '4', FTP_ALG_SLICE_OF: '4' } })).toEqual([
      'FTP_ALG_SLICE_INDEX: is too large (given 4, allowed 0 to 3, because dataPorts.slice.of is 4)',
    ])
  })
})

describe('flags for the listener', () => {
  test('make one called default when there is none, on port 2121 of all addresses', () => {
    for (const yaml of [null, 'log: {}\n', 'listeners: []\n']) {
      expect(configOf(yaml, { flags: { upstream: 'ftp.internal:2100' } }).listeners).toMatchObject([
        {
          name: 'default',
          listen: { address: '0.0.0.0', port: 2121 },
          upstream: { host: 'ftp.internal', port: 2100 },
        },
      ])
    }
  })

  test('make one without an upstream when clients are intercepted', () => {
    expect(configOf(null, { flags: { intercept: 'redirect' } }).listeners[0]?.upstream).toBeNull()
  })

  test('change the only listener of a file and keep the rest of it', () => {
    const flags = { listen: ':2100', advertise: '203.0.113.7' }
    expect(configOf(one, { flags }).listeners).toMatchObject([
      {
        name: 'edge',
        listen: { address: '::', port: 2100 },
        advertise: { clients: [{ to: 'any', address: '203.0.113.7' }] },
      },
    ])
  })

  test('are mistakes when the file has several', () => {
    expect(mistakesIn(two, { flags: { upstream: 'z' }, environment: { FTP_ALG_LISTEN: ':1' } })).toEqual([
      'FTP_ALG_LISTEN: is for a file with one listener, and this one has 2 (given ":1", allowed listen in the file)',
      '--upstream: is for a file with one listener, and this one has 2 (given "z", allowed upstream in the file)',
    ])
  })

  test('leave a list of listeners that is no list to be reported where it stands', () => {
    expect(mistakesIn('listeners: ftp.internal\n', { flags: { upstream: 'z' } })).toEqual([
      'config.yaml:1:12 listeners: must be a list (given "ftp.internal", allowed listeners in the file named by --config, or one by --upstream HOST or FTP_ALG_UPSTREAM=HOST)',
    ])
  })
})

test('data ports on the command line replace those of the file but not its slice', () => {
  const yaml = `${one}dataPorts: { client: 30000-30999, server: 31000-31999, slice: { index: 1, of: 2 } }\n`
  const { dataPorts } = configOf(yaml, { flags: { 'data-ports': '20000-20099' } })
  expect(dataPorts).toMatchObject({ client: { first: 20_050, last: 20_099 }, shared: true })
})

test('--admin changes the address and leaves the token of the file as it is', () => {
  const yaml = `${one}admin: { listen: ':1', token: /etc/token, drainFrom: [10.0.0.0/8] }\n`
  expect(configOf(yaml, { flags: { admin: '127.0.0.1:9000' } }).admin).toEqual({
    listen: { address: '127.0.0.1', port: 9000 },
    token: '/etc/token',
    drainFrom: ['10.0.0.0/8'],
  })
  expect(configOf(yaml, { flags: { admin: 'off' } }).admin).toBeNull()
})

test('--admin off switches the admin listener off, and an address switches it on again', () => {
  expect(configOf(one, { flags: { admin: 'off' } }).admin).toBeNull()
  expect(configOf(`${one}admin: false\n`, { flags: { admin: ':9000' } }).admin).toEqual({
    listen: { address: '::', port: 9000 },
  })
})

test('a part that stands for two keys by an anchor is changed for one of them only', () => {
  const yaml = `listeners: [{ upstream: a, advertise: { clients: &rules [{ to: any, address: 192.0.2.1 }], servers: *rules } }]\n`
  expect(configOf(yaml, { flags: { advertise: '203.0.113.7' } }).listeners[0]?.advertise).toEqual({
    clients: [{ to: 'any', address: '203.0.113.7' }],
    servers: [{ to: 'any', address: '192.0.2.1' }],
  })
})
