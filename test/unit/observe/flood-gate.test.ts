import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createFloodGate } from '../../../src/observe/log/flood-gate.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function gateOf(perSecond: number) {
  const reports: [string, number][] = []
  const gate = createFloodGate({ perSecond, report: (kind, count) => reports.push([kind, count]) })
  const admitted = (kind: string, times: number) =>
    Array.from({ length: times }, () => gate.admits(kind)).filter(Boolean).length
  return { gate, reports, admitted }
}

describe('a flood of identical lines', () => {
  test('lets the first of each kind through and reports the rest once a second', () => {
    const { reports, admitted } = gateOf(3)
    expect(admitted('bounce', 100)).toBe(3)
    expect(admitted('syntax', 2)).toBe(2)
    expect(reports).toEqual([])
    vi.advanceTimersByTime(1000)
    expect(reports).toEqual([['bounce', 97]])
  })

  test('starts afresh in the next second', () => {
    const { reports, admitted } = gateOf(3)
    admitted('bounce', 10)
    vi.advanceTimersByTime(1000)
    expect(admitted('bounce', 5)).toBe(3)
    vi.advanceTimersByTime(1000)
    expect(reports).toEqual([
      ['bounce', 7],
      ['bounce', 2],
    ])
  })

  test('of ever new kinds shares one count', () => {
    const { reports, admitted } = gateOf(1)
    let through = 0
    for (let n = 0; n < 10_000; n += 1) through += admitted(`kind ${n}`, 1)
    expect(through).toBe(257)
    vi.advanceTimersByTime(1000)
    expect(reports).toEqual([['other', 10_000 - 257]])
  })

  test('is reported when the log closes in mid-second', () => {
    const { gate, reports, admitted } = gateOf(1)
    admitted('bounce', 4)
    gate.close()
    expect(reports).toEqual([['bounce', 3]])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('leaves no timer behind while nothing happens', () => {
    const { admitted } = gateOf(1)
    admitted('bounce', 4)
    vi.advanceTimersByTime(1000)
    expect(vi.getTimerCount()).toBe(0)
  })
})
