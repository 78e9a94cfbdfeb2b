import { describe, expect, it } from 'vitest'
import { Deadlines } from '../../../../src/net/session/deadlines.ts'

const limits = { idleMs: 10_000, loginMs: 4_000 }

/** All deadlines that have passed, in order. */
function due(deadlines: Deadlines, nowMs: number): string[] {
  const passed: string[] = []
  for (let next = deadlines.next(nowMs); next !== null; next = deadlines.next(nowMs)) passed.push(next)
  return passed
}

describe('the deadlines of a session', () => {
  it('begin with the time to log in, which fires once', () => {
    const deadlines = new Deadlines(limits, 1_000)
    expect(due(deadlines, 4_999)).toEqual([])
    expect(due(deadlines, 5_000)).toEqual(['login'])
    expect(due(deadlines, 6_000)).toEqual([])
  })

  it('stop and begin again as they are told', () => {
    const deadlines = new Deadlines(limits, 0)
    deadlines.clear('login')
    expect(due(deadlines, 9_000)).toEqual([])
    deadlines.set('login', 9_000)
    deadlines.active(9_000)
    expect(due(deadlines, 12_999)).toEqual([])
    expect(due(deadlines, 13_000)).toEqual(['login'])
  })

  it('count idle time from the last thing that moved', () => {
    const deadlines = new Deadlines(limits, 0)
    deadlines.clear('login')
    deadlines.active(7_000)
    expect(due(deadlines, 16_999)).toEqual([])
    expect(due(deadlines, 17_000)).toEqual(['idle'])
    // And again, should the session still be there.
    expect(due(deadlines, 27_000)).toEqual(['idle'])
  })

  it('give all that have passed, the most urgent first', () => {
    const deadlines = new Deadlines(limits, 0)
    deadlines.set('abort', 0)
    deadlines.set('hold', 0)
    deadlines.set('linger', 0)
    expect(due(deadlines, 60_000)).toEqual(['linger', 'abort', 'hold', 'login', 'idle'])
  })

  it('forget a short timer that was cleared', () => {
    const deadlines = new Deadlines(limits, 0)
    deadlines.clear('login')
    deadlines.set('abort', 0)
    deadlines.set('hold', 0)
    deadlines.clear('abort')
    deadlines.clear('hold')
    expect(due(deadlines, 9_999)).toEqual([])
  })
})
