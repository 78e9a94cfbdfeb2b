import { describe, expect, test } from 'vitest'
import { Outcomes } from '../../../src/observe/view/recent.ts'

describe('what happened lately', () => {
  test('is forgotten after two minutes, failure by failure', () => {
    let nowMs = 1_000_000
    const outcomes = new Outcomes(() => nowMs)
    outcomes.failed({ who: 'a', why: 'a: refused' })
    nowMs += 60_000
    outcomes.failed({ who: 'b', why: 'b: refused' })
    outcomes.succeeded()
    expect(outcomes.view()).toEqual({ succeeded: 1, failed: 2, failing: 2, why: 'b: refused' })
    nowMs += 60_000
    expect(outcomes.view()).toEqual({ succeeded: 1, failed: 1, failing: 1, why: 'b: refused' })
    nowMs += 60_000
    expect(outcomes.view()).toEqual({ succeeded: 0, failed: 0, failing: 0, why: null })
  })

  test('takes as much memory for a thousand peers as for sixteen', () => {
    const outcomes = new Outcomes(() => 0)
    for (let n = 0; n < 1000; n += 1) outcomes.failed({ who: `${n}`, why: 'x' })
    expect(outcomes.view()).toMatchObject({ failed: 1000, failing: 16 })
  })
})
