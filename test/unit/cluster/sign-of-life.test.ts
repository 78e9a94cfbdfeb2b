import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { SignOfLife } from '../../../src/cluster/sign-of-life.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function watched() {
  const calls = { asked: 0, silent: 0 }
  const life = new SignOfLife({
    silenceMs: 10_000,
    ask: () => {
      calls.asked += 1
    },
    silent: () => {
      calls.silent += 1
    },
  })
  return { life, calls }
}

it('calls a process silent once, when it has said nothing for the whole time', () => {
  const { calls } = watched()
  vi.advanceTimersByTime(10_000)
  expect(calls).toEqual({ asked: 10, silent: 0 })
  vi.advanceTimersByTime(60_000)
  expect(calls).toEqual({ asked: 10, silent: 1 })
  expect(vi.getTimerCount()).toBe(0)
})

it('begins again with every sign of life', () => {
  const { life, calls } = watched()
  for (let turn = 0; turn < 10; turn += 1) {
    vi.advanceTimersByTime(9_000)
    life.heard()
  }
  expect(calls.silent).toBe(0)
})

it('asks nobody after the end', () => {
  const { life, calls } = watched()
  life.stop()
  vi.advanceTimersByTime(60_000)
  expect(calls).toEqual({ asked: 0, silent: 0 })
})
