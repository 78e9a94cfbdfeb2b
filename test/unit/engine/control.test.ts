import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Event, Side } from '../../../src/engine/contract.ts'
import { ControlEngine } from '../../../src/engine/control.ts'
import type { EngineOptions } from '../../../src/engine/options.ts'
import { World } from '../../support/engine-world.ts'
import { fuzzRuns } from '../../support/fuzz.ts'
import type { Choose } from '../../support/random-server.ts'
import { defaultPolicy } from '../../support/transcript-header.ts'

const server = { address: '198.51.100.7', port: 21 }
/** FUZZ_RUNS=20000 FUZZ_SEED=1 looks further than the usual run. */
const numRuns = fuzzRuns(200)
const seed = Number(process.env.FUZZ_SEED ?? 20_261_121)

function optionsOf(upstreamMode: EngineOptions['upstreamMode'], reachesFirst = true): EngineOptions {
  const policy = { ...defaultPolicy, maxRefusals: 1_000_000 }
  return {
    client: '192.0.2.9',
    upstreamMode,
    upstreamVerbs: [],
    reachesFirst,
    policy,
    isOwnAddress: () => false,
  }
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

const settings = [
  ['client', true],
  ['client', false],
  ['passive', true],
  ['passive', false],
  ['active', true],
] as const

describe.each(settings)('a random session with upstreamMode %s (reaches first: %s)', (mode, reachesFirst) => {
  const numbers = fc.array(fc.nat({ max: 10_000 }), { minLength: 20, maxLength: 600, size: 'max' })

  test('keeps every promise, and is still alive when the world comes to rest', () => {
    fc.assert(
      fc.property(numbers, (stream) => {
        const world = new World({ engine: optionsOf(mode, reachesFirst), server, choose: chooser(stream) })
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
        expect(world.toClient.slice(before), world.history).toMatch(/^200 SITE ALIVE\r\n$/m)
        world.cut()
        world.checkEnd()
      }),
      { numRuns, seed },
    )
  })

  test('gives each command the answer that was meant for it, in order', () => {
    fc.assert(
      fc.property(numbers, (stream) => {
        const choose = chooser(stream)
        const world = new World({ engine: optionsOf(mode, reachesFirst), server, choose, isPrompt: true })
        let said = 0
        for (let steps = 0; steps < stream.length / 3 && !world.isClosed; steps += 1) {
          // One that is paused is not heard.
          if (choose(4) === 0 && !world.isPaused('client')) {
            said += 1
            world.say(`SITE ${said}`)
          } else {
            world.step()
          }
        }
        world.rest()
        const answered = [...world.toClient.matchAll(/^200 SITE (\d+)\r\n/gm)].map(([, number]) =>
          Number(number),
        )
        const inOrder = Array.from(
          { length: world.isClosed ? answered.length : said },
          (_, index) => index + 1,
        )
        expect(answered, world.history).toEqual(inOrder)
      }),
      { numRuns, seed },
    )
  })

  test('answers every command of a client that waits, and every ABOR of one that does not', () => {
    const lines = ['PASV', 'PORT 192,0,2,9,195,80', 'RETR a.bin', 'STOR b.bin', 'NOOP']
    fc.assert(
      fc.property(numbers, (stream) => {
        const choose = chooser(stream)
        const world = new World({ engine: optionsOf(mode, reachesFirst), server, choose })
        const isAnswered = (from: number) => /^[2-5]\d\d /m.test(world.toClient.slice(from))
        for (let round = 0; round < stream.length / 10 && !world.isClosed; round += 1) {
          const isAborted = choose(3) === 0
          let from = world.toClient.length
          world.say(lines[choose(lines.length)] ?? '')
          if (isAborted) {
            for (let steps = choose(10); steps > 0 && world.stepElsewhere(); steps -= 1)
              from = world.toClient.length
            // A server may answer once for both, but not before it was asked.
            if (!world.isClosed) world.say('ABOR')
          }
          while (!isAnswered(from) && world.stepElsewhere()) {
            // Whatever happens, in whatever order.
          }
          expect(world.isClosed || isAnswered(from), world.history).toBe(true)
          // The other half of two answers.
          if (isAborted) world.rest()
        }
      }),
      { numRuns, seed },
    )
  })

  test('leaves nothing behind when it is cut off at any moment', () => {
    const ends = fc.constantFrom<Event[]>(
      [
        { type: 'ended', isGone: false, side: 'server' },
        { type: 'timerFired', timer: 'idle' },
      ],
      [
        { type: 'ended', isGone: false, side: 'client' },
        { type: 'timerFired', timer: 'idle' },
      ],
      [{ type: 'timerFired', timer: 'idle' }],
      [{ type: 'drainRequested' }, { type: 'timerFired', timer: 'idle' }],
    )
    fc.assert(
      fc.property(numbers, ends, (stream, events) => {
        const world = new World({ engine: optionsOf(mode, reachesFirst), server, choose: chooser(stream) })
        for (let steps = 0; steps < stream.length / 3 && !world.isClosed; steps += 1) world.step()
        for (const event of events) world.happen(event)
        world.cut()
        world.checkEnd()
      }),
      { numRuns, seed },
    )
  })
})

describe('noise', () => {
  const side = fc.constantFrom<Side>('client', 'server')
  const id = fc.integer({ min: 0, max: 5 })
  const bytes = fc
    .array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(10, 13, 32, 48, 50, 55, 255)), {
      maxLength: 60,
    })
    .map((codes) => String.fromCharCode(...codes))
  const line = fc.constantFrom(
    ...[
      'USER joe\r\n',
      'PASS x\r\n',
      'PASV\r\n',
      'EPSV\r\n',
      'PORT 192,0,2,9,195,80\r\n',
      'RETR a\r\n',
      'ABOR\r\n',
    ],
    ...[
      '220 a\r\n',
      '331 a\r\n',
      '230 a\r\n',
      '200 a\r\n',
      '150 a\r\n',
      '226 a\r\n',
      '421 a\r\n',
      '500 a\r\n',
      '211-a\n',
    ],
    ...[
      '227 (10,0,0,5,200,1)\r\n',
      '229 (|||51201|)\r\n',
      'QUIT\r\n',
      'STAT\r\n',
      'AUTH TLS\r\n',
      '234 a\r\n',
    ],
  )
  const announce = fc.constant({ address: '203.0.113.9', port: 40_001 })
  const received = fc.record({ type: fc.constant('received'), side, text: fc.oneof(bytes, line) })
  const happened: fc.Arbitrary<Event> = fc.oneof(
    fc.record({ type: fc.constant('ended'), isGone: fc.boolean(), side }),
    fc.record({ type: fc.constant('pinholeOpened'), pinhole: id, announce, inKernel: fc.boolean() }),
    fc.record({ type: fc.constant('pinholeFailed'), pinhole: id, reason: fc.constant('backend') }),
    fc.record({ type: fc.constant('pinholeExpired'), pinhole: id }),
    fc.record({ type: fc.constant('legConnected'), channel: id, side }),
    fc.record({ type: fc.constant('legFailed'), channel: id, side, reason: fc.constant('reset') }),
    fc.record({ type: fc.constant('channelEnded'), channel: id }),
    fc.record({ type: fc.constant('delivered'), channel: id }),
    fc.record({
      type: fc.constant('timerFired'),
      timer: fc.constantFrom('login', 'idle', 'abort', 'doubt', 'hold', 'quiet', 'keepAlive'),
    }),
    fc.record({ type: fc.constant('drainRequested') }),
  )
  const event = fc.oneof({ weight: 9, arbitrary: received }, { weight: 1, arbitrary: happened })

  test.each([null, 'explicit', 'implicit'] as const)(
    'never makes it throw or let through what it must not (passthrough: %s)',
    (passthrough) => {
      const policy = { ...defaultPolicy, maxRefusals: 1000 }
      const engineOptions = { ...optionsOf('client'), policy, passthrough }
      fc.assert(
        fc.property(fc.array(event, { maxLength: 60, size: 'max' }), (events) => {
          const engine = new ControlEngine(engineOptions)
          engine.handle({ type: 'upstreamConnected', server, knows: [], manner: null })
          let hasOpened = false
          for (const each of events) {
            hasOpened ||= each.type === 'pinholeOpened'
            const wasClosed = engine.state === 'closed'
            const wasPipe = engine.isOpaque
            const effects = engine.handle(each)
            if (wasClosed) expect(effects).toEqual([])
            for (const effect of effects) {
              if (effect.type !== 'send' || wasPipe) continue
              // Telnet's refusals begin with IAC.
              const isLine = /^[\x20-\x7e\x80-\xff]*\r\n$/.test(effect.text)
              if (effect.side === 'server' && !effect.text.startsWith('\xff')) expect(isLine).toBe(true)
              if (effect.side === 'client' && !hasOpened) expect(effect.text).not.toContain('203,0,113,9')
            }
          }
        }),
        { numRuns: numRuns * 10, seed },
      )
    },
  )
})

