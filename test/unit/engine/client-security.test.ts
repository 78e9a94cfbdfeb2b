import { describe, expect, it } from 'vitest'
import { ControlEngine } from '../../../src/engine/control.ts'
import { defaultPolicy } from '../../support/transcript-header.ts'

function greeted(): ControlEngine {
  const engine = new ControlEngine({
    client: '192.0.2.9',
    upstreamMode: 'client',
    upstreamVerbs: [],
    reachesFirst: true,
    policy: defaultPolicy,
    isOwnAddress: () => false,
    tls: { client: { mode: 'required', dataProtection: 'client' }, server: null },
  })
  engine.handle({ type: 'upstreamConnected', server: { address: '198.51.100.7', port: 21 }, knows: [] })
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
