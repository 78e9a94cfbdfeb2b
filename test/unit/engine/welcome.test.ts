// The transcripts of fixtures/transcripts/welcome say what is right in each case; here is what holds in all of them.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Event, Side } from '../../../src/engine/contract.ts'
import { ControlEngine } from '../../../src/engine/control.ts'
import { welcomeBy } from '../../../src/net/session/welcome.ts'
import { Routes } from '../../../src/routing/routes.ts'
import { fuzzRuns } from '../../support/fuzz.ts'
import { defaultPolicy } from '../../support/transcript-header.ts'

const rule = { name: 'partners', clients: [], serverName: null, host: '*.net', user: 'partner-*' }
const routes = new Routes([rule], { hasDefault: true })

function engine(): ControlEngine {
  return new ControlEngine({
    client: '192.0.2.9',
    upstreamMode: 'client',
    upstreamVerbs: [],
    reachesFirst: true,
    policy: { ...defaultPolicy, maxRefusals: 1000 },
    isOwnAddress: () => false,
    welcome: welcomeBy(routes, '192.0.2.9'),
    tls: { client: { mode: 'optional', dataProtection: 'client', ccc: 'refuse' }, server: null },
  })
}

const received = (side: Side, line: string): Event => ({ type: 'received', side, text: `${line}\r\n` })
const fromClient = fc
  .constantFrom(
    'USER partner-1',
    'USER joe',
    'HOST a.net',
    'HOST b.org',
    'FEAT',
    'OPTS UTF8 ON',
    'PASS x',
    'PASV',
  )
  .map((line) => received('client', line))
const fromServer = fc
  .constantFrom(
    '220-Hello',
    '220 Ready.',
    '120 Wait.',
    '331 Password.',
    '230 Welcome.',
    '500 No.',
    '504 No.',
    'text',
  )
  .map((line) => received('server', line))

test('a session with a welcome asks once, is told by no server before that has greeted, and tells none before either', () => {
  const events = fc.array(fc.oneof(fromClient, fromServer), { maxLength: 40, size: 'max' })
  fc.assert(
    fc.property(events, (stream) => {
      const one = engine()
      const greeting = one.handle({ type: 'clientArrived' })
      expect(greeting).toEqual([{ type: 'send', side: 'client', text: '220 Ready.\r\n' }])
      let asked = 0
      let hasGreeted = false
      for (const event of stream) {
        const isServers = event.type === 'received' && event.side === 'server'
        // Nothing comes from a server that was not asked for.
        if (isServers && asked === 0) continue
        const isFinal = isServers && /^2\d\d /.test(event.text)
        for (const effect of one.handle(event)) {
          if (effect.type === 'connectUpstream') {
            asked += 1
            expect(
              one.handle({
                type: 'upstreamConnected',
                server: { address: '198.51.100.7', port: 21 },
                knows: [],
                manner: null,
              }),
            ).toEqual([])
          }
          if (effect.type !== 'send') continue
          if (effect.side === 'server') expect(hasGreeted || isFinal).toBe(true)
          else if (isServers && !hasGreeted) expect(effect.text).toMatch(/^421 /)
        }
        hasGreeted ||= isFinal
      }
      expect(asked).toBeLessThan(2)
    }),
    { numRuns: fuzzRuns(500), seed: 20_261_129 },
  )
})

test('what a client sends ahead of its server is bounded', () => {
  const one = engine()
  one.handle({ type: 'clientArrived' })
  one.handle(received('client', 'USER joe'))
  let bytes = 0
  for (let isPaused = false; !isPaused; bytes += 10) {
    isPaused = one.handle(received('client', 'PASS 1234')).some(({ type }) => type === 'pauseReading')
    expect(bytes).toBeLessThan(70_000)
  }
})

test('an endless greeting ends the session', () => {
  const one = engine()
  one.handle({ type: 'clientArrived' })
  one.handle(received('client', 'USER joe'))
  one.handle({
    type: 'upstreamConnected',
    server: { address: '198.51.100.7', port: 21 },
    knows: [],
    manner: null,
  })
  const effects = Array.from({ length: 70 }, () =>
    one.handle(received('server', `220-${'x'.repeat(1000)}`)),
  ).flat()
  expect(effects).toMatchObject([
    { type: 'send', side: 'client', text: '421 The server does not speak FTP.\r\n' },
    { type: 'close', reason: 'protocol' },
  ])
})
