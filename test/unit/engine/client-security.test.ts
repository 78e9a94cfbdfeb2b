import { describe, expect, it } from 'vitest'
import { ControlEngine } from '../../../src/engine/control.ts'
import { defaultPolicy } from '../../support/transcript-header.ts'

function greeted(
  mode: 'required' | 'implicit' = 'required',
  ccc: 'refuse' | 'allow' = 'refuse',
): ControlEngine {
  const engine = new ControlEngine({
    client: '192.0.2.9',
    upstreamMode: 'client',
    upstreamVerbs: [],
    reachesFirst: true,
    policy: defaultPolicy,
    isOwnAddress: () => false,
    tls: { client: { mode, dataProtection: 'client', ccc }, server: null },
  })
  engine.handle({
    type: 'upstreamConnected',
    server: { address: '198.51.100.7', port: 21 },
    knows: [],
    manner: null,
  })
  engine.handle({ type: 'received', side: 'server', text: '220 Ready.\r\n' })
  return engine
}

describe('AUTH TLS', () => {
  it.each(['USER mallory\r\n', 'U', '\r\n'])('with %j behind it ends the session (S15)', (behind) => {
    const effects = greeted().handle({ type: 'received', side: 'client', text: `AUTH TLS\r\n${behind}` })
    expect(effects).not.toContainEqual(expect.objectContaining({ type: 'secure' }))
    expect(effects).not.toContainEqual(expect.objectContaining({ side: 'server' }))
    expect(effects.at(-1)).toEqual({ type: 'close', reason: 'protocol' })
  })

  it('alone is answered before TLS begins', () => {
    const effects = greeted().handle({ type: 'received', side: 'client', text: 'AUTH TLS\r\n' })
    const of = (type: string) => effects.findIndex((effect) => effect.type === type)
    expect(of('send')).toBeGreaterThanOrEqual(0)
    expect(of('secure')).toBeGreaterThan(of('send'))
  })
})

describe('CCC', () => {
  const loggedIn = () => {
    const engine = greeted('implicit', 'allow')
    engine.handle({ type: 'received', side: 'client', text: 'USER joe\r\n' })
    engine.handle({ type: 'received', side: 'server', text: '230 Welcome.\r\n' })
    return engine
  }

  it.each(['DELE a\r\n', 'D'])(
    'with %j behind it ends the session, and nothing of it goes on (S17)',
    (behind) => {
      const effects = loggedIn().handle({ type: 'received', side: 'client', text: `CCC\r\n${behind}` })
      expect(effects).not.toContainEqual({ type: 'clear' })
      expect(effects).not.toContainEqual(expect.objectContaining({ side: 'server' }))
      expect(effects.at(-1)).toEqual({ type: 'close', reason: 'protocol' })
    },
  )

  it('alone is answered inside TLS', () => {
    const effects = loggedIn().handle({ type: 'received', side: 'client', text: 'CCC\r\n' })
    const of = (type: string) => effects.findIndex((effect) => effect.type === type)
    expect(of('clear')).toBeGreaterThan(of('send'))
    expect(of('send')).toBeGreaterThanOrEqual(0)
  })
})
