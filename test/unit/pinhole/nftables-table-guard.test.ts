import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TableGuard } from '../../../src/pinhole/nftables/table-guard.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function guarded() {
  const kernel = { rules: 'ours', restored: 0, canRestore: true }
  const guard = new TableGuard({
    read: () => {
      if (kernel.rules === '') throw new Error('no such chain')
      return kernel.rules
    },
    restore: () => {
      kernel.restored += 1
      if (kernel.canRestore) kernel.rules = 'ours'
      return kernel.canRestore
    },
    now: () => performance.now(),
  })
  return { kernel, guard }
}

describe('our rules', () => {
  it('are looked at once a minute, and left alone while they stand', () => {
    const { kernel } = guarded()
    vi.advanceTimersByTime(120_000)
    expect(kernel.restored).toBe(0)
    kernel.rules = 'others'
    vi.advanceTimersByTime(60_000)
    expect(kernel).toMatchObject({ rules: 'ours', restored: 1 })
    kernel.rules = ''
    vi.advanceTimersByTime(60_000)
    expect(kernel).toMatchObject({ rules: 'ours', restored: 2 })
  })

  it('are put back at the next look when they could not be at this one', () => {
    const { kernel } = guarded()
    kernel.rules = ''
    kernel.canRestore = false
    vi.advanceTimersByTime(60_000)
    kernel.canRestore = true
    vi.advanceTimersByTime(60_000)
    expect(kernel).toMatchObject({ rules: 'ours', restored: 2 })
  })

  it('are looked at when nobody came to a pinhole, but not all the time', () => {
    const { kernel, guard } = guarded()
    guard.doubt()
    kernel.rules = 'others'
    guard.doubt()
    expect(kernel.restored).toBe(0)
    vi.advanceTimersByTime(5_000)
    guard.doubt()
    expect(kernel.restored).toBe(1)
    guard.stop()
    kernel.rules = 'others'
    vi.advanceTimersByTime(120_000)
    expect(kernel.restored).toBe(1)
  })
})
