import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { formatPath } from '../../../src/config/mistakes.ts'
import { fileSchema } from '../../../src/config/schema.ts'
import { AlgError } from '../../../src/errors.ts'
import { fuzzRuns } from '../../support/fuzz.ts'
import { configOf, load, mistakesIn, mistakesOf } from './sources.ts'

const listenForms =
  'ADDRESS:PORT, [IPv6]:PORT, localhost:PORT or :PORT (all addresses), port 0 to 65535, as in 0.0.0.0:2121'
const upstreamForms = 'HOST, HOST:PORT or [IPv6]:PORT, as in ftp.example.net:21; without a port it is 21'
const durationForms = '1ms to 7d, as in 500ms, 60s, 15m, 2h or 1d'

test('every mistake of a file is named at once, with its place, in the order of the file', () => {
  const yaml = `listeners:
  - name: edge
    listen: 2121
    upsteam: ftp.internal
  - upstream: 010.1.1.1
    intercept: redirct
    advertise: { clients: [{ to: 10.0.0.1/8, address: "" }], servers: any }
  - 5
dataPorts: 30999-30000
pinholes: { timeout: 60, backend: nft }
limits:
policy: { pasvAddress: trust, minPort: 0, bounce: null }
admin: yes
log: info
shutdown: { drainTimeout: 5 minutes }
workers: 1.5
workrs: 2
__proto__: 4
`
  expect(mistakesIn(yaml)).toEqual([
    `config.yaml:3:13 listeners[0].listen: has no port (given 2121, allowed ${listenForms})`,
    'config.yaml:4:5 listeners[0].upsteam: is not a known key; did you mean upstream? (given upsteam, allowed name, listen, intercept, proxyProtocol, matches, upstream, routes, login, source, upstreamMode, upstreamVerbs, upstreamKeepAlive, activeSourcePort, advertise, tls or upstreamTls)',
    `config.yaml:5:15 listeners[1].upstream: is neither an IP address nor a DNS name (given "010.1.1.1", allowed ${upstreamForms})`,
    'config.yaml:6:16 listeners[1].intercept: is not a known value; did you mean redirect? (given "redirct", allowed none, redirect or tproxy)',
    'config.yaml:7:34 listeners[1].advertise.clients[0].to: has bits below its mask; did you mean 10.0.0.0/8? (given "10.0.0.1/8", allowed any, a network such as 10.0.0.0/8 or 2001:db8::/32, or one address)',
    'config.yaml:7:55 listeners[1].advertise.clients[0].address: is neither an IP address nor a DNS name (given "", allowed an address that peers can connect to, such as 203.0.113.7 or 2001:db8::7, or a DNS name)',
    'config.yaml:7:71 listeners[1].advertise.servers: must be a list (given "any", allowed a list of rules such as { to: 10.0.0.0/8, address: 10.1.0.1 })',
    'config.yaml:8:5 listeners[2]: must be a map (given 5, allowed a map of name, listen, intercept, proxyProtocol, matches, upstream, routes, login, source, upstreamMode, upstreamVerbs, upstreamKeepAlive, activeSourcePort, advertise, tls and upstreamTls)',
    'config.yaml:9:12 dataPorts: ends before it begins (given "30999-30000", allowed FIRST-LAST within 1-65535, as in 30000-30999)',
    `config.yaml:10:22 pinholes.timeout: needs a unit, such as 60s (given 60, allowed ${durationForms})`,
    'config.yaml:10:35 pinholes.backend: is not a known value (given "nft", allowed relay or nftables)',
    'config.yaml:11:1 limits: is empty: leave the key out to get the defaults (given nothing, allowed a map of sessions, sessionsPerClient, idle, reply, transfer, connect, login, handshake, line, refusals and pinholesPerClient)',
    'config.yaml:12:24 policy.pasvAddress: is not an allowed value (given "trust", allowed control-peer, must-match, or a list of networks such as [10.2.0.0/16])',
    'config.yaml:12:40 policy.minPort: is too small (given 0, allowed 1 to 65535)',
    'config.yaml:12:51 policy.bounce: is empty (given nothing, allowed refuse or use-control-peer)',
    'config.yaml:13:8 admin: is not an allowed value (given "yes", allowed a map of listen, token and drainFrom, or false)',
    'config.yaml:14:6 log: must be a map (given "info", allowed a map of level, format and transfers)',
    `config.yaml:15:27 shutdown.drainTimeout: is not a duration (given "5 minutes", allowed ${durationForms})`,
    'config.yaml:16:10 workers: must be a whole number (given 1.5, allowed 1 to 128)',
    'config.yaml:17:1 workrs: is not a known key; did you mean workers? (given workrs, allowed upstreams, listeners, dataPorts, pinholes, limits, policy, admin, log, shutdown, reloadOnChange or workers)',
    'config.yaml:18:1 __proto__: is not a known key (given __proto__, allowed upstreams, listeners, dataPorts, pinholes, limits, policy, admin, log, shutdown, reloadOnChange or workers)',
  ])
})

