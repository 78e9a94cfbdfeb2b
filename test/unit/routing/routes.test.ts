import { describe, expect, test } from 'vitest'
import { type RouteRule, Routes, type RouteWords } from '../../../src/routing/routes.ts'

const any: Omit<RouteRule, 'name'> = { clients: [], serverName: null, host: null, user: null }
const unknown: RouteWords = { serverName: undefined, host: undefined, user: undefined }
const client = '192.0.2.9'

function routes(...rules: readonly RouteRule[]): Routes {
  return new Routes(rules, { hasDefault: false })
}

describe('routes', () => {
  test('the first that matches wins', () => {
    const two = routes({ ...any, name: 'a', user: 'j*' }, { ...any, name: 'b' })
    expect(two.choose(client, { ...unknown, user: 'joe' })).toEqual({ type: 'route', name: 'a' })
    expect(two.choose(client, { ...unknown, user: 'ann' })).toEqual({ type: 'route', name: 'b' })
  })

  test('every condition of a route must hold', () => {
    const both = routes({ ...any, name: 'a', clients: ['192.0.2.0/24'], host: 'a.net', user: 'joe' })
    const words = { serverName: null, host: 'a.net', user: 'joe' }
    expect(both.choose(client, words)).toEqual({ type: 'route', name: 'a' })
    expect(both.choose('198.51.100.1', words)).toEqual({ type: 'none' })
    expect(both.choose(client, { ...words, host: null })).toEqual({ type: 'none' })
    expect(both.choose(client, { ...words, user: 'ann' })).toEqual({ type: 'none' })
  })

  test('nothing is decided while an earlier route may still match, and no later than that', () => {
    const mixed = routes(
      { ...any, name: 'a', clients: ['192.0.2.0/24'] },
      { ...any, name: 'b', serverName: 'b.net', user: 'joe' },
      { ...any, name: 'c', clients: ['198.51.100.0/24'] },
    )
    expect(mixed.choose(client, unknown)).toEqual({ type: 'route', name: 'a' })
    expect(mixed.choose('198.51.100.1', unknown)).toEqual({ type: 'undecided' })
    expect(mixed.choose('198.51.100.1', { ...unknown, serverName: null })).toEqual({
      type: 'route',
      name: 'c',
    })
    expect(mixed.choose('203.0.113.1', { ...unknown, serverName: 'b.net' })).toEqual({ type: 'undecided' })
    expect(mixed.choose('203.0.113.1', { ...unknown, user: 'ann' })).toEqual({ type: 'none' })
  })

  test('users are compared as bytes, so that a name in UTF-8 matches', () => {
    const umlaut = routes({ ...any, name: 'a', user: 'jörg*' })
    const wire = Buffer.from('jörgen', 'utf8').toString('latin1')
    expect(umlaut.choose(client, { ...unknown, user: wire })).toEqual({ type: 'route', name: 'a' })
  })

  test('a user name of 4 kB is nothing special', () => {
    const long = routes({ ...any, name: 'a', user: '*x*y*z' }, { ...any, name: 'b' })
    expect(long.choose(client, { ...unknown, user: 'x'.repeat(4096) })).toEqual({ type: 'route', name: 'b' })
  })
})
