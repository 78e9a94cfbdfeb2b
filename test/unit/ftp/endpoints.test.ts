import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  format227,
  format229,
  formatEprt,
  formatHostPort,
  parse227,
  parse229,
  parseEprt,
  parseHostPort,
  rewrite227,
  rewrite229,
} from '../../../src/ftp/endpoints.ts'

const seed = 20_261_122
const octet = fc.integer({ min: 0, max: 255 })
const port = fc.integer({ min: 1, max: 65_535 })
const ipv4 = fc.tuple(octet, octet, octet, octet).map((bytes) => bytes.join('.'))
const ipv4Endpoint = fc.record({ address: ipv4, port })
/** Canonical text, as RFC 5952 has it. */
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) =>
    new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]`).hostname.slice(1, -1),
  )
  // The mapped ones are IPv4 addresses.
  .filter((address) => !address.startsWith('::ffff:'))
const delimiter = fc
  .integer({ min: 33, max: 126 })
  .map((code) => String.fromCharCode(code))
  .filter((character) => !/\d/.test(character))
/** One byte, which may or may not be a delimiter. */
const anyByte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))

/** Pieces of which almost-right and quite wrong endpoints are made. */
const crumb = fc.constantFrom(
  ...[
    '0',
    '1',
    '2',
    '9',
    '10',
    '99',
    '255',
    '256',
    '999',
    '1000',
    '007',
    '65535',
    '65536',
    '50000',
    '050000',
  ],
  ...[
    ',',
    ',',
    ',',
    ',',
    '.',
    '|',
    '|',
    '|',
    '!',
    ':',
    '::',
    ' ',
    '+',
    '-',
    '(',
    ')',
    'x',
    '0x1f',
    '1e3',
    'é',
  ],
  ...['10,0,0,5,', '19,137', '|1|', '|2|', '10.0.0.5', '2001:db8::1', '::ffff:10.0.0.5', '%eth0', '|||'],
)
const almost = fc.array(crumb, { maxLength: 14, size: 'max' }).map((crumbs) => crumbs.join(''))

/** The strict grammar, written down independently: six bytes in decimal, not port 0. */
function isHostPort(text: string): boolean {
  const numbers = /^\d{1,3}(,\d{1,3}){5}$/.test(text) ? text.split(',').map(Number) : []
  return numbers.length === 6 && numbers.every((number) => number <= 255) && numbers[4]! + numbers[5]! > 0
}

/** RFC 2428 with the address grammar of the operating system, without zones. */
function isEprt(text: string): boolean {
  const bar = text.charAt(0)
  if (!/^[!-/:-~]$/.test(bar)) return false
  const [before, family, host = '', digits = '', after, ...rest] = text.split(bar)
  if (before !== '' || after !== '' || rest.length > 0 || !/^[0-9]{1,5}$/.test(digits)) return false
  if (Number(digits) < 1 || Number(digits) > 65_535) return false
  if (family === '1') return /^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/.test(host)
  return family === '2' && isIPv6(host) && !host.includes('%')
}

describe('PORT', () => {
  test('an argument is accepted if and only if the strict grammar accepts it', () => {
    fc.assert(
      fc.property(fc.oneof(almost, fc.string(), ipv4Endpoint.map(formatHostPort)), (text) => {
        expect(parseHostPort(text) !== null, text).toBe(isHostPort(text))
      }),
      { numRuns: 5_000, seed },
    )
  })

  test('formatting undoes parsing', () => {
    fc.assert(
      fc.property(ipv4Endpoint, (endpoint) => {
        expect(parseHostPort(formatHostPort(endpoint))).toEqual(endpoint)
      }),
      { seed },
    )
  })

  test('the two bytes of the port are read in network order', () => {
    expect(parseHostPort('10,0,0,5,19,137')).toEqual({ address: '10.0.0.5', port: 5001 })
    expect(parseHostPort('10,0,0,5,0,1')).toEqual({ address: '10.0.0.5', port: 1 })
    expect(parseHostPort('010,000,00,5,255,255')).toEqual({ address: '10.0.0.5', port: 65_535 })
  })
})

describe('EPRT', () => {
  test('an argument is accepted if and only if the strict grammar accepts it', () => {
    const written = fc
      .tuple(fc.oneof(ipv4Endpoint, fc.record({ address: ipv6, port })), anyByte)
      .map(([endpoint, bar]) => formatEprt(endpoint, bar))
    fc.assert(
      fc.property(fc.oneof(almost, fc.string(), written), (text) => {
        expect(parseEprt(text).ok, text).toBe(isEprt(text))
      }),
      { numRuns: 5_000, seed },
    )
  })

  test('formatting undoes parsing, with any delimiter', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), port, delimiter, (address, number, bar) => {
        const parsed = parseEprt(formatEprt({ address, port: number }, bar))
        const used = address.includes(bar) ? '|' : bar
        expect(parsed).toEqual({ ok: true, endpoint: { address, port: number }, delimiter: used })
      }),
      { numRuns: 1_000, seed },
    )
  })

  test('addresses are given in one spelling, mapped ones as IPv4', () => {
    const read = (text: string) => parseEprt(text)
    expect(read('|2|2001:DB8:0:0:0:0:0:1|5001|')).toMatchObject({ endpoint: { address: '2001:db8::1' } })
    expect(read('|2|::ffff:10.0.0.5|5001|')).toMatchObject({ endpoint: { address: '10.0.0.5' } })
    expect(read('|2|::FFFF:a00:5|5001|')).toMatchObject({ endpoint: { address: '10.0.0.5' } })
  })

  test('another network protocol is told apart from nonsense', () => {
    expect(parseEprt('|3|whatever|5001|')).toEqual({ ok: false, reason: 'family' })
    expect(parseEprt('|x|10.0.0.5|5001|')).toEqual({ ok: false, reason: 'syntax' })
    expect(parseEprt('|3|whatever|0|')).toEqual({ ok: false, reason: 'syntax' })
  })
})

describe('227', () => {
  /** Words without digits, so that the numbers are the first thing to be read. */
  const words = fc.stringMatching(/^[a-z ()=.]{0,12}$/)

  test('the endpoint is found in any wording, and its span is where the numbers stand', () => {
    fc.assert(
      fc.property(words, ipv4Endpoint, words, (before, endpoint, after) => {
        const numbers = formatHostPort(endpoint)
        const line = `227 ${before} ${numbers} ${after}`
        const found = parse227(line)
        expect(found?.endpoint, line).toEqual(endpoint)
        expect(line.slice(found?.start, found?.end)).toBe(numbers)
      }),
      { numRuns: 1_000, seed },
    )
  })

  test('it is accepted if and only if the first number before a comma begins a strict endpoint', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          almost,
          ipv4Endpoint.map((endpoint) => `(${formatHostPort(endpoint)})`),
        ),
        (text) => {
          const line = `227 ${text}`
          // The number is not glued to a word or a sign, and nothing but punctuation follows the sixth.
          const candidate = /(?<!\d)\d+(?=,)[\s\S]*/.exec(line.slice(3))
          const glued = candidate !== null && /[\w+-]/.test(line.charAt(3 + candidate.index - 1))
          const strict = /^\d{1,3}(,\d{1,3}){5}(?![\w+,-])/.exec(candidate?.[0] ?? '')
          const isRight = candidate !== null && !glued && strict !== null && isHostPort(strict[0])
          expect(parse227(line) !== null, line).toBe(isRight)
        },
      ),
      { numRuns: 5_000, seed },
    )
  })

  test('rewriting puts the new endpoint where the old one stood and touches nothing else', () => {
    fc.assert(
      fc.property(words, ipv4Endpoint, words, ipv4Endpoint, (before, from, after, to) => {
        const line = `227 ${before}(${formatHostPort(from)})${after}`
        const found = parse227(line)
        if (found === null) throw new Error(`not read: ${line}`)
        expect(rewrite227(line, found, to)).toBe(`227 ${before}(${formatHostPort(to)})${after}`)
      }),
      { seed },
    )
  })

  test('missing parentheses are added, one by one', () => {
    const to = { address: '10.1.1.1', port: 256 }
    const rewrite = (line: string) => {
      const found = parse227(line)
      return found === null ? null : rewrite227(line, found, to)
    }
    expect(rewrite('227 1,2,3,4,5,6')).toBe('227 (10,1,1,1,1,0)')
    expect(rewrite('227 (1,2,3,4,5,6')).toBe('227 (10,1,1,1,1,0)')
    expect(rewrite('227 1,2,3,4,5,6).')).toBe('227 (10,1,1,1,1,0).')
  })

  test('our own wording is understood', () => {
    const endpoint = { address: '203.0.113.9', port: 40_001 }
    expect(parse227(format227(endpoint))?.endpoint).toEqual(endpoint)
  })
})

describe('229', () => {
  test('the port is found with any delimiter, and its span is where the digits stand', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z .]{0,12}$/), port, delimiter, (before, number, bar) => {
        const line = `229 ${before}(${bar}${bar}${bar}${number}${bar}) ok`
        const found = parse229(line)
        expect(found?.port, line).toBe(number)
        expect(line.slice(found?.start, found?.end)).toBe(String(number))
      }),
      { seed },
    )
  })

  test('it is strict if and only if the strict grammar is found in it', () => {
    const written = fc.tuple(port, anyByte).map(([number, bar]) => `${bar}${bar}${bar}${number}${bar}`)
    fc.assert(
      fc.property(fc.oneof(almost, written), (text) => {
        const line = `229 (${text})`
        const strict = /\(([!-/:-~])\1\1(\d+)\1\)/.exec(line)
        const isRight =
          strict !== null &&
          /^\d{1,5}$/.test(strict[2]!) &&
          Number(strict[2]) > 0 &&
          Number(strict[2]) <= 65_535
        expect(parse229(line)?.isStrict === true, line).toBe(isRight)
      }),
      { numRuns: 5_000, seed },
    )
  })

  test('rewriting replaces the digits only', () => {
    fc.assert(
      fc.property(port, port, delimiter, (from, to, bar) => {
        const line = `229 Ok (${bar}${bar}${bar}${from}${bar}), go on`
        const found = parse229(line)
        if (found === null) throw new Error(`not read: ${line}`)
        expect(rewrite229(line, found, to)).toBe(`229 Ok (${bar}${bar}${bar}${to}${bar}), go on`)
      }),
      { seed },
    )
  })

  test('our own wording is understood', () => {
    expect(parse229(format229(40_001))?.port).toBe(40_001)
  })
})

describe('the replies of real servers', () => {
  const text = readFileSync(new URL('../../fixtures/replies/passive.txt', import.meta.url), 'utf8')
  const cases = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

  test.each(cases)('%s', (line) => {
    const [, reply = '', expected = ''] = /^.+?: (.+) => (.+)$/.exec(line) ?? []
    const at227 = parse227(reply)
    const read = reply.startsWith('227')
      ? at227 && `${at227.endpoint.address}:${at227.endpoint.port}`
      : parse229(reply)?.port
    expect(String(read ?? 'nothing')).toBe(expected)
  })
})
