import { describe, expect, test } from 'vitest'
import { printConfig } from '../../../src/config/effective.ts'
import { configOf, mistakesIn } from './sources.ts'

const both = "clients: [10.0.0.0/8], destinations: ['*.example.net:21']"

function withLogin(login: string, more = ''): string {
  return `listeners: [{ name: out, ${more} login: { ${login} } }]\n`
}

test('a forward proxy needs no upstream, and what is printed gives the same again', () => {
  const config = configOf(
    withLogin(
      "clients: [10.0.0.0/8], destinations: ['*.Example.net', '10.9.0.0/16:2100-2199', '[2001:db8::/32]:21']",
    ),
  )
  expect(config.listeners).toMatchObject([
    {
      upstream: null,
      login: {
        clients: ['10.0.0.0/8'],
        destinations: [
          { host: '*.example.net', isNetwork: false, ports: { first: 21, last: 21 } },
          { host: '10.9.0.0/16', isNetwork: true, ports: { first: 2100, last: 2199 } },
          { host: '2001:db8::/32', isNetwork: true, ports: { first: 21, last: 21 } },
        ],
      },
    },
  ])
  expect(configOf(printConfig(config))).toEqual(config)
})

describe('mistakes', () => {
  test.each([
    [
      'clients: [10.0.0.0/8]',
      'login.destinations: is empty: a proxy for everybody to everywhere is not allowed (given a list of 0',
    ],
    ["destinations: ['*']", 'login.clients: is empty: a proxy for everybody to everywhere is not allowed'],
    ["clients: [10.0.0.0/8], destinations: ['10.9.0.1/16']", 'destinations[0]: has bits below its mask'],
    [
      "clients: [10.0.0.0/8], destinations: ['a b']",
      'destinations[0]: is neither a host nor a network (given "a b"',
    ],
    ["clients: [10.0.0.0/8], destinations: ['a:0']", 'destinations[0]: '],
    [
      "clients: [10.0.0.0/8], destinations: ['a:30-21']",
      'destinations[0]: has ports that end before they begin',
    ],
    ["clients: [10.0.0.0/8], destinations: ['a:21-22-23']", 'destinations[0]: has ports that are no range'],
    ["clients: [10.0.0.0/8], destinations: ['2001:db8::1']", 'destinations[0]: '],
    [
      "clients: [10.0.0.0/8], destinations: ['300.1.1.1']",
      'destinations[0]: is neither a host nor a network',
    ],
  ])('%s', (login, text) => {
    expect(mistakesIn(withLogin(login)).join('\n')).toContain(text)
  })

  test.each([
    ['upstream: ftp.example.net,', 'login: contradicts upstream: clients name their servers themselves'],
    ["routes: [{ user: a, upstream: 'b:21' }],", 'login: contradicts routes'],
    ['intercept: tproxy,', 'login: has no use when intercept is tproxy'],
  ])('beside %s', (more, text) => {
    expect(mistakesIn(withLogin(both, more)).join('\n')).toContain(text)
  })
})
