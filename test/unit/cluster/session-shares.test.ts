import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shareSessions } from '../../../src/cluster/session-shares.ts'

describe('shares of the session limit', () => {
  test.each([
    [10, [0, 0], [5, 5]],
    [10, [6, 1], [8, 3]],
    [10, [10, 0], [10, 0]],
    [10, [9, 0], [10, 1]],
    [1, [0, 0, 0], [1, 1, 1]],
    [10, [8, 7], [8, 7]],
    [10, [3], [10]],
  ])('of %d, with %j in use, are %j', (limit, inUse, shares) => {
    expect(shareSessions({ limit, inUse })).toEqual(shares)
  })

  test('leave room somewhere exactly as long as there is some, and hardly exceed the limit together', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 16 }),
        (limit, inUse) => {
          const shares = shareSessions({ limit, inUse })
          const used = inUse.reduce((total, count) => total + count, 0)
          const given = shares.reduce((total, count) => total + count, 0)
          const everywhere = shares.every((share, index) => share > (inUse[index] ?? 0))
          expect(everywhere).toBe(used < limit)
          expect(given).toBeLessThan(Math.max(limit, used) + inUse.length)
        },
      ),
    )
  })
})
