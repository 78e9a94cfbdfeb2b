import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { printConfig } from '../../../src/config/effective.ts'
import { fuzzRuns } from '../../support/fuzz.ts'
import { configOf, load } from './sources.ts'

test('the effective configuration is printed in the order of the design, with readable durations', () => {
  const yaml = `reloadOnChange: true
workers: 2
limits: { idle: 7200s, line: 1000 }
admin: false
dataPorts: { client: { listen: 20000-20099, announce: 40000-40099 }, server: 20100-20199, slice: { index: 1, of: 2 } }
policy: { pasvAddress: [10.1.2.3] }
listeners: [{ upstream: "[2001:db8::5]", listen: ":2121", advertise: { servers: [{ to: any, address: 192.0.2.1 }] } }]
`
  expect(printConfig(configOf(yaml))).toBe(`listeners:
  - name: default
    listen: "[::]:2121"
    intercept: none
    proxyProtocol:
      from: []
    matches:
      ports:
        - 21
      interfaces: []
    upstream: "[2001:db8::5]:21"
    source: proxy
    upstreamMode: client
    upstreamVerbs: []
    upstreamKeepAlive: off
    activeSourcePort: any
    advertise:
      clients: []
      servers:
        - to: any
          address: 192.0.2.1
dataPorts:
  client:
    listen: 20050-20099
    announce: 40050-40099
  server: 20150-20199
pinholes:
  backend: relay
  timeout: 60s
  mark: 247
  table: ftp_alg
  admit: {}
limits:
  sessions: 10000
  sessionsPerClient: 100
  idle: 2h
  reply: 15m
  transfer: 15m
  connect: 30s
  login: 60s
  handshake: 15s
  line: 1000
  refusals: 10
  pinholesPerClient: half
policy:
  bounce: refuse
  pasvAddress:
    - 10.1.2.3/32
  minPort: 1024
  dataPeers:
    clients: []
    servers: []
  fxp: []
admin: false
log:
  level: info
  format: json
  transfers: false
shutdown:
  drainTimeout: 5m
reloadOnChange: true
workers: 2
`)
})

test('what is printed is a file that gives the same configuration again', () => {
  const isStable = (tree: unknown) => {
    const config = configOf(stringify(tree))
    const printed = printConfig(config)
    const again = load(printed)
    return JSON.stringify(again.config) === JSON.stringify(config) && printConfig(again.config) === printed
  }
  fc.assert(fc.property(rightFiles(), isStable), { seed: 959, numRuns: fuzzRuns(500) })
})

/** Files without mistakes, using every key. */
function rightFiles() {
  const durations = fc
    .tuple(fc.integer({ min: 1, max: 7 }), fc.constantFrom('ms', 's', 'm', 'h', 'd'))
    .map((parts) => parts.join(''))
  const rule = fc.record({
    to: fc.constantFrom('any', '10.0.0.0/8', '192.0.2.7', '2001:DB8::/32'),
    address: fc.oneof(
      fc.constantFrom('203.0.113.7', '::ffff:203.0.113.7', 'FTP.example.net', 'on', '0x1.net', 'null'),
    ),
  })
  const listener = fc.record(
    {
      name: fc.constantFrom('edge', 'a.b_c-d', '007', 'null', 'true', '1e3'),
      listen: fc.constantFrom('0.0.0.0:2121', ':2121', '[::1]:0', 'localhost:21'),
      upstreamMode: fc.constantFrom('client', 'passive', 'active'),
      activeSourcePort: fc.constantFrom('any'),
      advertise: fc.record({
        clients: fc.array(rule, { maxLength: 2 }),
        servers: fc.array(rule, { maxLength: 2 }),
      }),
    },
    { requiredKeys: [] },
  )
  const destination = fc.constantFrom(
    { upstream: 'ftp.internal' },
    { upstream: 'ftp.internal', activeSourcePort: 20 },
    { upstream: '[2001:db8::5]:990' },
    { intercept: 'redirect' },
    { intercept: 'tproxy', source: 'client', matches: { ports: [21, 990], interfaces: ['lan0', 'null'] } },
  )
  const slice = fc.constantFrom({}, { slice: { index: 3, of: 7 } })
  const dataPorts = fc.oneof(
    fc.constant('20000-20099'),
    slice.map((cut) => ({ listen: '20000-20099', announce: '40000-40099', ...cut })),
    slice.map((cut) => ({
      client: '20000-20099',
      server: { listen: '20100-20199', announce: '20100-20199' },
      ...cut,
    })),
  )
  const sections = fc.record(
    {
      dataPorts,
      pinholes: fc.record(
        { backend: fc.constantFrom('relay', 'nftables'), timeout: durations },
        { requiredKeys: [] },
      ),
      limits: fc.record(
        {
          sessions: fc.integer({ min: 1, max: 1_000_000 }),
          sessionsPerClient: fc.integer({ min: 1, max: 1_000_000 }),
          idle: durations,
          connect: durations,
          login: durations,
          line: fc.constantFrom(512, 1000, '4k', '4096', 65_536),
          refusals: fc.integer({ min: 1, max: 1000 }),
          pinholesPerClient: fc.constantFrom<unknown>(1, 65_535, 'half'),
        },
        { requiredKeys: [] },
      ),
      policy: fc.record(
        {
          bounce: fc.constantFrom('refuse', 'use-control-peer'),
          pasvAddress: fc.constantFrom<unknown>('control-peer', 'must-match', ['10.0.0.0/8', '::1']),
          minPort: fc.integer({ min: 1, max: 65_535 }),
        },
        { requiredKeys: [] },
      ),
      admin: fc.constantFrom<unknown>(
        false,
        null,
        {},
        { listen: ':0' },
        { token: '/etc/ftp-alg/admin.token', drainFrom: ['10.0.0.0/8', '::1'] },
      ),
      log: fc.record(
        {
          level: fc.constantFrom('debug', 'error'),
          format: fc.constantFrom('json', 'pretty'),
          transfers: fc.constantFrom<unknown>(
            false,
            null,
            { file: '/var/log/transfers' },
            { file: '/: #', format: 'xferlog' },
          ),
        },
        { requiredKeys: [] },
      ),
      shutdown: fc.record({ drainTimeout: durations }),
      reloadOnChange: fc.boolean(),
      workers: fc.integer({ min: 1, max: 14 }),
    },
    { requiredKeys: [] },
  )
  return fc
    .tuple(listener, destination, sections)
    .map(([about, where, rest]) => ({ listeners: [{ ...about, ...where }], ...rest }))
}
