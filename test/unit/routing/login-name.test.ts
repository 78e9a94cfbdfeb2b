import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseLogin, parseNamedHost } from '../../../src/routing/login-name.ts'

describe('parseLogin', () => {
  test.each([
    ['joe@ftp.example.net', { user: 'joe', host: 'ftp.example.net', port: 21 }],
    ['joe@FTP.Example.NET.:2121', { user: 'joe', host: 'ftp.example.net', port: 2121 }],
    ['joe@corp@10.0.0.5', { user: 'joe@corp', host: '10.0.0.5', port: 21 }],
    ['joe%40x@a b', null],
    ['joe%40x@a 99', { user: 'joe%40x', host: 'a', port: 99 }],
    ['joe@[2001:DB8::5]:21', { user: 'joe', host: '2001:db8::5', port: 21 }],
    ['joe', null],
    ['@ftp.example.net', null],
    ['joe@', null],
    ['joe@a:0', null],
    ['joe@a:65536', null],
    ['joe@a:', null],
    ['joe@10.1.1', null],
    ['joe@a..b', null],
    ['joe@fe80::1%eth0', null],
  ])('%s', (argument, login) => {
    expect(parseLogin(argument)).toEqual(login)
  })

  test('any user name comes back as it was, up to 4 kB', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 4096 }), (user) => {
        expect(parseLogin(`${user}@ftp.example.net:2121`)).toEqual({
          user,
          host: 'ftp.example.net',
          port: 2121,
        })
      }),
      { numRuns: 500, seed: 1 },
    )
  })
})

test('parseNamedHost takes blanks around and a port behind one', () => {
  expect(parseNamedHost(' ftp.example.net  2121 ')).toEqual({ host: 'ftp.example.net', port: 2121 })
  expect(parseNamedHost('ftp.example.net 2121 x')).toBeNull()
  expect(parseNamedHost('')).toBeNull()
})
