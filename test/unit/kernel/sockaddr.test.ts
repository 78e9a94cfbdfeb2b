import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addressBytes,
  addressText,
  decodeSockaddr,
  encodeSockaddr,
  ruleAddress,
} from '../../../src/kernel/sockaddr.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('addresses as bytes', () => {
  it('writes IPv4 as four and IPv6 as sixteen', () => {
    expect(hex(addressBytes('10.0.0.5'))).toBe('0a000005')
    expect(hex(addressBytes('2001:db8::1'))).toBe('20010db8000000000000000000000001')
    expect(addressText(Uint8Array.of(203, 0, 113, 9))).toBe('203.0.113.9')
  })

  it('reads an IPv4-mapped address as IPv4', () => {
    expect(addressText(addressBytes('::ffff:10.0.0.5'))).toBe('10.0.0.5')
  })

  it.each([
    '',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0.1.',
    '10.0.0.1.2',
    '.10.0.0.1',
    '10..0.1',
    '0x0a.0.0.1',
    '10.0.0.1 } ; flush ruleset',
    'fe80::1%eth0',
    '2001:db8::1 }',
    'ftp.example.net',
  ])('refuses %j', (text) => {
    expect(() => addressBytes(text)).toThrow(`not an IP address: ${JSON.stringify(text)}`)
  })

  it('lets nothing but an address into a rule, however it was written', () => {
    expect(ruleAddress('2001:DB8:0:0::1')).toBe('2001:db8::1')
    fc.assert(
      fc.property(fc.string(), (text) => {
        let rule: string
        try {
          rule = ruleAddress(text)
        } catch {
          return
        }
        expect(rule).toMatch(/^[0-9a-f.:]+$/)
      }),
    )
  })

  it('comes back from a socket address as it went in', () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6())
    fc.assert(
      fc.property(address, fc.integer({ min: 0, max: 65535 }), (text, port) => {
        const canonical = ruleAddress(text)
        expect(decodeSockaddr(encodeSockaddr({ address: text, port }))).toEqual({ address: canonical, port })
      }),
    )
  })

  it('knows no other family', () => {
    expect(decodeSockaddr(new Uint8Array(28))).toBeNull()
  })
})
