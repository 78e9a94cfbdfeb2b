import { describe, expect, it } from 'vitest'
import { printConfig } from '../../../src/config/effective.ts'
import { configOf, load, mistakesIn } from './sources.ts'

const pair = '{ certificate: /etc/ftp-alg/edge.crt, key: /etc/ftp-alg/edge.key }'
const listener = (keys: string) => `listeners: [{ upstream: ftp.example.net, ${keys} }]\n`

describe('TLS of a listener', () => {
  it('is off, and not there, unless it is asked for', () => {
    const [plain] = configOf(listener('tls: { mode: off }, upstreamTls: {}')).listeners
    expect(plain).not.toHaveProperty('tls')
    expect(plain).not.toHaveProperty('upstreamTls')
  })

  it('has strict defaults', () => {
    const text = listener(`tls: { mode: required, certificates: [${pair}] }, upstreamTls: { mode: required }`)
    expect(configOf(text).listeners[0]).toMatchObject({
      tls: {
        mode: 'required',
        minVersion: 'TLSv1.2',
        dataReuse: 'offered',
        truncation: 'refuse',
        alpn: 'strict',
      },
      upstreamTls: { mode: 'required', verify: 'full', ca: null, dataProtection: 'required' },
    })
  })

  it('is printed as a file that says the same', () => {
    const text = listener(
      `tls: { mode: implicit, certificates: [${pair}], ciphers: { tls13: TLS_AES_128_GCM_SHA256 } }, upstreamTls: { mode: as-client, ca: /etc/ca.crt }`,
    )
    const config = configOf(text)
    expect(configOf(printConfig(config))).toEqual(config)
  })

  it.each([
    ['tls: { mode: required }', /tls\.certificates: is needed when tls\.mode is required/],
    [
      `tls: { mode: required, certificates: [${pair}], clientCertificates: required }`,
      /tls\.clientCa: is needed/,
    ],
    ['upstreamTls: { mode: as-client }', /upstreamTls\.mode: has no client with TLS to follow/],
    ['upstreamTls: { mode: required, verify: pin }', /upstreamTls\.pins: is needed when verify is pin/],
    ['upstreamTls: { mode: required, key: /etc/a.key }', /upstreamTls\.certificate: is missing/],
    ['upstreamTls: { mode: required, pins: [abc] }', /upstreamTls\.pins\[0\]: is not the name of a pin/],
    ['tls: { mode: required, certificates: [{ certificate: a.crt, key: /b }] }', /is not an absolute path/],
  ])('%s is a mistake', (keys, mistake) => {
    expect(mistakesIn(listener(keys)).join('\n')).toMatch(mistake)
  })

  it.each([
    ['upstreamTls: { mode: required, verify: none }', /lets anybody be the server/],
    ['upstreamTls: { mode: optional }', /goes on in clear with a server that refuses TLS/],
  ])('%s is warned about', (keys, warning) => {
    expect(load(listener(keys)).warnings.join('\n')).toMatch(warning)
  })
})

