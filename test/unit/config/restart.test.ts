import { describe, expect, test } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { keysUntilRestart } from '../../../src/config/json-schema.ts'
import { keepUntilRestart, restartNeeded } from '../../../src/config/restart.ts'
import { configOf } from './sources.ts'

const yaml = `listeners:
  - { name: edge, listen: 0.0.0.0:2121, upstream: ftp.internal }
  - { name: lab, listen: 0.0.0.0:2122, upstream: lab.internal }
`
const before = configOf(yaml)
const operated = configOf(`${yaml}admin: { token: /etc/token, drainFrom: [10.0.0.0/8] }\n`)

describe('a restart is needed', () => {
  test.each<[string[], Config]>([
    [['listeners[edge].listen'], configOf(yaml.replace(':2121', ':2100'))],
    [['listeners[edge].intercept'], configOf(yaml.replace('upstream: ftp.internal', 'intercept: redirect'))],
    [['listeners[edge]', 'listeners[outer]'], configOf(yaml.replace('edge', 'outer'))],
    [['dataPorts'], configOf(`${yaml}dataPorts: 20000-20099\n`)],
    [['dataPorts'], configOf(`${yaml}dataPorts: { slice: { index: 0, of: 2 } }\n`)],
    [['pinholes.backend'], configOf(`${yaml}pinholes: { backend: nftables }\n`)],
    [['pinholes.mark'], configOf(`${yaml}pinholes: { mark: 5 }\n`)],
    [['pinholes.table'], configOf(`${yaml}pinholes: { table: ftp_alg_dmz }\n`)],
    [['pinholes.admit'], configOf(`${yaml}pinholes: { admit: { ipv6: inet a b } }\n`)],
    [['limits.pinholesPerClient'], configOf(`${yaml}limits: { pinholesPerClient: 3 }\n`)],
    [['log.format'], configOf(`${yaml}log: { format: pretty }\n`)],
    [['admin.listen'], configOf(`${yaml}admin: false\n`)],
    [['admin.listen'], configOf(`${yaml}admin: { listen: ":9121" }\n`)],
    [['admin.token', 'admin.drainFrom'], operated],
    [['workers'], configOf(`${yaml}workers: 2\n`)],
    [
      [
        'listeners[edge].listen',
        'listeners[lab]',
        'dataPorts',
        'pinholes.backend',
        'admin.listen',
        'workers',
      ],
      configOf(`listeners: [{ name: edge, upstream: a, listen: ":3" }]
dataPorts: 20000-20099
pinholes: { backend: nftables }
admin: false
workers: 2
`),
    ],
  ])('for %j', (keys, after) => {
    expect(restartNeeded(before, after)).toEqual(keys)
  })
})

test('every key that waits for a restart is called the same in a Config', () => {
  const missing = keysUntilRestart().filter((key) => {
    const [first, , ...rest] = key
    const path = first === 'listeners' ? ['listeners', '0', ...rest] : key
    const value = path.reduce<unknown>(
      (map, step) => (Object(map) === map ? Object(map)[step] : undefined),
      operated,
    )
    return value === undefined
  })
  expect(missing).toEqual([])
})

describe('a reload is enough', () => {
  test.each([
    ['the same file', yaml],
    ['the same listeners in another order', yaml.replace(/( {2}- .*edge.*\n)( {2}- .*lab.*\n)/, '$2$1')],
    [
      'another upstream, mode and address to announce',
      yaml.replace(
        'ftp.internal',
        'b, upstreamMode: passive, advertise: { clients: [{ to: any, address: c }] }',
      ),
    ],
    ['other limits', `${yaml}limits: { sessions: 1, idle: 1m }\n`],
    ['another policy', `${yaml}policy: { bounce: use-control-peer, minPort: 2000 }\n`],
    ['another pinhole timeout', `${yaml}pinholes: { timeout: 2m }\n`],
    ['another log level', `${yaml}log: { level: debug }\n`],
    ['another drain timeout', `${yaml}shutdown: { drainTimeout: 1m }\n`],
  ])('for %s', (_, text) => {
    expect(restartNeeded(before, configOf(text))).toEqual([])
  })
})

describe('until the restart', () => {
  test('what needs it stays as it was, and nothing is left to be named', () => {
    const after = configOf(`listeners:
  - { name: edge, listen: ":3", upstream: other.internal, upstreamMode: passive }
  - { name: fresh, listen: ":4", upstream: a }
dataPorts: 20000-20099
pinholes: { backend: nftables, mark: 5, table: ftp_alg_dmz, admit: { ipv6: inet a b }, timeout: 2m }
limits: { sessions: 7, pinholesPerClient: 3 }
admin: false
log: { level: debug, format: pretty }
workers: 2
`)
    const effective = keepUntilRestart(before, after)
    const [edge, lab] = before.listeners
    expect(effective).toEqual({
      ...before,
      listeners: [{ ...edge, upstream: { host: 'other.internal', port: 21 }, upstreamMode: 'passive' }, lab],
      pinholes: { ...before.pinholes, timeoutMs: 120_000 },
      limits: { ...before.limits, sessions: 7 },
      log: { ...before.log, level: 'debug' },
    })
    expect(restartNeeded(before, effective)).toEqual([])
    expect(restartNeeded(effective, after)).toEqual(restartNeeded(before, after))
  })

  test('a listener that is to intercept otherwise stays as it was altogether', () => {
    const after = configOf(yaml.replace('upstream: ftp.internal', 'intercept: tproxy, source: client'))
    expect(keepUntilRestart(before, after)).toEqual(before)
  })
})
