import { isIP, isIPv6 } from 'node:net'
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, test } from 'vitest'
import {
  canonicalAddress,
  familyOf,
  parseAddress,
  parseNetwork,
  reachOf,
} from '../../../src/ftp/addresses.ts'

const seed = 20_261_127
const crumb = fc.constantFrom(
  ...['0', '1', '9', '10', '255', '256', '010', '0x1', 'ffff', 'FFFF', 'db8', 'g', '12345'],
  ...[
    '.',
    '.',
    '.',
    ':',
    ':',
    '::',
    '::ffff:',
    '%eth0',
    '/8',
    ' ',
    '-',
    '+',
    '[',
    ']',
    '192.0.2.9',
    '2001:db8::',
  ],
)
const almost = fc.array(crumb, { maxLength: 12, size: 'max' }).map((crumbs) => crumbs.join(''))

describe('an address', () => {
  test('is accepted if and only if the operating system knows it, without a zone', () => {
    fc.assert(
      fc.property(fc.oneof(almost, fc.ipV4(), fc.ipV6()), (text) => {
        const isRight = isIP(text) !== 0 && !text.includes('%')
        expect(parseAddress(text) !== null, text).toBe(isRight)
      }),
      { numRuns: 5_000, seed },
    )
  })

  test('has one spelling, which reads as itself', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const canonical = parseAddress(text)
        expect(canonical, text).not.toBeNull()
        expect(parseAddress(canonical ?? '')).toBe(canonical)
        expect(canonicalAddress(text)).toBe(canonical)
      }),
      { numRuns: 2_000, seed },
    )
  })

  test('is spelled as RFC 5952 has it', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = parseAddress(text) ?? ''
        if (!isIPv6(canonical)) return
        expect(canonical).toBe(new URL(`http://[${text}]`).hostname.slice(1, -1))
      }),
      { numRuns: 2_000, seed },
    )
  })

  test('that is mapped is its IPv4 self, and a zone that the system wrote is dropped', () => {
    expect(parseAddress('::ffff:10.0.0.5')).toBe('10.0.0.5')
    expect(parseAddress('::FFFF:0a00:0005')).toBe('10.0.0.5')
    expect(parseAddress('fe80::1%eth0')).toBeNull()
    expect(canonicalAddress('::ffff:127.0.0.1')).toBe('127.0.0.1')
    expect(canonicalAddress('fe80::1%eth0')).toBe('fe80::1')
    expect(familyOf('10.0.0.5')).toBe(4)
    expect(familyOf('2001:db8::1')).toBe(6)
  })

  test.each([
    ['127.0.0.1', 'loopback'],
    ['127.9.9.9', 'loopback'],
    ['::1', 'loopback'],
    ['0.0.0.0', 'unspecified'],
    ['::', 'unspecified'],
    ['169.254.169.254', 'linkLocal'],
    ['fe80::1', 'linkLocal'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['10.0.0.5', 'unicast'],
    ['192.0.2.9', 'unicast'],
    ['2001:db8::1', 'unicast'],
  ])('%s is for %s', (address, reach) => {
    expect(reachOf(address)).toBe(reach)
  })

  test('an IPv4 address is for what the library says', () => {
    const edge = fc.constantFrom(0, 1, 126, 127, 128, 168, 169, 170, 223, 224, 239, 240, 253, 254, 255)
    const part = fc.oneof(edge, fc.integer({ min: 0, max: 255 }))
    const special = ['loopback', 'unspecified', 'linkLocal', 'multicast', 'broadcast']
    fc.assert(
      fc.property(part, part, part, part, (...parts) => {
        const address = parts.join('.')
        const range: string = ipaddr.parse(address).range()
        expect(reachOf(address)).toBe(special.includes(range) ? range : 'unicast')
      }),
      { seed, numRuns: 5_000 },
    )
  })
})

describe('a network', () => {
  test('has the IPv4 addresses that the library says', () => {
    const address = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 })
    const pairs = fc.tuple(address, fc.integer({ min: 0, max: 32 }), fc.integer({ min: 0, max: 40 }))
    fc.assert(
      fc.property(pairs, ([parts, bits, changed]) => {
        const base = parts.join('.')
        // One bit of another address differs, or none.
        const other = parts
          .map((part, index) => part ^ (changed >> 3 === index ? 128 >> (changed & 7) : 0))
          .join('.')
        const range = ipaddr.IPv4.parseCIDR(`${base}/${bits}`)
        expect(parseNetwork(`${base}/${bits}`)?.matches(other)).toBe(ipaddr.IPv4.parse(other).match(range))
      }),
      { seed, numRuns: 2_000 },
    )
  })

  test('matches its own family and range, and any matches all', () => {
    const ten = parseNetwork('10.0.0.0/8')
    expect(ten?.matches('10.255.0.1')).toBe(true)
    expect(ten?.matches('11.0.0.1')).toBe(false)
    expect(ten?.matches('2001:db8::1')).toBe(false)
    expect(parseNetwork('2001:db8::/32')?.matches('2001:db8:ffff::1')).toBe(true)
    expect(parseNetwork('192.0.2.9')?.matches('192.0.2.9')).toBe(true)
    expect(parseNetwork('192.0.2.9')?.matches('192.0.2.8')).toBe(false)
    expect(parseNetwork('any')).toBeNull()
    expect(
      ['0.0.0.0', '255.255.255.255'].map((address) => parseNetwork('0.0.0.0/0')?.matches(address)),
    ).toEqual([true, true])
    expect(parseNetwork('0.0.0.0/8')?.matches('')).toBe(false)
    expect(() => parseNetwork('10.0.0.0/33')).toThrow()
  })
})