test('mistakes between keys are found beside mistakes in single values', () => {
  const yaml = `listeners:
  - { name: a, upstream: ftp.internal }
  - { name: a, upstream: localhost, listen: 0.0.0.0:2122, source: client }
  - { name: b, listen: 99 }
limits: { idle: 5 }
dataPorts: { client: 30000-30999, server: 30900-31999 }
`
  expect(mistakesIn(yaml)).toEqual([
    'config.yaml:3:13 listeners[1].name: is the name of listeners[0] too (given "a", allowed a name of its own for each listener)',
    'config.yaml:3:67 listeners[1].source: cannot work with a server on this machine (localhost:21): its answers to a client do not pass the rules (given "client", allowed proxy)',
    `config.yaml:4:24 listeners[2].listen: has no port (given 99, allowed ${listenForms})`,
    `config.yaml:5:17 limits.idle: needs a unit, such as 5s (given 5, allowed ${durationForms})`,
    'config.yaml:6:43 dataPorts.server: shares 30900-30999 with dataPorts.client (given "30900-31999", allowed ports outside 30000-30999)',
  ])
})

describe('each wrong value of a key is refused with what is allowed', () => {
  test.each<[string, string]>([
    [
      'pinholes: { admit: { ipv4: "inet filter a; flush ruleset" } }',
      'pinholes.admit.ipv4: is not the name of a set (given "inet filter a; flush ruleset", allowed FAMILY TABLE SET with family ip, ip6 or inet, as in inet filter ftp_data)',
    ],
    ...['filter', 'ftp_alg_', 'ftp_alg_30000', 'ftp_alg_intercept', 'ftp_alg_a b', 'ftp_alg_a_b'].map(
      (name): [string, string] => [
        `pinholes: { table: ${name} }`,
        `pinholes.table: is not the name of a table (given "${name}", allowed ftp_alg, or ftp_alg_ and up to 16 letters and digits of which the first is a letter, as in ftp_alg_dmz)`,
      ],
    ),
    ['pinholes: { mark: 0 }', 'pinholes.mark: is too small (given 0, allowed 1 to 4294967295)'],
    ['limits: { sessions: 0 }', 'limits.sessions: is too small (given 0, allowed 1 to 1000000)'],
    ['limits: { sessions: 1000001 }', 'limits.sessions: is too large (given 1000001, allowed 1 to 1000000)'],
    [
      'limits: { sessions: "5" }',
      'limits.sessions: must be a whole number (given "5", allowed 1 to 1000000)',
    ],
    ['limits: { sessions: 1e300 }', 'limits.sessions: is too large (given 1e+300, allowed 1 to 1000000)'],
    [
      'limits: { sessions: .inf }',
      'limits.sessions: must be a whole number (given Infinity, allowed 1 to 1000000)',
    ],
    [
      'limits: { sessions: .nan }',
      'limits.sessions: must be a whole number (given NaN, allowed 1 to 1000000)',
    ],
    [
      'limits: { sessions: [1] }',
      'limits.sessions: must be a whole number (given a list of 1, allowed 1 to 1000000)',
    ],
    ['limits: { line: 100 }', 'limits.line: is too small (given 100, allowed 512 to 65536)'],
    [
      'limits: { line: 65k }',
      'limits.line: is more than 65536 bytes (given "65k", allowed 512 to 65536 bytes, as in 4096 or 4k)',
    ],
    [
      'limits: { line: true }',
      'limits.line: is not an allowed value (given true, allowed 512 to 65536 bytes, as in 4096 or 4k)',
    ],
    [
      'limits: { pinholesPerClient: all }',
      'limits.pinholesPerClient: is not an allowed value (given "all", allowed 1 to 65535, or half (of the range))',
    ],
    [
      'limits: { pinholesPerClient: 0 }',
      'limits.pinholesPerClient: is too small (given 0, allowed 1 to 65535)',
    ],
    ['limits: { idle: 15 }', `limits.idle: needs a unit, such as 15s (given 15, allowed ${durationForms})`],
    [
      'limits: { idle: [15m] }',
      `limits.idle: must be a duration (given a list of 1, allowed ${durationForms})`,
    ],
    [
      'policy: { pasvAddress: [] }',
      'policy.pasvAddress: is empty (given a list of 0, allowed control-peer, must-match, or a list of networks such as [10.2.0.0/16])',
    ],
    [
      'policy: { pasvAddress: [10.0.0.0/8, x] }',
      'policy.pasvAddress[1]: is not a network (given "x", allowed a network such as 10.0.0.0/8 or 2001:db8::/32, or one address)',
    ],
    [
      'policy: { auth: passthrough }',
      'policy.auth: is no key any more: leave it out where AUTH is refused, or set tls.mode: passthrough in the listeners where it passes (given auth, allowed bounce, pasvAddress, minPort, dataPeers or fxp)',
    ],
    [
      'admin: true',
      'admin: is not an allowed value (given true, allowed a map of listen, token and drainFrom, or false)',
    ],
    ['admin: { port: 1 }', 'admin.port: is not a known key (given port, allowed listen, token or drainFrom)'],
    [
      'admin: { token: s3cret }',
      'admin.token: is not an absolute path (given "s3cret", allowed an absolute path such as /etc/ftp-alg/admin.token)',
    ],
    [
      'admin: { drainFrom: [node] }',
      'admin.drainFrom[0]: is not a network (given "node", allowed a network such as 10.0.0.0/8 or 2001:db8::/32, or one address)',
    ],
    ['admin: { listen: localhost }', `admin.listen: has no port (given "localhost", allowed ${listenForms})`],
    [
      'dataPorts: 30000',
      'dataPorts: is not an allowed value (given 30000, allowed FIRST-LAST within 1-65535, as in 30000-30999, or a map of listen, announce, client, server and slice)',
    ],
    [
      'dataPorts: { clients: 1-2 }',
      'dataPorts.clients: is not a known key; did you mean client? (given clients, allowed listen, announce, client, server or slice)',
    ],
    [
      'dataPorts: { client: { listen: 1-2, anounce: 1-2 }, server: 3-4 }',
      'dataPorts.client.anounce: is not a known key; did you mean announce? (given anounce, allowed listen or announce)',
    ],
    [
      'dataPorts: { client: {}, server: 3-4 }',
      'dataPorts.client.listen: is required (given nothing, allowed FIRST-LAST within 1-65535, as in 30000-30999)',
    ],
    [
      'dataPorts: { slice: { index: 0 } }',
      'dataPorts.slice.of: is required (given nothing, allowed 1 to 1024)',
    ],
    [
      '"\\u001b[31m": 1',
      '"\\u001b[31m": is not a known key (given "\\u001b[31m", allowed upstreams, listeners, dataPorts, pinholes, limits, policy, admin, log, shutdown, reloadOnChange or workers)',
    ],
  ])('%s', (line, mistake) => {
    const [only, ...others] = mistakesIn(`${line}\nlisteners: [{ upstream: ftp.internal }]\n`)
    expect(only?.replace(/^config\.yaml:1:[0-9]+ /, '')).toBe(mistake)
    expect(others).toEqual([])
  })

  test.each([
    [
      'name: -edge',
      'name: is not the name of a listener (given "-edge", allowed up to 63 letters, digits, dots, hyphens and underscores, as in edge)',
    ],
    [
      'name: 12',
      'name: must be text: put it in quotes (given 12, allowed up to 63 letters, digits, dots, hyphens and underscores, as in edge)',
    ],
    [
      'name: ""',
      'name: is not the name of a listener (given "", allowed up to 63 letters, digits, dots, hyphens and underscores, as in edge)',
    ],
    [
      'matches: { ports: [] }',
      'matches.ports: is empty (given a list of 0, allowed one or more ports, as in [21])',
    ],
    ['matches: { ports: [0] }', 'matches.ports[0]: is too small (given 0, allowed 1 to 65535)'],
    [
      'matches: { interfaces: ["lan 0"] }',
      'matches.interfaces[0]: is not the name of a network interface (given "lan 0", allowed up to 15 letters, digits and the characters _.:-, as in lan0)',
    ],
    ['listen:', `listen: is empty (given nothing, allowed ${listenForms})`],
    ['upstream: {}', `upstream: must be a host and port (given a map, allowed ${upstreamForms})`],
    ['advertise: []', 'advertise: must be a map (given a list of 0, allowed a map of clients and servers)'],
    [
      'advertise: { clients: [{ to: any }] }',
      'advertise.clients[0].address: is required (given nothing, allowed an address that peers can connect to, such as 203.0.113.7 or 2001:db8::7, or a DNS name)',
    ],
  ])('of a listener: %s', (line, mistake) => {
    const rest = line.startsWith('upstream') ? '' : '\n    upstream: ftp.internal'
    const [only, ...others] = mistakesIn(`listeners:\n  - ${line}${rest}\n`)
    expect(only?.replace(/^config\.yaml:2:[0-9]+ listeners\[0\]\./, '')).toBe(mistake)
    expect(others).toEqual([])
  })
})

