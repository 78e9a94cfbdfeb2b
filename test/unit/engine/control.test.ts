import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Event } from '../../../src/engine/contract.ts'
import type { EngineOptions } from '../../../src/engine/options.ts'
import { World } from '../../support/engine-world.ts'
import type { Choose } from '../../support/random-server.ts'
import { defaultPolicy } from '../../support/transcript-header.ts'

const server = { address: '198.51.100.7', port: 21 }
/** FUZZ_RUNS=20000 FUZZ_SEED=1 looks further than the usual run. */
const numRuns = Number(process.env.FUZZ_RUNS ?? 200)
const seed = Number(process.env.FUZZ_SEED ?? 20_261_121)

function optionsOf(upstreamMode: EngineOptions['upstreamMode']): EngineOptions {
  const policy = { ...defaultPolicy, maxRefusals: 1_000_000 }
  return { client: '192.0.2.9', upstreamMode, policy, isOwnAddress: () => false }
}

/** A stream of choices from random numbers; when they run out, the first possibility is chosen. */
function chooser(numbers: readonly number[]): Choose {
  let at = 0
  return (below) => {
    const number = numbers[at] ?? 0
    at += 1
    return below === 0 ? 0 : number % below
  }
}

describe.each(['client', 'passive', 'active'] as const)('a random session with upstreamMode %s', (mode) => {
  const numbers = fc.array(fc.nat({ max: 10_000 }), { minLength: 20, maxLength: 600 })

  test('keeps every promise, and is still alive when the world comes to rest', () => {
    fc.assert(
      fc.property(numbers, (stream) => {
        const world = new World({ engine: optionsOf(mode), server, choose: chooser(stream) })
        for (let steps = 0; steps < stream.length / 3 && !world.isClosed; steps += 1) world.step()
        world.rest()
        if (world.isClosed) {
          world.checkEnd()
          return
        }
        // Whatever has happened, the next command is answered.
        const before = world.toClient.length
        world.say('SITE ALIVE')
        world.rest()
        expect(world.toClient.slice(before), world.history).toMatch(/^200 Ok\.\r\n$/m)
        world.cut()
        world.checkEnd()
      }),
      { numRuns, seed },
    )
  })

  test('leaves nothing behind when it is cut off at any moment', () => {
    const ends = fc.constantFrom<Event[]>(
      [
        { type: 'ended', side: 'server' },
        { type: 'timerFired', timer: 'idle' },
      ],
      [
        { type: 'ended', side: 'client' },
        { type: 'timerFired', timer: 'idle' },
      ],
      [{ type: 'timerFired', timer: 'idle' }],
      [{ type: 'drainRequested' }, { type: 'timerFired', timer: 'idle' }],
    )
    fc.assert(
      fc.property(numbers, ends, (stream, events) => {
        const world = new World({ engine: optionsOf(mode), server, choose: chooser(stream) })
        for (let steps = 0; steps < stream.length / 3 && !world.isClosed; steps += 1) world.step()
        for (const event of events) world.happen(event)
        world.cut()
        world.checkEnd()
      }),
      { numRuns, seed },
    )
  })
})
