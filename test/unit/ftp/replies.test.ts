import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_REPLY_LINE_BYTES, ReplyLines, type ReplyPart } from '../../../src/ftp/replies.ts'

const seed = 20_261_124

function read(pieces: Iterable<string>, lines = new ReplyLines()): ReplyPart[] {
  const parts: ReplyPart[] = []
  for (const piece of pieces) {
    lines.push(piece)
    for (let part = lines.next(); part !== null; part = lines.next()) parts.push(part)
  }
  return parts
}

/** Everything that was given out, as it came. */
function bytesOf(parts: readonly ReplyPart[]): string {
  return parts.map((part) => part.rest).join('')
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

describe('reading the lines of a server', () => {
  test('tells where each stands and gives it as it came, however it arrives', () => {
    fc.assert(
      fc.property(replies, lineEnd, fc.integer({ min: 1, max: 30 }), (said, end, step) => {
        const text = said.flatMap(({ lines }) => lines.map((line) => line + end)).join('')
        const expected = said.flatMap(({ own, lines }) =>
          lines.map((line, at) => ({
            type: 'line',
            place:
              lines.length === 1 ? 'only' : at === 0 ? 'first' : at < lines.length - 1 ? 'inner' : 'last',
            code: own,
            text: line,
            rest: line + end,
          })),
        )
        expect(read([text])).toEqual(expected)
        expect(read(text)).toEqual(expected)
        expect(read(text.match(new RegExp(`[^]{1,${step}}`, 'g')) ?? [])).toEqual(expected)
      }),
      { numRuns: 1_000, seed },
    )
  })

  test('loses no byte of random text, fragments included', () => {
    const pieces = fc.array(
      fc.oneof(words, fc.constantFrom('220 a\n', '220-a\r\n', '\n', '\r', '99 x', '\r\n')),
    )
    fc.assert(
      fc.property(pieces, fc.infiniteStream(fc.boolean()), (said, takes) => {
        const lines = new ReplyLines()
        let given = ''
        for (const piece of said) {
          given += bytesOf(read([piece], lines))
          if (takes.next().value) given += lines.takeFragment()
        }
        expect(given + lines.takeFragment()).toBe(said.join(''))
      }),
      { numRuns: 1_000, seed },
    )
  })

  test('a code stands alone, or before a space or a hyphen', () => {
    const places = (text: string) => read([text]).map((part) => part.type === 'line' && part.place)
    expect(places('226\n')).toEqual(['only'])
    expect(places('226-a\n226\n')).toEqual(['first', 'last'])
    expect(places('2260 a\n99 a\n700 a\n 226 a\n226\ta\n\n')).toEqual(Array(6).fill('outside'))
  })

  test('a line whose beginning was given out keeps its meaning', () => {
    const lines = new ReplyLines()
    lines.push('550 No such')
    expect(lines.next()).toBeNull()
    expect(lines.takeFragment()).toBe('550 No such')
    expect(lines.hasFragment).toBe(false)
    expect(read([' file\r\n'], lines)).toEqual([
      { type: 'line', place: 'only', code: 550, text: '550 No such file', rest: ' file\r\n' },
    ])
  })

  test('a line longer than is held comes in pieces, and no byte of it stays', () => {
    const lines = new ReplyLines()
    const long = `250 ${'x'.repeat(3 * MAX_REPLY_LINE_BYTES)}`
    const parts = read([...(long.match(/.{1,5000}/g) ?? []), '\r\n', '226 done\r\n'], lines)
    expect(bytesOf(parts)).toBe(`${long}\r\n226 done\r\n`)
    expect(parts.at(-2)).toMatchObject({ type: 'line', place: 'only', code: 250 })
    expect(parts.at(-1)).toMatchObject({ place: 'only', code: 226 })
  })

  test('Telnet before a reply is answered and left out, inside of one it is text', () => {
    const lines = new ReplyLines()
    expect(bytesOf(read('\xff\xfb\x01220 a\r\n', lines))).toBe('220 a\r\n')
    expect(lines.takeAnswer()).toBe('\xff\xfe\x01')
    const listing = '213-b\r\n\xff\xf0\xec\xe0.txt\r\n213 \xff\xf2\r\n'
    expect(bytesOf(read(listing, lines))).toBe(listing)
    expect(lines.takeAnswer()).toBe('')
  })

  test('says whether half a reply stands there', () => {
    const lines = new ReplyLines()
    expect(lines.isPartial).toBe(false)
    read(['220-a\r\n'], lines)
    expect(lines.isPartial).toBe(true)
    read(['220 b\r\n'], lines)
    expect(lines.isPartial).toBe(false)
    lines.push('2')
    expect(lines.isPartial).toBe(true)
  })
})
