import { describe, expect, test } from 'vitest'
import { configOf, mistakesIn, warningsIn } from './sources.ts'

const one = 'listeners: [{ upstream: ftp.internal }]\n'

describe('a listener', () => {
  test('that is intercepted brings its own destination, so an upstream is refused', () => {
    expect(mistakesIn('listeners: [{ intercept: redirect, upstream: ftp.internal }]')).toEqual([
      'config.yaml:1:46 listeners[0].upstream: has no use when intercept is redirect: each connection brings its own destination (given "ftp.internal:21", allowed nothing, or intercept: none)',
    ])
    expect(configOf('listeners: [{ intercept: redirect }]').listeners[0]?.upstream).toBeNull()
  })

  test.each([
    ['intercept: redirect', 'needs intercept: tproxy or none, and intercept is redirect'],
    [
      'upstream: localhost:2021',
      'cannot work with a server on this machine (localhost:2021): its answers to a client do not pass the rules',
    ],
    [
      'upstream: "[2001:db8::1]"',
      'cannot work: clients of 0.0.0.0:2121 have IPv4 addresses, and the server [2001:db8::1]:21 has an IPv6 address',
    ],
  ])('cannot show the client’s address with %s', (keys, reason) => {
    expect(mistakesIn(`listeners: [{ source: client, ${keys} }]`)).toEqual([
      `config.yaml:1:23 listeners[0].source: ${reason} (given "client", allowed proxy)`,
    ])
  })

  test('cannot show it to a server of a pool on this machine', () => {
    const pool = 'upstreams: [{ name: ftp, servers: [{ address: 10.0.0.5 }, { address: 127.0.0.1 }] }]\n'
    expect(mistakesIn(`${pool}listeners: [{ source: client, upstream: ftp }]`)).toEqual([
      expect.stringContaining(
        'listeners[0].source: cannot work with a server on this machine (127.0.0.1:21)',
      ),
    ])
  })

  test.each([
    'intercept: tproxy',
    'upstream: ftp.internal',
    'upstream: 10.0.0.5',
    'listen: "[::]:2121", upstream: 10.0.0.5',
  ])('can show the client’s address with %s', (keys) => {
    expect(configOf(`listeners: [{ source: client, ${keys} }]`).listeners[0]?.source).toBe('client')
  })

  test('has a name and an address of its own', () => {
    const yaml = `listeners:
  - { upstream: a }
  - { upstream: b, name: other }
  - { upstream: c, listen: 0.0.0.0:2122 }
  - { upstream: d, listen: 0.0.0.0:0, name: free }
  - { upstream: d, listen: 0.0.0.0:0, name: free too }
`
    expect(mistakesIn(yaml.replace('free too', 'free-too'))).toEqual([
      'config.yaml:3:5 listeners[1].listen: clashes with listener default on 0.0.0.0:2121 (given "0.0.0.0:2121", allowed an address and port of its own)',
      'config.yaml:4:5 listeners[2].name: is the name of listeners[0] too (given "default", allowed a name of its own for each listener)',
    ])
  })

  test('does not listen where the admin server does', () => {
    expect(
      mistakesIn('admin: { listen: 127.0.0.1:2121 }\nlisteners: [{ upstream: a, listen: ":2121" }]'),
    ).toEqual([
      'config.yaml:1:18 admin.listen: clashes with listener default on [::]:2121 (given "127.0.0.1:2121", allowed an address and port of its own)',
    ])
  })

  test('does not lead back to a listener of ours', () => {
    const yaml = `listeners:
  - { name: a, listen: 127.0.0.1:2121, upstream: 127.0.0.1:2122 }
  - { name: b, listen: 0.0.0.0:2122, upstream: localhost:2121 }
`
    expect(mistakesIn(yaml)).toEqual([
      'config.yaml:2:50 listeners[0].upstream: leads back to ourselves: listener b listens on 0.0.0.0:2122 (given "127.0.0.1:2122", allowed another host or port)',
      'config.yaml:3:48 listeners[1].upstream: leads back to ourselves: listener a listens on 127.0.0.1:2121 (given "localhost:2121", allowed another host or port)',
    ])
    expect(mistakesIn(null, { flags: { upstream: '127.0.0.1:21', listen: ':21' } })).toEqual([
      '--upstream: leads back to ourselves: listener default listens on [::]:21 (given "127.0.0.1:21", allowed another host or port)',
    ])
  })

  test('warns about an advertise rule behind one that takes everything it would', () => {
    const yaml = `listeners:
  - upstream: a
    advertise:
      clients: [{ to: 10.0.0.0/8, address: 10.0.0.1 }, { to: 10.1.0.0/16, address: 10.1.0.1 }, { to: any, address: b }]
      servers: [{ to: any, address: 192.0.2.1 }, { to: "::/0", address: 2001:db8::1 }]
`
    expect(warningsIn(yaml)).toEqual([
      'config.yaml:4:62 listeners[0].advertise.clients[1].to: is never used: the first rule that matches wins, and an earlier one is for 10.0.0.0/8 (given 10.1.0.0/16)',
      'config.yaml:5:56 listeners[0].advertise.servers[1].to: is never used: the first rule that matches wins, and an earlier one is for any (given ::/0)',
    ])
  })
})

