import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  cutSlice,
  formatPortRange,
  overlapOfRanges,
  type PortRange,
  parsePortRange,
  portRangeForm,
  sizeOfRange,
} from '../../../src/config/port-range.ts'

const ranges = fc
  .tuple(fc.integer({ min: 1, max: 65_535 }), fc.integer({ min: 1, max: 65_535 }))
  .map(([a, b]): PortRange => ({ first: Math.min(a, b), last: Math.max(a, b) }))

describe('a range of ports', () => {
  test.each([
    ['30000-30999', { first: 30_000, last: 30_999 }],
    ['1-65535', { first: 1, last: 65_535 }],
    ['7-7', { first: 7, last: 7 }],
  ])('%s is read', (text, range) => {
    expect(parsePortRange(text)).toEqual({ ok: true, value: range })
  })

  test.each([
    ['30999-30000', 'ends before it begins'],
    ['0-10', 'has port 0'],
    ['10-65536', 'has a port above 65535'],
    ['10-99999999999999999999', 'has a port above 65535'],
    ['010-20', 'has a port with a leading zero'],
    ['10-020', 'has a port with a leading zero'],
    ['30000', 'is not a range of ports'],
    ['30000 - 30999', 'is not a range of ports'],
    ['30000-30999 ', 'is not a range of ports'],
    ['30000-30999\n', 'is not a range of ports'],
    ['30000:30999', 'is not a range of ports'],
    ['-1-5', 'is not a range of ports'],
    ['1--5', 'is not a range of ports'],
    ['+1-5', 'is not a range of ports'],
    ['0x10-0x20', 'is not a range of ports'],
    ['1-5-9', 'is not a range of ports'],
    ['', 'is not a range of ports'],
    ['-', 'is not a range of ports'],
  ])('%j is refused: %s', (text, reason) => {
    expect(parsePortRange(text)).toEqual({ ok: false, reason })
  })

  test('what is written is read back', () => {
    const readsBack = (range: PortRange) => {
      const parsed = parsePortRange(formatPortRange(range))
      return parsed.ok && parsed.value.first === range.first && parsed.value.last === range.last
    }
    fc.assert(fc.property(ranges, readsBack), { seed: 959, numRuns: 2000 })
  })

  test('a text is accepted exactly when both ports are plain decimals in order', () => {
    const near = fc.oneof(
      fc
        .tuple(fc.integer({ min: -5, max: 70_000 }), fc.integer({ min: -5, max: 70_000 }))
        .map((pair) => pair.join('-')),
      fc.string({ unit: fc.constantFrom(...'0123456789- +x'), maxLength: 11 }),
    )
    const agrees = (text: string) => {
      const parts = text.split('-')
      const ports = parts.map((part) => (/^[1-9][0-9]{0,4}$/.test(part) ? Number(part) : 65_536))
      const isRight = ports.length === 2 && ports[0]! <= ports[1]! && ports[1]! <= 65_535
      return parsePortRange(text).ok === isRight && (!isRight || new RegExp(portRangeForm.pattern).test(text))
    }
    fc.assert(fc.property(near, agrees), { seed: 959, numRuns: 5000 })
  })

  test('two ranges overlap exactly where a port is in both', () => {
    const small = fc
      .tuple(fc.integer({ min: 1, max: 30 }), fc.nat({ max: 10 }))
      .map(([first, more]) => ({ first, last: first + more }))
    const agrees = (one: PortRange, other: PortRange) => {
      const both = portsOf(one).filter((port) => portsOf(other).includes(port))
      const overlap = overlapOfRanges(one, other)
      return JSON.stringify(overlap === null ? [] : portsOf(overlap)) === JSON.stringify(both)
    }
    fc.assert(fc.property(small, small, agrees), { seed: 959, numRuns: 2000 })
  })
})

describe('the slices of a range', () => {
  test('1 of 4 of 30000-30999 is 30250-30499', () => {
    expect(cutSlice({ first: 30_000, last: 30_999 }, { index: 1, of: 4 })).toEqual({
      first: 30_250,
      last: 30_499,
    })
  })

  test('are disjoint, cover the range, and differ by one port at most', () => {
    const cases = fc
      .tuple(ranges, fc.integer({ min: 1, max: 64 }))
      .filter(([range, of]) => sizeOfRange(range) >= of)
    const areEven = ([range, of]: [PortRange, number]) => {
      const slices = Array.from({ length: of }, (_, index) => cutSlice(range, { index, of })!)
      const sizes = slices.map(sizeOfRange)
      const follows = slices.every(
        ({ first }, index) => first === (slices[index - 1]?.last ?? range.first - 1) + 1,
      )
      return follows && slices.at(-1)!.last === range.last && Math.max(...sizes) - Math.min(...sizes) <= 1
    }
    fc.assert(fc.property(cases, areEven), { seed: 959, numRuns: 2000 })
  })

  test('are refused to every instance alike when one of them would be empty', () => {
    const range = { first: 30_000, last: 30_002 }
    expect([0, 1, 2, 3].map((index) => cutSlice(range, { index, of: 4 }))).toEqual([null, null, null, null])
  })
})

function portsOf({ first, last }: PortRange): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
