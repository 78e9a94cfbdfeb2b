import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatPretty } from '../../../src/observe/log/pretty.ts'
import { safeText, truncate } from '../../../src/observe/log/text.ts'

const latin1 = (text: string) => Buffer.from(text).toString('latin1')

describe('a peer’s text', () => {
  test('is read as UTF-8 where it is UTF-8, and as latin1 where it is not', () => {
    expect(safeText(latin1('grün/äöü.txt'))).toBe('grün/äöü.txt')
    expect(safeText('gr\xfcn.txt')).toBe('grün.txt')
    expect(safeText('plain.txt')).toBe('plain.txt')
  })

  test('cannot steer a terminal or turn the writing direction', () => {
    expect(safeText('a\x9b31mb\x7f')).toBe('a\\u009b31mb\\u007f')
    expect(safeText(latin1('exe.\u202etxt'))).toBe('exe.\\u202etxt')
  })

  test('is cut to its length, whatever a character takes', () => {
    expect(safeText('abcdef', 4)).toBe('abc…')
    expect(safeText('abcd', 4)).toBe('abcd')
    expect(safeText(latin1('ä'.repeat(500)), 4)).toBe('äää…')
    expect(safeText(latin1('😀'.repeat(500)), 4)).toBe('😀…')
    expect(truncate('a😀b', 3)).toBe('a…')
  })

  test('is never longer than its limit, and no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const text = safeText(Buffer.from(bytes).toString('latin1'))
        expect(text.length).toBeLessThanOrEqual(256)
        expect(text).not.toMatch(/[\x7f-\x9f\u2028-\u202e]/)
      }),
    )
  })
})

describe('the pretty format', () => {
  const line = (fields: object) =>
    JSON.stringify({ level: 'warn', time: '2026-05-04T12:03:04.123Z', event: 'command.deny', ...fields })

  test('is one readable line', () => {
    const json = line({ listener: 'edge', port: 21, detail: 'a b', message: 'command denied' })
    expect(formatPretty(json)).toBe(
      '12:03:04.123 WARN  command denied  event=command.deny listener=edge port=21 detail="a b"\n',
    )
  })

  test('quotes what could forge a field, a line or a colour', () => {
    const json = line({ detail: 'x" reason=none\n\x1b[31m', user: '\u009b1m', message: 'm' })
    expect(formatPretty(json)).toBe(
      '12:03:04.123 WARN  m  event=command.deny detail="x\\" reason=none\\n\\u001b[31m" user=\\u009b1m\n',
    )
  })

  test('puts a stack below, with its own lines escaped', () => {
    const json = line({ message: 'm', error: { stack: 'Error: a\x1b\n    at b' } })
    expect(formatPretty(json)).toBe(
      '12:03:04.123 WARN  m  event=command.deny\n    Error: a\\u001b\n        at b\n',
    )
  })
})
