import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { durationForm, formatDuration, maxDurationMs, parseDuration } from '../../../src/config/duration.ts'

describe('a duration', () => {
  test.each([
    ['1ms', 1],
    ['500ms', 500],
    ['60s', 60_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['7d', maxDurationMs],
  ])('%s is read as %d milliseconds', (text, milliseconds) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: milliseconds })
  })

  test.each([
    ['60', 'needs a unit, such as 60s'],
    ['0', 'must be longer than zero'],
    ['0s', 'must be longer than zero'],
    ['8d', 'is longer than 7d'],
    ['169h', 'is longer than 7d'],
    ['99999999999999999999s', 'is longer than 7d'],
    ['', 'is not a duration'],
    ['s', 'is not a duration'],
    ['1.5h', 'is not a duration'],
    ['-1s', 'is not a duration'],
    ['+1s', 'is not a duration'],
    ['01s', 'is not a duration'],
    ['1 s', 'is not a duration'],
    [' 1s', 'is not a duration'],
    ['1s\n', 'is not a duration'],
    ['1S', 'is not a duration'],
    ['1min', 'is not a duration'],
    ['1h30m', 'is not a duration'],
    ['0x10s', 'is not a duration'],
    ['1e3ms', 'is not a duration'],
    ['١s', 'is not a duration'],
  ])('%j is refused: %s', (text, reason) => {
    expect(parseDuration(text)).toEqual({ ok: false, reason })
  })

  test.each([
    [1, '1ms'],
    [1500, '1500ms'],
    [60_000, '60s'],
    [90_000, '90s'],
    [120_000, '2m'],
    [900_000, '15m'],
    [3_600_000, '1h'],
    [86_400_000, '1d'],
  ])('%d milliseconds are written %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text)
  })

  test('what is written is read back, whatever the length', () => {
    const lengths = fc.integer({ min: 1, max: maxDurationMs })
    const readsBack = (length: number) => {
      const parsed = parseDuration(formatDuration(length))
      return parsed.ok && parsed.value === length
    }
    fc.assert(fc.property(lengths, readsBack), { seed: 959, numRuns: 2000 })
  })

  test('a text is accepted exactly when number, unit and bound are right', () => {
    const units = new Map([
      ['ms', 1n],
      ['s', 1000n],
      ['m', 60_000n],
      ['h', 3_600_000n],
      ['d', 86_400_000n],
    ])
    const texts = fc
      .tuple(
        fc.constantFrom('', ' ', '-', '0', '1', '7', '59', '604800', '604801'),
        nearNumber,
        fc.constantFrom(...units.keys(), '', 'w', 'sec'),
      )
      .map((parts) => parts.join(''))
    const agrees = (text: string) => {
      const [, digits = '', unit = ''] = /^([0-9]+)([a-z]+)$/.exec(text) ?? []
      const size = units.get(unit)
      const isRight =
        size !== undefined && !digits.startsWith('0') && BigInt(digits) * size <= BigInt(maxDurationMs)
      return parseDuration(text).ok === isRight && (!isRight || new RegExp(durationForm.pattern).test(text))
    }
    fc.assert(fc.property(texts, agrees), { seed: 959, numRuns: 5000 })
  })
})

const nearNumber = fc.oneof(
  fc.nat({ max: 700_000 }).map(String),
  fc.string({ unit: fc.constantFrom(...'0123456789 .-e'), maxLength: 4 }),
)