describe('TLS that passes through', () => {
  it.each([
    ['passthrough', 'explicit'],
    ['passthrough-implicit', 'implicit'],
  ])('is no TLS of ours: %s', (mode, passthrough) => {
    const config = configOf(listener(`tls: { mode: ${mode} }`).replace('.net', '.net:990'))
    expect(config.listeners[0]).toMatchObject({ passthrough })
    expect(config.listeners[0]).not.toHaveProperty('tls')
    expect(configOf(printConfig(config))).toEqual(config)
  })

  it.each([
    [
      `tls: { mode: passthrough, certificates: [${pair}], dataReuse: required }`,
      [
        'tls.certificates: has no use when tls.mode is passthrough: TLS is between client and server alone (given a list of 1, allowed nothing)',
        'tls.dataReuse: has no use when tls.mode is passthrough: TLS is between client and server alone (given "required", allowed nothing)',
      ],
    ],
    [
      'tls: { mode: passthrough }, upstreamTls: { mode: as-client }',
      [
        'upstreamTls.mode: has no use when tls.mode is passthrough: TLS is between client and server alone (given "as-client", allowed off)',
      ],
    ],
    [
      "tls: { mode: passthrough }, routes: [{ clients: [10.0.0.0/8], upstream: a:21 }, { user: 'p*', serverName: x, upstream: b:21 }]",
      [
        'routes[1].serverName: cannot be known when tls.mode is passthrough: the server is chosen before TLS begins, and nothing in TLS is read (given "x", allowed clients, the only condition here)',
        'routes[1].user: cannot be known when tls.mode is passthrough: the server is chosen before TLS begins, and nothing in TLS is read (given "p*", allowed clients, the only condition here)',
      ],
    ],
    [
      'tls: { mode: passthrough-implicit }, upstreamMode: passive, upstreamVerbs: [PASV], upstreamKeepAlive: 60s, activeSourcePort: 20, advertise: { clients: [{ to: any, address: own }] }',
      [
        'upstreamMode: has no use when tls.mode is passthrough-implicit: no command or reply is read (given "passive", allowed client)',
        'upstreamVerbs: has no use when tls.mode is passthrough-implicit: no command or reply is read (given a list of 1, allowed nothing)',
        'upstreamKeepAlive: has no use when tls.mode is passthrough-implicit: no command or reply is read (given "60000ms", allowed off)',
        'activeSourcePort: has no use when tls.mode is passthrough-implicit: no command or reply is read (given 20, allowed any)',
        'advertise.clients: has no use when tls.mode is passthrough-implicit: no command or reply is read (given a list of 1, allowed nothing)',
      ],
    ],
  ])('contradicts what needs to see into it: %s', (keys, mistakes) => {
    const found = mistakesIn(listener(keys)).map((line) => line.replace(/^\S+ listeners\[0\]\./, ''))
    expect(found.sort()).toEqual(mistakes.sort())
  })

  it('has no user who names a server', () => {
    const text =
      "listeners: [{ tls: { mode: passthrough }, login: { clients: [10.0.0.0/8], destinations: ['*.example.net:21'] } }]"
    expect(mistakesIn(text).join('\n')).toContain(
      'listeners[0].login: has no use when tls.mode is passthrough: clients begin TLS with their server before they could name it (given a map, allowed nothing, or tls of our own)',
    )
  })

  it('does not go through the proxy of a pool', () => {
    const pools = 'upstreams: [{ name: far, servers: [{ address: a }], via: socks5://proxy:1080 }]\n'
    const text = `${pools}listeners: [{ upstream: far, upstreamMode: passive, tls: { mode: passthrough } }]`
    expect(mistakesIn(text)).toEqual([
      'config.yaml:2:66 listeners[0].tls.mode: leads to pool far, whose servers are behind the proxy of via: data connections inside TLS that passes through cannot go there (given "far", allowed a pool without via, or tls of our own)',
    ])
  })

  it.each(['tls: { mode: passthrough-implicit }', 'upstreamTls: { mode: implicit }'])(
    'hides the greeting that checks of a pool wait for, as all TLS from the first byte does: %s',
    (keys) => {
      const text = (health: string) =>
        `upstreams: [{ name: far, servers: [{ address: a:990 }]${health} }]\nlisteners: [{ upstream: far, ${keys} }]`
      expect(mistakesIn(text('')).join('\n')).toMatch(
        /upstreams\[0\]\.health\.expect: is never met: listener default speaks TLS .* \(given "greeting", allowed connect, or upstreamTls in the pool\)$/,
      )
      expect(configOf(text(', health: { expect: connect }')).listeners[0]?.pool).toBe('far')
      expect(configOf(text(', health: false')).listeners[0]?.pool).toBe('far')
    },
  )

  it('from the first byte is warned about before a port where servers greet in clear', () => {
    expect(load(listener('tls: { mode: passthrough-implicit }')).warnings.join('\n')).toMatch(
      /upstream: is on port 21, where servers greet in clear/,
    )
  })
})