describe('an engine', () => {
  test('gives the pipe to nobody when the server says more behind its 234 (S16)', () => {
    const engine = new ControlEngine({
      ...optionsOf('client'),
      passthrough: 'explicit',
    })
    const say = (side: Side, text: string) => engine.handle({ type: 'received', side, text })
    engine.handle({ type: 'upstreamConnected', server, knows: [], manner: null })
    say('server', '220 Ready.\r\n')
    say('client', 'AUTH TLS\r\n')
    expect(say('server', '234 Proceed.\r\n230 Logged in.\r\n')).toMatchObject([
      { type: 'record', record: { type: 'reply', code: 234 } },
      { type: 'record', record: { type: 'refusal', reason: 'plaintext_after_auth' } },
      { type: 'send', side: 'client', text: '421 Plaintext where TLS must begin, closing.\r\n' },
      { type: 'close', reason: 'protocol' },
    ])
  })

  test('stops reading from a client that sends ahead, and from a server that talks on behind a held answer (S22)', () => {
    const engine = new ControlEngine(optionsOf('client'))
    const flood = (side: Side, line: string) => {
      for (let bytes = 0; bytes < 100_000; bytes += line.length) {
        const effects = engine.handle({ type: 'received', side, text: line })
        if (effects.some((effect) => effect.type === 'pauseReading' && effect.side === side)) return bytes
      }
      return Number.POSITIVE_INFINITY
    }
    engine.handle({ type: 'upstreamConnected', server, knows: [], manner: null })
    expect(flood('client', 'NOOP\r\n')).toBeLessThan(65_536 + 4_096 + 10)

    const other = new World({ engine: optionsOf('client'), server, choose: () => 0 })
    other.say('PASV')
    other.happen({ type: 'received', side: 'server', text: '227 (10,0,0,5,200,1)\r\n' })
    let bytes = 0
    while (!other.isPaused('server')) {
      other.happen({ type: 'received', side: 'server', text: '200 Ok.\r\n' })
      bytes += 9
    }
    expect(bytes).toBeLessThan(16_384 + 10)
  })

  test('passes on what a server never stops saying out of turn, and records a hundred of it (S22)', () => {
    const engine = new ControlEngine(optionsOf('client'))
    engine.handle({ type: 'upstreamConnected', server, knows: [], manner: null })
    engine.handle({ type: 'received', side: 'server', text: '220 Ready.\r\n' })
    const effects = engine.handle({
      type: 'received',
      side: 'server',
      text: '200 Surprise.\r\n'.repeat(1000),
    })
    const sent = effects.map((effect) => (effect.type === 'send' ? effect.text : '')).join('')
    expect(sent).toBe('200 Surprise.\r\n'.repeat(1000))
    const errors = effects.filter(({ type }) => type === 'record').map((effect) => JSON.stringify(effect))
    expect(errors.filter((error) => error.includes('unsolicited_reply'))).toHaveLength(100)
  })
})
