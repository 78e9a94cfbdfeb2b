import { describe, expect, it } from 'vitest'
import { RecentKeys } from '../../../src/timing/recent-keys.ts'

function world() {
  let nowMs = 5
  const keys = new RecentKeys({ forMs: 1_000, now: () => nowMs })
  return {
    keys,
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

describe('recent keys', () => {
  it('are remembered for their while and no longer', () => {
    const { keys, pass } = world()
    expect(keys.has('a')).toBe(false)
    keys.add('a')
    pass(999)
    expect([keys.has('a'), keys.has('b')]).toEqual([true, false])
    pass(1)
    expect(keys.has('a')).toBe(false)
  })

  it('begin their while again when they are added again', () => {
    const { keys, pass } = world()
    keys.add('a')
    keys.add('b')
    pass(600)
    keys.add('a')
    pass(600)
    expect([keys.has('a'), keys.has('b')]).toEqual([true, false])
    pass(399)
    expect(keys.has('a')).toBe(true)
    pass(1)
    expect(keys.has('a')).toBe(false)
  })

  it('take up no memory once they are over and others come', () => {
    const { keys, pass } = world()
    for (let key = 0; key < 10_000; key += 1) {
      keys.add(`${key}`)
      pass(10)
      expect(keys.size).toBeLessThanOrEqual(200)
    }
    pass(2_000)
    keys.add('another')
    expect(keys.size).toBe(1)
  })
})
