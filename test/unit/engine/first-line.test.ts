import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readFirstWord } from '../../../src/engine/first-line.ts'
import { verbs } from '../../../src/ftp/commands.ts'

test.each([
  ['USER joe\r\n', true],
  ['user joe\r\n', true],
  ['QUIT\n', true],
  ['FEAT\r', true],
  ['XSHA256 a', true],
  ['GET / HTTP/1.1\r\n', false],
  ['POST /\r\n', false],
  ['OPTIONS *\r\n', false],
  ['SSH-2.0-OpenSSH_9.2\r\n', false],
  ['\x16\x03\x01\x02\x00', false],
  ['\r\n', false],
  [' USER joe\r\n', false],
  ['EHLO example.org\r\n', false],
  ['AAAAAAAAA', false],
  ['', null],
  ['US', null],
  ['XSHA256', null],
])('%j begins like FTP: %s', (pending, expected) => {
  expect(readFirstWord(pending)?.isFtp ?? null).toBe(expected)
})

test('every verb that we know may come first, and it is judged by its end at the latest', () => {
  for (const verb of verbs.keys()) {
    expect(readFirstWord(`${verb} `)?.isFtp, verb).toBe(true)
    expect(readFirstWord(verb), verb).toBeNull()
  }
})

test('the verdict does not depend on how much has arrived', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii', maxLength: 20 }), (text) => {
      const verdicts = Array.from(text, (_, at) => readFirstWord(text.slice(0, at + 1)))
      const first = verdicts.find((verdict) => verdict !== null) ?? null
      expect(verdicts.slice(verdicts.indexOf(first)).every((each) => each?.isFtp === first?.isFtp)).toBe(true)
    }),
    { numRuns: 1_000, seed: 20_261_128 },
  )
})
