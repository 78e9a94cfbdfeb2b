import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatListen,
  formatUpstream,
  listenForm,
  listensClash,
  parseListen,
  parseUpstream,
  upstreamForm,
  upstreamIsListen,
} from '../../../src/config/socket-address.ts'

describe('a listen address', () => {
  test.each([
    ['0.0.0.0:2121', '0.0.0.0', 2121],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['[::]:2121', '::', 2121],
    [':2121', '::', 2121],
    ['localhost:2121', '127.0.0.1', 2121],
    ['[2001:DB8::1]:65535', '2001:db8::1', 65_535],
    ['[::ffff:10.0.0.1]:21', '10.0.0.1', 21],
  ])('%s is %s port %d', (text, address, port) => {
    expect(parseListen(text)).toEqual({ ok: true, value: { address, port } })
    expect(text).toMatch(new RegExp(listenForm.pattern))
  })

  test.each([
    ['2121', 'has no port'],
    ['0.0.0.0', 'has no port'],
    ['[::]', 'has no port'],
    ['::', 'needs brackets around an IPv6 address'],
    ['::1', 'needs brackets around an IPv6 address'],
    ['::1:2121', 'needs brackets around an IPv6 address'],
    ['0.0.0.0:', 'has a port that is not a number'],
    ['0.0.0.0:ftp', 'has a port that is not a number'],
    ['0.0.0.0:-1', 'has a port that is not a number'],
    ['0.0.0.0:21 ', 'has a port that is not a number'],
    ['0.0.0.0:00', 'has port 0'],
    ['0.0.0.0:021', 'has a port with a leading zero'],
    ['0.0.0.0:65536', 'has a port above 65535'],
    ['010.0.0.1:21', 'is not an IP address'],
    ['1:21', 'is not an IP address'],
    ['*:21', 'is not an IP address'],
    ['ftp.example.net:21', 'is a name where an address is needed'],
    ['[127.0.0.1]:21', 'has brackets around something that is not an IPv6 address'],
    ['[]:21', 'has brackets around something that is not an IPv6 address'],
    ['[fe80::1%eth0]:21', 'has a zone id, which means something on one machine only'],
    ['unix:/run/ftp.sock', 'has a port that is not a number'],
    ['', 'has no port'],
  ])('%j is refused: %s', (text, reason) => {
    expect(parseListen(text)).toEqual({ ok: false, reason })
  })

  test('is written as it is read', () => {
    const listens = fc.record({
      address: fc.oneof(fc.ipV4(), fc.constantFrom('::', '::1', '2001:db8::7')),
      port: fc.nat({ max: 65_535 }),
    })
    const readsBack = (listen: { address: string; port: number }) =>
      JSON.stringify(parseListen(formatListen(listen))) === JSON.stringify({ ok: true, value: listen })
    fc.assert(fc.property(listens, readsBack), { seed: 959, numRuns: 2000 })
  })

  test.each([
    ['0.0.0.0:21', '0.0.0.0:21'],
    ['0.0.0.0:21', '127.0.0.1:21'],
    ['[::]:21', '0.0.0.0:21'],
    ['[::]:21', '10.0.0.1:21'],
    ['[::]:21', '[::1]:21'],
  ])('%s clashes with %s, whichever comes first', (one, other) => {
    expect([listensClash(listen(one), listen(other)), listensClash(listen(other), listen(one))]).toEqual([
      true,
      true,
    ])
  })

  test.each([
    ['0.0.0.0:21', '0.0.0.0:22'],
    ['0.0.0.0:0', '0.0.0.0:0'],
    ['0.0.0.0:21', '[::1]:21'],
    ['10.0.0.1:21', '10.0.0.2:21'],
  ])('%s does not clash with %s', (one, other) => {
    expect([listensClash(listen(one), listen(other)), listensClash(listen(other), listen(one))]).toEqual([
      false,
      false,
    ])
  })
})

