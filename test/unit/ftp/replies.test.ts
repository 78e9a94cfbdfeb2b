import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReplyGrouper, type ReplyResult } from '../../../src/ftp/replies.ts'

const seed = 20_261_124

function group(pieces: Iterable<string>): ReplyResult[] {
  const grouper = new ReplyGrouper()
  const results: ReplyResult[] = []
  for (const piece of pieces) {
    grouper.push(piece)
    for (let result = grouper.next(); result !== null; result = grouper.next()) results.push(result)
  }
  return results
}

const code = fc.integer({ min: 100, max: 699 })
const words = fc.stringMatching(/^[ -~]{0,20}$/)
/** A line inside a multi-line reply: anything but its end. */
const inner = (own: number) =>
  fc.oneof(
    words.filter((line) => !line.startsWith(String(own))),
    words.map((line) => `${own}-${line}`),
    fc.constant('227 Entering Passive Mode (6,6,6,6,0,25)').filter(() => own !== 227),
  )
const single = fc.tuple(code, words).map(([own, text]) => ({ own, lines: [`${own} ${text}`] }))
const multi = code.chain((own) =>
  fc
    .tuple(words, fc.array(inner(own), { maxLength: 6, size: 'max' }), words)
    .map(([first, lines, last]) => ({ own, lines: [`${own}-${first}`, ...lines, `${own} ${last}`] })),
)
const replies = fc.array(fc.oneof(single, multi), { maxLength: 5, size: 'max' })
const lineEnd = fc.constantFrom('\r\n', '\n')

describe('grouping the lines of a server', () => {
  test('gives whole replies, with CRLF, however they arrive', () => {
    fc.assert(
      fc.property(replies, lineEnd, fc.integer({ min: 1, max: 30 }), (said, end, step) => {
        const text = said.flatMap(({ lines }) => lines.map((line) => line + end)).join('')
        const expected = said.map(({ own, lines }) => ({
          type: 'reply',
          code: own,
          line: lines.at(-1),
          text: `${lines.join('\r\n')}\r\n`,
        }))
        expect(group([text])).toEqual(expected)
        expect(group(text)).toEqual(expected)
        expect(group(text.match(new RegExp(`[^]{1,${step}}`, 'g')) ?? [])).toEqual(expected)
      }),
      { numRuns: 1_000, seed },
    )
  })

  test('never throws, and loses no line of random text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(words, fc.constantFrom('220 a', '220-a', '', '99 x', '700 x'))),
        (lines) => {
          const results = group(lines.map((line) => `${line}\n`))
          const given = results.flatMap((result) => {
            if (result.type === 'reply') return result.text.split('\r\n').slice(0, -1)
            return result.type === 'stray' ? [result.line] : []
          })
          // What is missing at the end is a reply that is not complete; blank lines between replies are dropped.
          const rest = lines.filter((line) => line !== '')
          expect(rest.slice(0, given.filter((line) => line !== '').length)).toEqual(
            given.filter((line) => line !== ''),
          )
        },
      ),
      { numRuns: 1_000, seed },
    )
  })

  test('a code stands alone, or before a space or a hyphen', () => {
    expect(group(['226\n'])).toMatchObject([{ type: 'reply', code: 226, text: '226\r\n' }])
    expect(group(['226-a\n226\n'])).toMatchObject([{ type: 'reply', code: 226, line: '226' }])
    expect(group(['2260 a\n', '99 a\n', '700 a\n', ' 226 a\n', '226\ta\n'])).toEqual([
      { type: 'stray', line: '2260 a' },
      { type: 'stray', line: '99 a' },
      { type: 'stray', line: '700 a' },
      { type: 'stray', line: ' 226 a' },
      { type: 'stray', line: '226\ta' },
    ])
  })

  test('a thousand lines are a reply, one more is too much', () => {
    const lines = (count: number) => `220-a\n${'b\n'.repeat(count - 2)}220 c\n`
    expect(group([lines(1000)])).toMatchObject([{ type: 'reply' }])
    expect(group([lines(1001)])[0]).toEqual({ type: 'tooLong' })
  })

  test('64 KiB are a reply, one byte more is too much, on one line or on many', () => {
    const of = (bytes: number) =>
      `220-a\r\n${'b'.repeat(bytes - '220-a\r\n\r\n220 c\r\n'.length)}\r\n220 c\r\n`
    expect(group([of(65_536)])).toMatchObject([{ type: 'reply' }])
    expect(group([of(65_537)])[0]).toEqual({ type: 'tooLong' })
    expect(group(['x'.repeat(65_538)])).toEqual([{ type: 'tooLong' }])
  })

  test('says whether half a reply stands there', () => {
    const grouper = new ReplyGrouper()
    expect(grouper.isPartial).toBe(false)
    grouper.push('220-a\r\n')
    expect(grouper.next()).toBeNull()
    expect(grouper.isPartial).toBe(true)
    grouper.push('220 b\r\n')
    expect(grouper.next()).not.toBeNull()
    expect(grouper.isPartial).toBe(false)
    grouper.push('2')
    expect(grouper.isPartial).toBe(true)
  })
})
