// Which reply answers which command, with servers that answer twice, late, in two pieces or never: whatever is taken for
// what, no address of theirs gets out, no answer overtakes another, and nobody waits for ever.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Side } from '../../../src/engine/contract.ts'
import { ControlEngine } from '../../../src/engine/control.ts'
import type { EngineOptions } from '../../../src/engine/options.ts'
import { World } from '../../support/engine-world.ts'
import { OddServer } from '../../support/odd-server.ts'
import type { Choose } from '../../support/random-server.ts'
import { defaultPolicy } from '../../support/transcript-header.ts'

const server = { address: '198.51.100.7', port: 21 }
/** FUZZ_RUNS=20000 FUZZ_SEED=1 looks further than the usual run. */
const numRuns = Number(process.env.FUZZ_RUNS ?? 200)
const seed = Number(process.env.FUZZ_SEED ?? 20_261_129)
const numbers = fc.array(fc.nat({ max: 10_000 }), { minLength: 20, maxLength: 600, size: 'max' })

const settings = [
  { upstreamMode: 'client', reachesFirst: true },
  { upstreamMode: 'client', reachesFirst: false },
  { upstreamMode: 'passive', reachesFirst: true },
  { upstreamMode: 'active', reachesFirst: true },
] as const

function optionsOf(setting: Pick<EngineOptions, 'upstreamMode' | 'reachesFirst'>): EngineOptions {
  const policy = { ...defaultPolicy, maxRefusals: 1_000_000 }
  return { ...setting, client: '192.0.2.9', upstreamVerbs: [], policy, isOwnAddress: () => false }
}

function chooser(stream: readonly number[]): Choose {
  let at = 0
  return (below) => {
    const number = stream[at] ?? 0
    at += 1
    return below === 0 ? 0 : number % below
  }
}

/** A session with an odd server, and what the client said of which the answers can be told apart. */
class Talk {
  readonly world: World
  readonly server: OddServer
  readonly #choose: Choose
  /** `SITE 3` is answered by the server with `200 SITE 3`, `LPRT` by us with 502. */
  readonly said: ('SITE' | 'LPRT')[] = []

  constructor(stream: readonly number[], engine: EngineOptions, { isDeaf }: { readonly isDeaf: boolean }) {
    this.#choose = chooser(stream)
    const odd = new OddServer(this.#choose, { isDeaf })
    this.server = odd
    this.world = new World({ engine, server, choose: this.#choose, upstream: odd })
  }

  run(steps: number): void {
    for (let step = 0; step < steps && !this.world.isClosed; step += 1) {
      const dice = this.#choose(10)
      if (dice < 2 && !this.world.isPaused('client')) this.#say('SITE')
      else if (dice === 2 && !this.world.isPaused('client')) this.#say('LPRT')
      else if (dice === 3 && this.world.engine.waitsForSilence) this.#quiet()
      else this.world.step()
    }
  }

  /** Everything that comes has come, and then nothing for seconds. */
  rest(): void {
    this.world.rest()
    for (let looks = 0; looks < 20 && !this.world.isClosed && this.world.engine.waitsForSilence; looks += 1) {
      this.#quiet()
      this.world.rest()
    }
  }

  /** Whether the next command is answered now. */
  isAlive(): boolean {
    if (this.world.isPaused('client')) return false
    const before = this.world.toClient.length
    this.world.say('SITE ALIVE')
    this.rest()
    return /^200 SITE ALIVE\r\n/m.test(this.world.toClient.slice(before))
  }

  checkAddresses(): void {
    const { toClient, history } = this.world
    expect(toClient, history).not.toMatch(/(198,51,100,7|10,0,0,5),\d+,\d+|\|\|\|51\d{3}\|/)
  }

  /** What was answered before something else was said before it: a doubled answer may come late, none comes early. */
  checkOrder(): void {
    const { toClient, history } = this.world
    let refusals = 0
    let latest = -1
    for (const [, site] of toClient.matchAll(/^(?:200 SITE (\d+)|502 LPRT is not supported\.)\r\n/gm)) {
      if (site !== undefined) {
        latest = Math.max(latest, Number(site))
        continue
      }
      refusals += 1
      const refused = this.#positionOf(refusals)
      expect(
        latest,
        `the answer to command ${latest} came before that to command ${refused}\n${history}`,
      ).toBeLessThan(refused)
    }
    expect(refusals, history).toBeLessThanOrEqual(this.said.filter((verb) => verb === 'LPRT').length)
  }

  #say(verb: 'SITE' | 'LPRT'): void {
    this.said.push(verb)
    this.world.say(`${verb} ${this.said.length - 1}`)
  }

  #quiet(): void {
    this.world.happen({ type: 'timerFired', timer: 'quiet' })
  }

  /** Where the nth LPRT stands among what was said. */
  #positionOf(nth: number): number {
    let seen = 0
    return this.said.findIndex((verb) => {
      if (verb === 'LPRT') seen += 1
      return seen === nth
    })
  }
}