describe('an upstream', () => {
  test.each([
    ['ftp.example.net', 'ftp.example.net', 21],
    ['FTP.example.net:2100', 'ftp.example.net', 2100],
    ['10.0.0.5', '10.0.0.5', 21],
    ['10.0.0.5:990', '10.0.0.5', 990],
    ['[2001:db8::5]', '2001:db8::5', 21],
    ['[2001:db8::5]:2100', '2001:db8::5', 2100],
    ['ftp_server:21', 'ftp_server', 21],
  ])('%s is host %s port %d', (text, host, port) => {
    expect(parseUpstream(text)).toEqual({ ok: true, value: { host, port } })
    expect(text).toMatch(new RegExp(upstreamForm.pattern))
  })

  test.each([
    ['', 'has no host'],
    [':21', 'has no host'],
    ['ftp.example.net:', 'has a port that is not a number'],
    ['ftp.example.net:0', 'has port 0'],
    ['ftp.example.net:70000', 'has a port above 65535'],
    ['2001:db8::5', 'needs brackets around an IPv6 address'],
    ['ftp://ftp.example.net', 'has a port that is not a number'],
    ['ftp://ftp.example.net:21', 'is not a host and a port'],
    ['10.0.0.256', 'is neither an IP address nor a DNS name'],
    ['0.0.0.0:21', 'is unspecified: nobody can connect to it'],
    ['[fe80::1%eth0]:21', 'has a zone id, which means something on one machine only'],
    ['[ftp.example.net]:21', 'has brackets around something that is not an IPv6 address'],
    ['[::1]21', 'is not a host and a port'],
  ])('%j is refused: %s', (text, reason) => {
    expect(parseUpstream(text)).toEqual({ ok: false, reason })
  })

  test('is written as it is read', () => {
    const upstreams = fc.record({
      host: fc.constantFrom('10.0.0.5', '2001:db8::5', 'ftp.example.net'),
      port: fc.integer({ min: 1, max: 65_535 }),
    })
    const readsBack = (upstream: { host: string; port: number }) =>
      JSON.stringify(parseUpstream(formatUpstream(upstream))) ===
      JSON.stringify({ ok: true, value: upstream })
    fc.assert(fc.property(upstreams, readsBack), { seed: 959, numRuns: 2000 })
  })

  test.each([
    ['127.0.0.1:2121', '127.0.0.1:2121'],
    ['127.0.0.1:2121', '0.0.0.0:2121'],
    ['127.9.9.9:2121', '0.0.0.0:2121'],
    ['[::1]:2121', '[::]:2121'],
    ['127.0.0.1:2121', '[::]:2121'],
    ['localhost:2121', '127.0.0.1:2121'],
    ['localhost.:2121', '0.0.0.0:2121'],
    ['10.0.0.1:2121', '10.0.0.1:2121'],
  ])('%s leads back to a listener on %s', (upstream, own) => {
    expect(upstreamIsListen(upstreamOf(upstream), listen(own))).toBe(true)
  })

  test.each([
    ['127.0.0.1:21', '0.0.0.0:2121'],
    ['10.0.0.1:2121', '0.0.0.0:2121'],
    ['ftp.example.net:2121', '[::]:2121'],
    ['[::1]:2121', '0.0.0.0:2121'],
    ['127.0.0.1:2121', '10.0.0.1:2121'],
  ])('%s does not visibly lead back to a listener on %s', (upstream, own) => {
    expect(upstreamIsListen(upstreamOf(upstream), listen(own))).toBe(false)
  })
})

function listen(text: string) {
  const parsed = parseListen(text)
  if (!parsed.ok) throw new Error(`${text} ${parsed.reason}`)
  return parsed.value
}

function upstreamOf(text: string) {
  const parsed = parseUpstream(text)
  if (!parsed.ok) throw new Error(`${text} ${parsed.reason}`)
  return parsed.value
}