test('a path is written as in the file, and odd keys are quoted', () => {
  expect(formatPath(['listeners', 0, 'advertise', 'clients', 12, 'to'])).toBe(
    'listeners[0].advertise.clients[12].to',
  )
  expect(formatPath(['a b\n', 'c'])).toBe('"a b\\n".c')
})

test('whatever a file holds, loading gives a configuration or located mistakes', () => {
  // Half-right files: real keys with real, wrong and odd values.
  const keys = Object.keys(fileSchema.shape)
  const values = fc.constantFrom<unknown>(
    '30000-30999',
    'relay',
    '60s',
    60,
    null,
    true,
    false,
    '0.0.0.0:21',
    [],
    {},
    -1,
    'info',
    'ftp.internal',
    1.5,
  )
  const inner = fc.dictionary(
    fc.constantFrom('listen', 'client', 'server', 'slice', 'level', 'idle', 'timeout', 'upstream', 'to', 'x'),
    values,
    { maxKeys: 3 },
  )
  const trees = fc.dictionary(
    fc.constantFrom(...keys, 'extra', '__proto__'),
    fc.oneof(values, inner, fc.array(inner, { maxLength: 2 })),
    { maxKeys: 5 },
  )
  const line = /^(config\.yaml:[0-9]+:[0-9]+ \S.*: .+ \(given .+, allowed .+\)|config\.yaml: is empty .*)$/
  const isWorded = (tree: unknown) => {
    const yaml = stringify(tree)
    try {
      return load(yaml).config.listeners.length > 0
    } catch (error) {
      if (!(error instanceof AlgError) || error.code !== 'CONFIG_INVALID') return false
      return mistakesOf(error).every((mistake) => line.test(mistake))
    }
  }
  fc.assert(fc.property(trees, isWorded), { seed: 959, numRuns: fuzzRuns(1000) })
})

test('whatever bytes a file holds, nothing but located mistakes comes of it', () => {
  const yamlish = fc.string({
    unit: fc.constantFrom(...'a:-[]{}"\'#&*!|>%@`,? \n\t', 'listeners', 'ä', '\u0000', '\ud83d\ude00'),
    maxLength: 60,
  })
  const isWorded = (text: string | Uint8Array) => {
    try {
      load(text)
      return false
    } catch (error) {
      return error instanceof AlgError && error.exitCode === 2 && error.message !== ''
    }
  }
  fc.assert(fc.property(fc.oneof(yamlish, fc.uint8Array({ maxLength: 40 })), isWorded), {
    seed: 959,
    numRuns: fuzzRuns(3000),
  })
})

test('a right file gives no mistakes', () => {
  expect(configOf('listeners: [{ upstream: ftp.internal }]').listeners).toHaveLength(1)
})
