import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TelnetReader } from '../../../src/ftp/telnet.ts'

const seed = 20_261_125

/** Reads the beginning of a line that arrives in pieces: what is left of it, and what is answered. */
function readStart(pieces: Iterable<string>): { text: string; answer: string } {
  const telnet = new TelnetReader()
  let text = ''
  let answer = ''
  let isOver = false
  for (const piece of pieces) {
    text += piece
    while (!isOver && telnet.mayBegin(text.charCodeAt(0))) {
      const command = telnet.read(text, 0)
      if (command === 'incomplete') break
      if (command === null) {
        isOver = true
        break
      }
      text = text.slice(command.length)
      answer += command.answer
    }
    isOver ||= text !== '' && !telnet.mayBegin(text.charCodeAt(0))
  }
  return { text, answer }
}

const crumbs = fc.constantFrom(
  ...['\xff', '\xff', '\xff', '\xfb', '\xfc', '\xfd', '\xfe', '\xfa', '\xf0', '\xf2', '\xf4', '\xef', '\x01'],
  ...['ABOR', 'A', ' ', '\xff\xf4\xff\xf2', '\xff\xfa\x01\xff\xf0'],
)
const streams = fc.array(crumbs, { maxLength: 30, size: 'max' }).map((parts) => parts.join(''))

describe('taking Telnet off the beginning of a line', () => {
  test('gives the same however the stream is cut', () => {
    fc.assert(
      fc.property(streams, (stream) => {
        expect(readStart(stream)).toEqual(readStart([stream]))
      }),
      { numRuns: 2_000, seed },
    )
  })

  test('answers only with refusals, one for each offer', () => {
    fc.assert(
      fc.property(streams, (stream) => {
        expect(readStart([stream]).answer).toMatch(/^(\xff[\xfc\xfe][\x00-\xff])*$/)
      }),
      { numRuns: 1_000, seed },
    )
    expect(readStart(['\xff\xfb\x01\xff\xfd\x03\xff\xfc\x01\xff\xfe\x03']).answer).toBe(
      '\xff\xfe\x01\xff\xfc\x03',
    )
  })

  test('a flood of offers is answered 64 times', () => {
    expect(readStart(['\xff\xfb\x01'.repeat(1000)]).answer).toHaveLength(64 * 3)
  })

  test.each([
    ['whole', '\xff\xf4\xff\xf2ABOR'],
    ['without the data mark', '\xff\xf4\xffABOR'],
    ['without the second IAC', '\xff\xf4\xf2ABOR'],
    ['without the interrupt', '\xff\xf2ABOR'],
    ['twice', '\xff\xf4\xff\xf2\xff\xf4\xff\xf2ABOR'],
  ])('a Synch %s leaves ABOR', (_, bytes) => {
    expect(readStart([bytes])).toEqual({ text: 'ABOR', answer: '' })
  })

  test('a doubled IAC, and a lone one before a letter, are text', () => {
    expect(readStart(['\xff\xffb']).text).toBe('\xff\xffb')
    expect(readStart(['\xffb']).text).toBe('\xffb')
  })
})

test('a subnegotiation without an end is left out after 4 KiB', () => {
  const telnet = new TelnetReader()
  expect(telnet.read(`\xff\xfa${'x'.repeat(4093)}`, 0)).toBe('incomplete')
  expect(telnet.read(`\xff\xfa${'x'.repeat(4094)}`, 0)).toEqual({ length: 4096, answer: '' })
})
