import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { globMatcher } from '../../../src/routing/glob.ts'

describe('globMatcher', () => {
  test.each([
    ['joe', ['joe'], ['Joe', 'joey', '', 'jo']],
    ['*', ['', 'anything'], []],
    ['partner-*', ['partner-', 'partner-7'], ['partner', 'a partner-7']],
    ['*.example.net', ['a.example.net', '.example.net'], ['example.net', 'a.example.net.org']],
    ['a*b*a', ['aba', 'axxbyya', 'abba'], ['aa', 'ab', 'aab', 'ba']],
    ['a*a', ['aa', 'aba'], ['a']],
    ['**', ['', 'a'], []],
    ['a.c', ['a.c'], ['abc']],
  ])('%s', (pattern, those, not) => {
    const matches = globMatcher(pattern)
    expect([...those, ...not].filter(matches)).toEqual(those)
  })

  test('agrees with a regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
    const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 })
    fc.assert(
      fc.property(letters, texts, (pattern, text) => {
        const reference = new RegExp(`^${pattern.replaceAll('*', '.*')}$`)
        expect(globMatcher(pattern)(text)).toBe(reference.test(text))
      }),
      { numRuns: 2_000, seed: 1 },
    )
  })

  test('does not go back and forth in a long text', () => {
    const matches = globMatcher('*a'.repeat(100))
    const startedMs = performance.now()
    for (let round = 0; round < 100; round += 1) matches(`${'a'.repeat(4096)}b`)
    expect(performance.now() - startedMs).toBeLessThan(500)
  })
})
