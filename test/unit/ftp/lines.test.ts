import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Line, LineSplitter } from '../../../src/ftp/lines.ts'

const seed = 20_261_123
const max = 8

function take(lines: LineSplitter): (string | null)[] {
  const taken: (string | null)[] = []
  for (let line: Line | null = lines.next(); line !== null; line = lines.next()) {
    taken.push(line.type === 'line' ? line.text : null)
  }
  return taken
}

function split(pieces: readonly string[]): (string | null)[] {
  const lines = new LineSplitter({ maxLineBytes: max })
  return pieces.flatMap((piece) => {
    lines.push(piece)
    return take(lines)
  })
}

/** What the splitter must give, told of the whole text: null stands for a line that is too long. */
function model(text: string): (string | null)[] {
  const lines = text.split('\n')
  const unfinished = lines.pop() ?? ''
  const read = lines.map((line) => line.replace(/\r$/, '')).map((line) => (line.length > max ? null : line))
  return unfinished.length > max + 1 ? [...read, null] : read
}

const texts = fc
  .array(fc.constantFrom('\n', '\r\n', '\r', 'a', 'bc', '12345678', '123456789', '\xff'), { maxLength: 40 })
  .map((crumbs) => crumbs.join(''))
const lengths = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 60, size: 'max' })

function cut(text: string, pieceLengths: readonly number[]): string[] {
  const pieces: string[] = []
  for (let at = 0, turn = 0; at < text.length; turn += 1) {
    const length = pieceLengths[turn % pieceLengths.length] ?? 1
    pieces.push(text.slice(at, at + length))
    at += length
  }
  return pieces
}

describe('cutting a stream into lines', () => {
  test('gives the same lines however the stream is cut', () => {
    fc.assert(
      fc.property(texts, lengths, (text, pieceLengths) => {
        expect(split(cut(text, pieceLengths)), JSON.stringify(text)).toEqual(model(text))
      }),
      { numRuns: 3_000, seed },
    )
  })

  test('holds no more than a line and what was pushed last', () => {
    fc.assert(
      fc.property(texts, lengths, (text, pieceLengths) => {
        const lines = new LineSplitter({ maxLineBytes: max })
        for (const piece of cut(text, pieceLengths)) {
          lines.push(piece)
          expect(lines.pendingBytes).toBeLessThanOrEqual(max + 1 + piece.length)
          take(lines)
          expect(lines.pendingBytes).toBeLessThanOrEqual(max + 1)
          expect(lines.pendingBytes).toBeGreaterThanOrEqual(lines.pending.length)
        }
      }),
      { numRuns: 500, seed },
    )
  })

  test('a line may be as long as the limit, whatever its line end', () => {
    expect(split(['12345678\r\n', '12345678\n'])).toEqual(['12345678', '12345678'])
    expect(split(['12345678\r', '\n'])).toEqual(['12345678'])
  })

  test('a line past the limit is told once and skipped to its end', () => {
    expect(split(['1234567890', '12345', '\nok\n'])).toEqual([null, 'ok'])
  })

  test('bytes left over are there to be seen, and are forgotten when asked', () => {
    const lines = new LineSplitter({ maxLineBytes: max })
    lines.push('one\ntwo\nthr')
    expect(take(lines)).toEqual(['one', 'two'])
    expect(lines.pending).toBe('thr')
    lines.clear()
    lines.push('ee\n')
    expect(take(lines)).toEqual(['ee'])
  })
})