test('clients are called from a port on which we do not listen, and only where they are not intercepted', () => {
  expect(configOf('listeners: [{ upstream: a, activeSourcePort: 20 }]').listeners[0]?.activeSourcePort).toBe(
    20,
  )
  const yaml = `listeners:
  - { name: a, upstream: x, listen: 127.0.0.1:2121, activeSourcePort: 2122 }
  - { name: b, upstream: x, listen: 127.0.0.1:2122, activeSourcePort: 30999 }
  - { name: c, intercept: redirect, listen: 127.0.0.1:2123, activeSourcePort: 20 }
`
  expect(mistakesIn(yaml)).toEqual([
    'config.yaml:2:71 listeners[0].activeSourcePort: is the port on which listener b listens (given 2122, allowed a port on which we do not listen, or any)',
    'config.yaml:3:71 listeners[1].activeSourcePort: is one of dataPorts (given 30999, allowed a port on which we do not listen, or any)',
    'config.yaml:4:79 listeners[2].activeSourcePort: has no use when intercept is redirect: clients are called from the port before their server’s (given 20, allowed any)',
  ])
  expect(mistakesIn('listeners: [{ upstream: a, activeSourcePort: none }]')).toHaveLength(1)
})

test('nobody stands between us and the clients that we intercept', () => {
  const yaml = 'listeners: [{ intercept: redirect, proxyProtocol: { from: [10.0.0.7, 10.1.0.0/16] } }]'
  expect(mistakesIn(yaml)).toEqual([
    expect.stringContaining(
      'listeners[0].proxyProtocol.from: has no use when intercept is redirect: what is intercepted comes from the clients themselves (given "10.0.0.7/32, 10.1.0.0/16", allowed nothing)',
    ),
  ])
  expect(mistakesIn('listeners: [{ upstream: a, proxyProtocol: { from: [balancer] } }]')).toHaveLength(1)
})

test('a listener that takes the connections of an earlier one gives a warning', () => {
  const yaml = (matches: string) => `listeners:
  - { name: a, intercept: tproxy, listen: 127.0.0.1:2121, matches: { ports: [21, 2100], interfaces: [lan0] } }
  - { name: b, intercept: redirect, listen: 127.0.0.1:2122, matches: ${matches} }
`
  expect(warningsIn(yaml('{ interfaces: [lan1, lan0] }'))).toEqual([
    'config.yaml:3:70 listeners[1].matches: takes connections that listener a takes too (given ports 21)',
  ])
  expect(warningsIn(yaml('{ ports: [990, 2100] }'))).toHaveLength(1)
  expect(warningsIn(yaml('{ interfaces: [lan1] }'))).toEqual([])
  expect(warningsIn(yaml('{ ports: [990] }'))).toEqual([])
  expect(warningsIn(yaml('{}').replace('intercept: tproxy', 'upstream: ftp.internal'))).toEqual([])
  expect(warningsIn(yaml('{}').replace('listen: 127.0.0.1:2122', 'listen: "[::1]:2122"'))).toEqual([])
})

