import { describe, expect, test } from 'vitest'
import { printConfig } from '../../../src/config/effective.ts'
import { configOf, mistakesIn, warningsIn } from './sources.ts'

const pools =
  'upstreams: [{ name: partners, servers: [{ address: p }] }, { name: inner, servers: [{ address: i }] }]'
const tls = 'tls: { mode: optional, certificates: [{ certificate: /etc/a.crt, key: /etc/a.key }] }'

function withRoutes(routes: string, listener = 'upstream: ftp.example.net'): string {
  return `${pools}\nlisteners: [{ listen: 127.0.0.1:2121, ${listener}, routes: [${routes}] }]\n`
}

/** Warnings about routes alone: pools that no route of a test names are beside the point. */
const routeWarningsIn = (yaml: string) =>
  warningsIn(yaml).filter((text) => !text.includes('named by no listener'))

test('routes get names and defaults, and pools by their names', () => {
  const [listener] = configOf(
    withRoutes(
      "{ user: 'partner-*', upstream: partners }, { name: lan, clients: [10.0.0.0/8], upstream: 'lan:2121' }",
    ),
  ).listeners
  const none = { clients: [], serverName: null, host: null, user: null }
  expect(listener?.routes).toEqual([
    {
      ...none,
      name: 'route-1',
      user: 'partner-*',
      upstream: { host: 'partners', port: 21 },
      pool: 'partners',
    },
    { ...none, name: 'lan', clients: ['10.0.0.0/8'], upstream: { host: 'lan', port: 2121 } },
  ])
})

test('a listener with routes needs no upstream', () => {
  expect(configOf(withRoutes('{ user: joe, upstream: partners }', 'name: a')).listeners).toMatchObject([
    { upstream: null },
  ])
})

test('what is printed gives the same again', () => {
  const config = configOf(
    withRoutes(
      "{ serverName: A.example.net, host: '*.example.net', user: 'jörg*', clients: [10.0.0.0/8], upstream: inner }, { user: b, upstream: '[2001:db8::1]:2121' }",
      `upstream: partners, ${tls}`,
    ),
  )
  expect(configOf(printConfig(config))).toEqual(config)
})

describe('mistakes', () => {
  test.each([
    [
      '{ user: a, upstream: partnrs }',
      'routes[0].upstream: is the name of no pool; did you mean partners? (given "partnrs", allowed partners, inner, HOST:PORT for a server)',
    ],
    ['{ user: a }', 'routes[0].upstream: is required'],
    ['{ clients: [10.0.0.1/8], upstream: inner }', 'routes[0].clients[0]: has bits below its mask'],
    ['{ user: "", upstream: inner }', 'routes[0].user: is not a pattern of user names (given ""'],
    ['{ host: "a b", upstream: inner }', 'routes[0].host: is not a pattern of host names (given "a b"'],
    [
      '{ serverName: a.net, upstream: inner }',
      'routes[0].serverName: needs TLS with clients, and tls.mode is off',
    ],
    ['{ user: a, upstream: 127.0.0.1:2121 }', 'routes[0].upstream: leads back to ourselves'],
    [
      '{ name: a, user: a, upstream: inner }, { name: a, user: b, upstream: inner }',
      'routes[1].name: is the name of routes[0] too',
    ],
    [
      '{ name: default, user: a, upstream: inner }',
      'routes[0].name: is what the listener’s own upstream is called',
    ],
    ['{ usr: a, upstream: inner }', 'usr: is not a known key; did you mean user?'],
  ])('%s', (route, text) => {
    expect(mistakesIn(withRoutes(route)).join('\n')).toContain(text)
  })

  test('routes of intercepted clients', () => {
    const yaml = withRoutes('{ user: a, upstream: inner }', 'intercept: redirect')
    expect(mistakesIn(yaml).join('\n')).toContain('routes: has no use when intercept is redirect')
  })
})

describe('a route that is never used gives a warning', () => {
  test.each([
    [
      "{ user: 'a*', upstream: inner }, { user: 'ab*', upstream: partners }",
      'routes[1]: is never used: the first route that matches wins, and route-1 matches all',
    ],
    [
      '{ clients: [10.0.0.0/8], upstream: inner }, { clients: [10.1.0.0/16], user: a, upstream: partners }',
      'routes[1]: is never used',
    ],
    ['{ upstream: inner }', 'upstream: is never used: the route route-1 is for every client'],
  ])('%s', (routes, text) => {
    expect(routeWarningsIn(withRoutes(routes)).join('\n')).toContain(text)
  })

  test.each([
    "{ user: 'ab*', upstream: inner }, { user: 'a*', upstream: partners }",
    '{ clients: [10.0.0.0/8], user: a, upstream: inner }, { clients: [10.1.0.0/16], upstream: partners }',
    '{ clients: [10.0.0.0/8], upstream: inner }, { user: a, upstream: partners }',
    "{ user: 'a*b', upstream: inner }, { user: 'a*', upstream: partners }",
  ])('and one that is used gives none: %s', (routes) => {
    expect(routeWarningsIn(withRoutes(routes))).toEqual([])
  })
})
