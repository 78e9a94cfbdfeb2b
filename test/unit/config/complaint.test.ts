import { expect, test } from 'vitest'
import { allOf, complaint, nearestWord, oneOf, showValue } from '../../../src/config/complaint.ts'

test('a complaint carries what was given and what is allowed', () => {
  expect(complaint('needs a unit', { given: 60, allowed: '60s' })).toBe(
    'needs a unit (given 60, allowed 60s)',
  )
})

test.each([
  ['text', '"text"'],
  ['a "b"\n\u001b[31m\u0000', '"a \\"b\\"\\n\\u001b[31m\\u0000"'],
  ['a\u009bb\u2028c\u007f', '"a\\u009bb\\u2028c\\u007f"'],
  [60, '60'],
  [Number.NaN, 'NaN'],
  [true, 'true'],
  [undefined, 'nothing'],
  [null, 'nothing'],
  [[], 'a list of 0'],
  [['a'], 'a list of 1'],
  [{ a: 1 }, 'a map'],
])('%j is shown on one line, without control characters, as %s', (value, shown) => {
  expect(showValue(value)).toBe(shown)
})

test('a long value is cut', () => {
  expect(showValue('x'.repeat(5000))).toBe(`"${'x'.repeat(76)}…"`)
})

test('words are listed as in a sentence', () => {
  expect([oneOf(['a', 'b', 'c']), allOf(['a', 'b', 'c']), oneOf(['a']), oneOf([])]).toEqual([
    'a, b or c',
    'a, b and c',
    'a',
    '',
  ])
})

test.each([
  ['idel', 'idle'],
  ['idl', 'idle'],
  ['Idle', 'idle'],
  ['sesions', 'sessions'],
  ['sessions_per_client', 'sessionsPerClient'],
  ['idle', 'idle'],
])('%s was meant to be %s', (typed, meant) => {
  expect(nearestWord(typed, ['sessions', 'sessionsPerClient', 'idle', 'login'])).toBe(meant)
})

test.each(['timeout', 'x', '', 'x'.repeat(100_000)])('%.20j is like none of the words', (typed) => {
  expect(nearestWord(typed, ['sessions', 'idle', 'login'])).toBeNull()
})
