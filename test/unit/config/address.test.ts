import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  audienceForm,
  hostForm,
  networkCovers,
  parseAddress,
  parseHost,
  parseNetwork,
} from '../../../src/config/address.ts'
import { fuzzRuns } from '../../support/fuzz.ts'

describe('a literal address', () => {
  test.each([
    ['10.0.0.5', '10.0.0.5'],
    ['0.0.0.0', '0.0.0.0'],
    ['::', '::'],
    ['2001:DB8:0:0::7', '2001:db8::7'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:a00:1', '10.0.0.1'],
    ['0:0:0:0:0:ffff:10.0.0.1', '10.0.0.1'],
    ['::1.2.3.4', '::102:304'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
  ])('%s is %s', (text, canonical) => {
    expect(parseAddress(text)).toEqual({ ok: true, value: canonical })
  })

  test.each([
    '',
    '1',
    '10.1',
    '10.1.1',
    '010.1.1.1',
    '10.1.1.01',
    '256.1.1.1',
    '0x7f.1',
    '1.2.3.4.5',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    '::ffff:010.1.1.1',
    '::ffff:1.2.3',
    '::g',
    '12345::',
    '[::1]',
    ':',
    '::1 ',
    'localhost',
  ])('%j is refused', (text) => {
    expect(parseAddress(text)).toEqual({ ok: false, reason: 'is not an IP address' })
  })

  test.each(['fe80::1%eth0', '::1%1', '10.0.0.1%eth0', 'fe80::1%'])(
    '%s is refused for its zone id',
    (text) => {
      expect(parseAddress(text)).toMatchObject({ ok: false, reason: expect.stringContaining('zone id') })
    },
  )

  test('a text is accepted exactly when RFC 4291 or four plain decimals allow it, and keeps its meaning', () => {
    const agrees = (text: string) => {
      const parsed = parseAddress(text)
      const meant = bytesOf(text)
      if (meant === null || !parsed.ok) return (meant === null) === !parsed.ok
      return bytesOf(parsed.value)?.join() === meant.join()
    }
    fc.assert(fc.property(nearAddresses, agrees), { seed: 4291, numRuns: fuzzRuns(20_000) })
  })

  test('one address has one spelling', () => {
    const isCanonical = (text: string) => {
      const once = parseAddress(text)
      return once.ok && JSON.stringify(parseAddress(once.value)) === JSON.stringify(once)
    }
    fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), isCanonical), {
      seed: 5952,
      numRuns: fuzzRuns(5000),
    })
  })
})

describe('a network', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['10.1.2.3/32', '10.1.2.3/32'],
    ['2001:DB8::/32', '2001:db8::/32'],
    ['::/0', '::/0'],
    ['::1', '::1/128'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:10.0.0.1', '10.0.0.1/32'],
  ])('%s is %s', (text, canonical) => {
    expect(parseNetwork(text)).toEqual({ ok: true, value: canonical })
  })

  test.each([
    ['10.1.2.3/8', 'has bits below its mask; did you mean 10.0.0.0/8?'],
    ['2001:db8::1/32', 'has bits below its mask; did you mean 2001:db8::/32?'],
    ['10.0.0.0/33', 'has a prefix length out of range'],
    ['::/129', 'has a prefix length out of range'],
    ['::ffff:10.0.0.0/8', 'has a prefix length out of range'],
    ['10.0.0.0/', 'has a prefix length that is not a number'],
    ['10.0.0.0/08', 'has a prefix length that is not a number'],
    ['10.0.0.0/+8', 'has a prefix length that is not a number'],
    ['10.0.0.0/255.0.0.0', 'has a prefix length that is not a number'],
    ['10/8', 'is not a network'],
    ['any', 'is not a network'],
    ['', 'is not a network'],
    ['fe80::%eth0/64', 'has a zone id, which means something on one machine only'],
  ])('%s is refused: %s', (text, reason) => {
    expect(parseNetwork(text)).toEqual({ ok: false, reason })
  })

  test('may be any network for an advertise rule', () => {
    expect(audienceForm.parse('any')).toEqual({ ok: true, value: 'any' })
    expect(audienceForm.parse('Any').ok).toBe(false)
  })

  test('covers another exactly when its addresses are all inside', () => {
    const covers = (outer: string, inner: string) => networkCovers({ outer, inner })
    expect([
      covers('any', '10.0.0.0/8'),
      covers('any', 'any'),
      covers('10.0.0.0/8', '10.1.0.0/16'),
      covers('10.0.0.0/8', '10.0.0.0/8'),
      covers('::/0', '2001:db8::/32'),
    ]).toEqual([true, true, true, true, true])
    expect([
      covers('10.0.0.0/8', 'any'),
      covers('10.0.0.0/16', '10.0.0.0/8'),
      covers('10.0.0.0/8', '11.0.0.0/16'),
      covers('::/0', '10.0.0.0/8'),
      covers('0.0.0.0/0', '::1/128'),
    ]).toEqual([false, false, false, false, false])
  })
})

