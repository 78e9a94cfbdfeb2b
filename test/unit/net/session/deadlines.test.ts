import { describe, expect, it } from 'vitest'
import { Deadlines } from '../../../../src/net/session/deadlines.ts'

const limits = { idleMs: 10_000, loginMs: 4_000, replyMs: 20_000, transferMs: 30_000, connectMs: 5_000 }

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
    deadlines.awaits('client', 2_000)
    deadlines.active(7_000)
    expect(due(deadlines, 16_999)).toEqual([])
    expect(due(deadlines, 17_000)).toEqual(['idle'])
    // And again, should the session still be there.
    expect(due(deadlines, 27_000)).toEqual(['idle'])
  })

  it('count the time of whoever is waited for, from when it began', () => {
    const deadlines = new Deadlines(limits, 0)
    deadlines.clear('login')
    deadlines.awaits('server', 5_000)
    expect(due(deadlines, 19_999)).toEqual([])
    expect(due(deadlines, 20_000)).toEqual(['reply'])
    deadlines.awaits('transfer', 21_000)
    // What is said meanwhile does not bring it nearer.
    deadlines.active(40_000)
    expect(due(deadlines, 50_999)).toEqual([])
    expect(due(deadlines, 51_000)).toEqual(['transfer'])
    deadlines.awaits('data', 52_000)
    deadlines.active(60_000)
    expect(due(deadlines, 69_999)).toEqual([])
    expect(due(deadlines, 70_000)).toEqual(['idle'])
  })

  it('give all that have passed', () => {
    const deadlines = new Deadlines(limits, 0)
    deadlines.set('abort', 0)
    deadlines.set('hold', 0)
    deadlines.set('linger', 0)
    expect(due(deadlines, 60_000)).toEqual(['login', 'abort', 'hold', 'linger', 'reply'])
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
