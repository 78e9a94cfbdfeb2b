import { describe, expect, it } from 'vitest'
import { SteadyClock } from '../../../src/kernel/steady-clock.ts'

function clockAt(startMs: number) {
  const real = { ms: startMs }
  return { real, clock: new SteadyClock(() => real.ms) }
}

describe('the clock of deadlines', () => {
  it('goes with the real one while somebody ticks', () => {
    const { real, clock } = clockAt(500)
    const watch = clock.watch()
    for (const ms of [1_500, 2_600, 3_500]) {
      real.ms = ms
      expect(watch.tick()).toBe(ms)
    }
  })

  it('counts a time in which nobody ticked as one second, whoever asks first', () => {
    const { real, clock } = clockAt(1_000)
    const watch = clock.watch()
    real.ms += 70_000
    expect(clock.now()).toBe(2_000)
    expect(watch.tick()).toBe(2_000)
    real.ms += 1_000
    expect(watch.tick()).toBe(3_000)
  })

  it('goes on while nobody is there to tick', () => {
    const { real, clock } = clockAt(0)
    const watch = clock.watch()
    watch.done()
    watch.done()
    real.ms = 60_000
    expect(clock.now()).toBe(60_000)
    clock.watch()
    expect(clock.now()).toBe(60_000)
  })
})
