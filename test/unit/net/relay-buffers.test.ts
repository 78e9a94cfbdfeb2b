import { describe, expect, it } from 'vitest'
import { returnLargeBuffer, takeLargeBuffer } from '../../../src/net/relay-buffers.ts'

describe('large buffers', () => {
  it('are 32 at most, each its own, and come back', () => {
    const taken: Uint8Array[] = []
    for (let buffer = takeLargeBuffer(); buffer !== null; buffer = takeLargeBuffer()) taken.push(buffer)
    expect(taken).toHaveLength(32)
    expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(32)
    const [first] = taken
    if (first === undefined) throw new Error('there are none')
    returnLargeBuffer(first)
    expect(takeLargeBuffer()).toBe(first)
    expect(takeLargeBuffer()).toBe(null)
    for (const buffer of taken) returnLargeBuffer(buffer)
    const again: Uint8Array[] = []
    for (let buffer = takeLargeBuffer(); buffer !== null; buffer = takeLargeBuffer()) again.push(buffer)
    expect(again).toHaveLength(32)
    for (const buffer of again) returnLargeBuffer(buffer)
  })
})
