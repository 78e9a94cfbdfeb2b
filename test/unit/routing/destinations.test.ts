import { describe, expect, test } from 'vitest'
import { parseDestination } from '../../../src/config/login-schema.ts'
import { DestinationList, formatDestination } from '../../../src/routing/destinations.ts'

const own = '203.0.113.9'

function listOf(...written: readonly string[]): DestinationList {
  const rules = written.map((text) => {
    const parsed = parseDestination(text)
    if (!parsed.ok) throw new Error(parsed.reason)
    return parsed.value
  })
  return new DestinationList(rules, (address) => address === own)
}

describe('a destination as it was named', () => {
  const list = listOf('*.example.net:21', '10.9.0.0/16:2100-2199', '[2001:db8::/32]:21')

  test.each([
    ['ftp.example.net', 21, true],
    ['ftp.example.net', 22, false],
    ['example.net', 21, false],
    ['ftp.example.net.evil.org', 21, false],
    ['10.9.1.1', 2150, true],
    ['10.9.1.1', 21, false],
    ['10.10.1.1', 2150, false],
    ['2001:db8::1', 21, true],
    ['2001:db9::1', 21, false],
  ])('%s port %i: %s', (host, port, isAdmitted) => {
    expect(list.admits({ host, port })).toBe(isAdmitted)
  })
})

describe('a destination as it is called', () => {
  test('a name may lead to any address but to ourselves and our neighbours', () => {
    const list = listOf('*.example.net:21', '0.0.0.0/0:21', '[::/0]:21')
    const ask = (address: string) => list.admitsAddress({ address, port: 21 })
    expect(['198.51.100.7', '10.1.2.3', '2001:db8::7'].map(ask)).toEqual([true, true, true])
    const near = [
      ...['127.0.0.1', '169.254.169.254', '0.0.0.0', '224.0.0.1', '255.255.255.255', own],
      ...['100.100.100.200', '168.63.129.16', '::1', '::', 'fe80::1', 'fd00:ec2::254', 'ff02::1'],
    ]
    expect(near.filter(ask)).toEqual([])
  })

  test('what is near must be listed for what it is, with its port', () => {
    const list = listOf('127.0.0.0/8:2121', `${own}:21`, '203.0.113.0/24:22')
    expect(list.admitsAddress({ address: '127.0.0.1', port: 2121 })).toBe(true)
    expect(list.admitsAddress({ address: '127.0.0.1', port: 21 })).toBe(false)
    expect(list.admitsAddress({ address: own, port: 21 })).toBe(true)
    expect(list.admitsAddress({ address: own, port: 22 })).toBe(false)
  })
})

test.each([
  ['*.Example.net', '*.example.net:21'],
  ['10.9.0.0/16:21-30', '10.9.0.0/16:21-30'],
  ['10.9.0.1', '10.9.0.1/32:21'],
  ['[2001:db8::1]:2121', '[2001:db8::1/128]:2121'],
])('%s is written %s', (text, written) => {
  const parsed = parseDestination(text)
  expect(parsed.ok && formatDestination(parsed.value)).toBe(written)
})