describe('a host', () => {
  test.each([
    ['10.0.0.5', '10.0.0.5'],
    ['2001:db8::5', '2001:db8::5'],
    ['FTP.Example.net', 'ftp.example.net'],
    ['ftp.example.net.', 'ftp.example.net.'],
    ['ftp_server', 'ftp_server'],
    ['localhost', 'localhost'],
    ['a', 'a'],
    ['1and1.example', '1and1.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ])('%s is accepted', (text, canonical) => {
    expect(parseHost(text)).toEqual({ ok: true, value: canonical })
    expect(text).toMatch(new RegExp(hostForm.pattern))
  })

  test.each([
    '',
    '.',
    'a..b',
    '-a',
    'a-',
    'a b',
    'a/b',
    'bücher.example',
    'user@host',
    'a:b',
    '10.1.1',
    '010.1.1.1',
    '300.1.1.1',
    '1',
    '0x7f000001',
    'host.0x1',
    `${'a'.repeat(64)}.net`,
    `${'a.'.repeat(127)}ab`,
    'a\n',
    'a%b',
  ])('%j is refused', (text) => {
    expect(parseHost(text).ok).toBe(false)
  })

  test.each([
    ['0.0.0.0', 'is unspecified: nobody can connect to it'],
    ['::', 'is unspecified: nobody can connect to it'],
    ['224.0.0.1', 'is multicast: nobody can connect to it'],
    ['ff02::1', 'is multicast: nobody can connect to it'],
    ['255.255.255.255', 'is broadcast: nobody can connect to it'],
  ])('%s is refused: %s', (text, reason) => {
    expect(parseHost(text)).toEqual({ ok: false, reason })
  })
})

/** Right addresses, addresses with one character added, removed or changed, and plain noise. */
const addressCharacters = fc.constantFrom(...'0123456789abcfF:.%x /')
const nearAddresses = fc.oneof(
  fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map((ipv4) => `::ffff:${ipv4}`),
    fc.ipV4().map((ipv4) => `::${ipv4}`),
  ),
  fc
    .tuple(
      fc.oneof(fc.ipV4(), fc.ipV6()),
      fc.nat({ max: 40 }),
      fc.nat({ max: 1 }),
      fc.string({ unit: addressCharacters, maxLength: 2 }),
    )
    .map(([text, at, removed, added]) => text.slice(0, at) + added + text.slice(at + removed)),
  fc.string({ unit: addressCharacters, maxLength: 20 }),
)

/** The grammar of RFC 4291 §2.2 and of dotted decimals, written down a second time: 4 or 16 bytes, or null. */
function bytesOf(text: string): number[] | null {
  if (!text.includes(':')) return dottedBytes(text)
  const halves = text.split('::')
  if (halves.length > 2) return null
  const [left, right] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const groups = [...left!, ...(right ?? [])]
  const tail = groups.at(-1)?.includes('.') ? dottedBytes(groups.pop()!) : []
  if (tail === null || groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return null
  // A dotted tail ends the whole text, not only its left half.
  if (tail.length > 0 && right !== undefined && right.length === 0) return null
  const known = groups.length * 2 + tail.length
  if (right === undefined ? known !== 16 : known > 14) return null
  const leftBytes = (right === undefined ? groups : left!.slice(0, groups.length)).flatMap(groupBytes)
  const rightBytes = [
    ...groups.slice(right === undefined ? groups.length : left!.length).flatMap(groupBytes),
    ...tail,
  ]
  const bytes = [
    ...leftBytes,
    ...Array<number>(16 - leftBytes.length - rightBytes.length).fill(0),
    ...rightBytes,
  ]
  const isMapped = bytes.slice(0, 12).join() === '0,0,0,0,0,0,0,0,0,0,255,255'
  return isMapped ? bytes.slice(12) : bytes
}

function dottedBytes(text: string): number[] | null {
  const parts = text.split('.')
  const isRight =
    parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)
  return isRight ? parts.map(Number) : null
}

function groupBytes(group: string): number[] {
  const value = Number.parseInt(group, 16)
  return [value >> 8, value & 255]
}
