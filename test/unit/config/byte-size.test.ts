import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatByteSize, parseByteSize } from '../../../src/config/byte-size.ts'

test.each([
  ['512', 512],
  ['4096', 4096],
  ['1k', 1024],
  ['4k', 4096],
  ['64k', 65_536],
  ['65536', 65_536],
])('%s is %d bytes', (text, bytes) => {
  expect(parseByteSize(text)).toEqual({ ok: true, value: bytes })
})

test.each([
  ['511', 'is less than 512 bytes'],
  ['1', 'is less than 512 bytes'],
  ['65537', 'is more than 65536 bytes'],
  ['65k', 'is more than 65536 bytes'],
  ['99999999999999999999k', 'is more than 65536 bytes'],
  ['0k', 'is not a size'],
  ['4K', 'is not a size'],
  ['4m', 'is not a size'],
  ['4 k', 'is not a size'],
  ['04k', 'is not a size'],
  ['4kb', 'is not a size'],
  ['', 'is not a size'],
  ['k', 'is not a size'],
  ['-4k', 'is not a size'],
])('%j is refused: %s', (text, reason) => {
  expect(parseByteSize(text)).toEqual({ ok: false, reason })
})

test('what is written is read back, whatever the size', () => {
  const readsBack = (bytes: number) => {
    const parsed = parseByteSize(String(formatByteSize(bytes)))
    return parsed.ok && parsed.value === bytes
  }
  fc.assert(fc.property(fc.integer({ min: 512, max: 65_536 }), readsBack), { seed: 959, numRuns: 2000 })
})