describe.each(settings)('with upstream mode $upstreamMode (reaches first: $reachesFirst)', (setting) => {
  test.each([
    ['that answers twice, late and in pieces', false],
    ['that does not always answer', true],
  ])('a server %s says no address, and is waited for until its deadline at most', (_, isDeaf) => {
    fc.assert(
      fc.property(numbers, (stream) => {
        const talk = new Talk(stream, optionsOf(setting), { isDeaf })
        talk.run(stream.length / 3)
        talk.rest()
        talk.server.recover()
        talk.checkAddresses()
        talk.checkOrder()
        if (talk.world.isClosed || talk.isAlive() || talk.world.isClosed) return
        // The session driver counts this time, and fires this timer.
        const { awaits } = talk.world.engine
        const timer = ({ server: 'reply', transfer: 'transfer', data: 'idle', client: null } as const)[awaits]
        expect(timer, `the client is waited for, and waits\n${talk.world.history}`).not.toBeNull()
        if (timer !== null) talk.world.happen({ type: 'timerFired', timer })
        expect(talk.world.isClosed, talk.world.history).toBe(true)
        talk.world.checkEnd()
      }),
      { numRuns, seed, endOnFailure: true },
    )
  })
})

describe('what waits', () => {
  const long = 'x'.repeat(1_000)
  const line = fc.constantFrom(
    'NOOP',
    `CWD ${long}`,
    'PASV',
    'RETR a.bin',
    'ABOR',
    `STAT ${long}`,
    'FEAT',
    `SITE ${long}`,
  )
  const reply = fc.constantFrom(
    `200 ${long}`,
    '150 Opening.',
    `226 ${long}`,
    '227 Passive (10,0,0,5,200,1).',
    '229 Passive (|||51200|)',
    `211-${long}`,
    `500 ${long}`,
  )
  const atMost = 150_000

  test.each(['client', 'server'] as const)(
    'of a %s that never stops is bounded: we stop reading',
    (side: Side) => {
      const lines = fc.array(side === 'client' ? line : reply, { minLength: 1, maxLength: 20 })
      fc.assert(
        fc.property(lines, fc.boolean(), (cycle, isHeld) => {
          const world = new World({ engine: optionsOf(settings[0]), server, choose: () => 0 })
          // An answer that is held: what comes behind it waits.
          if (isHeld) world.say('PASV')
          let heldBytes = 0
          for (let at = 0; at < 600 && !world.isPaused(side) && !world.isClosed; at += 1) {
            const before = world.passedOn
            const text = `${cycle[at % cycle.length]}\r\n`
            world.happen({ type: 'received', side, text })
            heldBytes = world.passedOn > before ? 0 : heldBytes + text.length
            if (heldBytes > atMost) break
          }
          expect(heldBytes, `${side} says ${cycle.map((each) => each.slice(0, 10)).join(', ')}`).toBeLessThan(
            atMost,
          )
        }),
        { numRuns: Math.ceil(numRuns / 4), seed },
      )
    },
  )
})

test('256 commands wait for a server that does not answer; each of its replies lets one more go (S22)', () => {
  const engine = new ControlEngine(optionsOf(settings[0]))
  const toServer = (side: Side, text: string) =>
    engine
      .handle({ type: 'received', side, text })
      .map((effect) => (effect.type === 'send' && effect.side === 'server' ? effect.text : ''))
      .join('')
  engine.handle({ type: 'upstreamConnected', server, knows: [], manner: null })
  toServer('server', '220 Ready.\r\n')
  const line = 'SITE X\r\n'
  expect(toServer('client', line.repeat(300))).toBe(line.repeat(256))
  expect(toServer('server', '200 Ok.\r\n')).toBe(line)
  expect(toServer('server', '200 Ok.\r\n'.repeat(300))).toBe(line.repeat(43))
})