describe('data ports', () => {
  test('may be one range, a translated range, or two ranges', () => {
    const range = { first: 20_000, last: 20_099, announceOffset: 0 }
    const other = { first: 20_100, last: 20_199, announceOffset: 0 }
    const ports = (written: string) => configOf(`${one}dataPorts: ${written}\n`).dataPorts
    expect(ports('20000-20099')).toEqual({ client: range, server: range, shared: true })
    expect(ports('{ listen: 20000-20099 }')).toEqual({ client: range, server: range, shared: true })
    expect(ports('{ listen: 20000-20099, announce: 10000-10099 }')).toEqual({
      client: { ...range, announceOffset: -10_000 },
      server: { ...range, announceOffset: -10_000 },
      shared: true,
    })
    expect(ports('{ client: 20000-20099, server: 20100-20199 }')).toEqual({
      client: range,
      server: other,
      shared: false,
    })
    expect(
      ports('{ client: { listen: 20000-20099, announce: 40000-40099 }, server: { listen: 20100-20199 } }'),
    ).toEqual({
      client: { ...range, announceOffset: 20_000 },
      server: other,
      shared: false,
    })
    expect(ports('{ slice: { index: 0, of: 1000 } }').client).toEqual({
      first: 30_000,
      last: 30_000,
      announceOffset: 0,
    })
  })

  test.each([
    [
      '{ listen: 1-2, client: 3-4, server: 5-6 }',
      'dataPorts: mixes one pool with two (given "listen, client, server", allowed listen and announce for one pool, or client and server for two)',
    ],
    [
      '{ announce: 1-2, client: 3-4, server: 5-6 }',
      'dataPorts: mixes one pool with two (given "announce, client, server", allowed listen and announce for one pool, or client and server for two)',
    ],
    [
      '{ client: 3-4 }',
      'dataPorts.server: is required beside dataPorts.client (given nothing, allowed a range of its own, as in 31000-31999)',
    ],
    [
      '{ server: 3-4 }',
      'dataPorts.client: is required beside dataPorts.server (given nothing, allowed a range of its own, as in 31000-31999)',
    ],
    [
      '{ listen: 1000-1999, announce: 3000-3998 }',
      'dataPorts.announce: has 999 ports (given "3000-3998", allowed 1000 ports, as many as in listen: 1000-1999)',
    ],
    [
      '{ client: { listen: 1000-1999, announce: 3000-4999 }, server: 5-6 }',
      'dataPorts.client.announce: has 2000 ports (given "3000-4999", allowed 1000 ports, as many as in listen: 1000-1999)',
    ],
    [
      '{ announce: 1-10 }',
      'dataPorts.announce: has 10 ports (given "1-10", allowed 1000 ports, as many as in listen: 30000-30999)',
    ],
    [
      '{ client: 3000-3999, server: 3999-4999 }',
      'dataPorts.server: shares 3999-3999 with dataPorts.client (given "3999-4999", allowed ports outside 3000-3999)',
    ],
    [
      '{ listen: 3000-3002, slice: { index: 0, of: 4 } }',
      'dataPorts.listen: has 3 ports for 4 slices (given "3000-3002", allowed at least 4 ports)',
    ],
    [
      '{ client: 3000-3009, server: 4000-4002, slice: { index: 0, of: 4 } }',
      'dataPorts.server: has 3 ports for 4 slices (given "4000-4002", allowed at least 4 ports)',
    ],
    [
      '{ slice: { index: 4, of: 4 } }',
      'dataPorts.slice.index: is too large (given 4, allowed 0 to 3, because dataPorts.slice.of is 4)',
    ],
    [
      '2000-2999',
      'dataPorts: has port 2121, on which listener default listens (given "2000-2999", allowed a range without that port)',
    ],
    [
      '{ client: 30000-30999, server: 9121-9121 }',
      'dataPorts.server: has port 9121, on which admin listens (given "9121-9121", allowed a range without that port)',
    ],
  ])('%s is refused', (written, mistake) => {
    const [only, ...others] = mistakesIn(`dataPorts: ${written}\n${one}`)
    expect(only?.replace(/^config\.yaml:1:[0-9]+ /, '')).toBe(mistake)
    expect(others).toEqual([])
  })

  test('keep clear of our own ports in the slices of other instances too', () => {
    const written = '{ listen: 2000-2999, slice: { index: 3, of: 4 } }'
    expect(mistakesIn(`dataPorts: ${written}\n${one}`)).toEqual([expect.stringContaining('has port 2121')])
  })

  test('are at least one for each worker', () => {
    expect(
      mistakesIn(`${one}workers: 4\ndataPorts: { listen: 20000-20006, slice: { index: 0, of: 2 } }\n`),
    ).toEqual([
      'config.yaml:3:22 dataPorts.listen: has too few ports for 4 workers (given "20000-20006", allowed at least 8 ports, one a worker and slice)',
    ])
    expect(configOf(`${one}workers: 4\ndataPorts: 20000-20003\n`).workers).toBe(4)
  })

  test('warn when the system uses them for outgoing connections, unless they are reserved', () => {
    const range = { first: 32_768, last: 60_999 }
    const yaml = `${one}dataPorts: 32000-33000\n`
    expect(warningsIn(yaml, { ephemeralPorts: { range, reserved: [] } })).toEqual([
      'config.yaml:2:12 dataPorts: has ports 32768-33000 that the system also gives to outgoing connections (given 32000-33000, net.ipv4.ip_local_port_range is 32768-60999); add them to net.ipv4.ip_local_reserved_ports',
    ])
    expect(
      warningsIn(yaml, { ephemeralPorts: { range, reserved: [{ first: 32_000, last: 33_000 }] } }),
    ).toEqual([])
    expect(warningsIn(one, { ephemeralPorts: { range, reserved: [] } })).toEqual([])
  })

  test('warn when they are announced below 1024', () => {
    expect(warningsIn(`${one}dataPorts: { listen: 20000-20099, announce: 1000-1099 }\n`)).toEqual([
      'config.yaml:2:22 dataPorts.listen: announces ports below 1024, which most servers and clients refuse as a bounce attack, RFC 2577 §3 (given 1000-1099)',
    ])
  })
})

test('a pinhole timeout under 30 seconds is accepted with a warning', () => {
  expect(warningsIn(`${one}pinholes: { timeout: 29999ms }\n`)).toEqual([
    'config.yaml:2:22 pinholes.timeout: is under the 30s that RFC 6384 §12 asks for: slow clients will miss their pinhole (given 29999ms)',
  ])
  expect(warningsIn(`${one}pinholes: { timeout: 30s }\n`)).toEqual([])
})
