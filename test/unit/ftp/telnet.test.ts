import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TelnetFilter } from '../../../src/ftp/telnet.ts'

const seed = 20_261_125

function filter(
  pieces: Iterable<string>,
  { lineSoFar = '', marksVerbs = true }: { lineSoFar?: string; marksVerbs?: boolean } = {},
): { text: string; answer: string } {
  const telnet = new TelnetFilter({ lineSoFar, marksVerbs })
  const all = { text: '', answer: '' }
  for (const piece of pieces) {
    const { text, answer } = telnet.push(piece)
    all.text += text
    all.answer += answer
  }
  return all
}

const crumbs = fc.constantFrom(
  ...['\xff', '\xff', '\xff', '\xfb', '\xfc', '\xfd', '\xfe', '\xfa', '\xf0', '\xf2', '\xf4', '\xef', '\x01'],
  ...['ABOR', 'A', ' ', '\r\n', '\n', '\xff\xf4\xff\xf2', '\xff\xfa\x01\xff\xf0'],
)
const streams = fc.array(crumbs, { maxLength: 30, size: 'max' }).map((parts) => parts.join(''))

describe('taking Telnet out of a control channel', () => {
  test('gives the same however the stream is cut', () => {
    fc.assert(
      fc.property(streams, (stream) => {
        expect(filter(stream)).toEqual(filter([stream]))
      }),
      { numRuns: 2_000, seed },
    )
  })

  test('leaves no Telnet command in the text', () => {
    fc.assert(
      fc.property(streams, (stream) => {
        const { text } = filter([stream])
        // Doubled ones are data; an IAC that is left alone stands before a byte that is no command.
        expect(text.replaceAll('\xff\xff', ''), JSON.stringify(stream)).not.toMatch(/\xff[\xf0-\xfe]/)
      }),
      { numRuns: 2_000, seed },
    )
  })

  test('answers only with refusals, one for each offer', () => {
    fc.assert(
      fc.property(streams, (stream) => {
        expect(filter([stream]).answer).toMatch(/^(\xff[\xfc\xfe][\x00-\xff])*$/)
      }),
      { numRuns: 1_000, seed },
    )
    expect(filter(['\xff\xfb\x01\xff\xfd\x03\xff\xfc\x01\xff\xfe\x03']).answer).toBe(
      '\xff\xfe\x01\xff\xfc\x03',
    )
  })

  test('a flood of offers is answered 64 times', () => {
    expect(filter(['\xff\xfb\x01'.repeat(1000)]).answer).toHaveLength(64 * 3)
  })

  test('text without IAC passes as it is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\x00-\xf1\xf3-\xfe]*$/), (text) => {
        expect(filter([text])).toEqual({ text, answer: '' })
      }),
      { seed },
    )
  })

  test.each([
    ['whole', '\xff\xf4\xff\xf2ABOR\r\n'],
    ['without the data mark', '\xff\xf4\xffABOR\r\n'],
    ['without the second IAC', '\xff\xf4\xf2ABOR\r\n'],
    ['without the interrupt', '\xff\xf2ABOR\r\n'],
    ['twice', '\xff\xf4\xff\xf2\xff\xf4\xff\xf2ABOR\r\n'],
  ])('a Synch %s leaves ABOR', (_, bytes) => {
    expect(filter([bytes])).toEqual({ text: 'ABOR\r\n', answer: '' })
  })

  test('a doubled IAC and a lone one in a name pass as they came', () => {
    expect(filter(['CWD a\xff\xffb\r\n']).text).toBe('CWD a\xff\xffb\r\n')
    expect(filter(['CWD a\xffb\r\n']).text).toBe('CWD a\xffb\r\n')
  })

  test('a command inside a verb leaves a mark, in an argument or between lines it leaves nothing', () => {
    expect(filter(['PO\xff\xf4RT x\r\n']).text).toBe('PO\x00RT x\r\n')
    expect(filter(['RT x\r\n'], { lineSoFar: 'PO' }).text).toBe('RT x\r\n')
    expect(filter(['\xff\xf4RT x\r\n'], { lineSoFar: 'PO' }).text).toBe('\x00RT x\r\n')
    expect(filter(['\xff\xf4RT x\r\n'], { lineSoFar: 'NOOP\r\nPO' }).text).toBe('\x00RT x\r\n')
    expect(filter(['\xff\xf4NOOP\r\n'], { lineSoFar: 'NOOP\r\n' }).text).toBe('NOOP\r\n')
    expect(filter(['CWD a\xff\xf4b\r\n']).text).toBe('CWD ab\r\n')
    expect(filter(['22\xff\xf40 x\r\n'], { marksVerbs: false }).text).toBe('220 x\r\n')
  })
})
