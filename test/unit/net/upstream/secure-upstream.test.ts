import { afterEach, describe, expect, it } from 'vitest'
import { type SecureUpstreamResult, secureUpstream } from '../../../../src/net/upstream/secure-upstream.ts'
import { connectionPair } from '../../../support/connections.ts'
import { Wire } from '../../../support/peers/wire.ts'

const ends: { destroy(): unknown }[] = []

afterEach(() => {
  for (const end of ends.splice(0)) end.destroy()
})

const shakesHands = new Error('TLS began')

/** A server that is asked for TLS; what becomes of it comes with `result`. */
async function ask(how: 'explicit' | 'talking') {
  const { connection, socket } = await connectionPair()
  ends.push(connection, socket)
  const server = new Wire(socket)
  let tell: (result: SecureUpstreamResult | 'shaking') => void = () => undefined
  const result = new Promise<SecureUpstreamResult | 'shaking'>((resolve) => {
    tell = resolve
  })
  const tls = {
    secureControl() {
      tell('shaking')
      throw shakesHands
    },
  }
  try {
    secureUpstream({ connection, tls, how }, (told) => tell(told))
  } catch (error) {
    if (error !== shakesHands) throw error
  }
  return { server, result }
}

describe('a server that is asked for TLS', () => {
  it('greets in pieces, in several lines and behind text, and is asked after the last of them', async () => {
    const { server, result } = await ask('explicit')
    const greeting = 'Authorised use only\n220-Welcome\r\n220 not yet\r\n'
    await server.sendByteByByte('120 Wait.\r\n')
    await server.sendByteByByte(greeting)
    expect(await server.readLine()).toBe('AUTH TLS')
    await server.sendByteByByte('502 No.\r\n')
    expect(await result).toMatchObject({
      type: 'refused',
      greeting: `120 Wait.\r\n${greeting}`,
      reply: '502 No.\r\n',
    })
  })

  it('is refused its Telnet options, and understood behind them', async () => {
    const { server } = await ask('explicit')
    await server.send('\xff\xfd\x18220 Ready.\r\n')
    expect(await server.readLine()).toBe('AUTH TLS')
  })

  it('may not say a word behind its greeting or its 234 (S16)', async () => {
    const behindGreeting = await ask('explicit')
    await behindGreeting.server.send('220 Ready.\r\n230 You are in.\r\n')
    expect(await behindGreeting.result).toMatchObject({ type: 'failed', problem: { reason: 'not_tls' } })
    const behindAnswer = await ask('talking')
    expect(await behindAnswer.server.readLine()).toBe('AUTH TLS')
    await behindAnswer.server.send('234 Go on.\r\n2')
    expect(await behindAnswer.result).toMatchObject({ type: 'failed', problem: { reason: 'not_tls' } })
  })

  it.each([
    ['preliminary replies', '120 Wait.\r\n'],
    ['beginnings of replies', '220-\n'],
    ['text', 'x'],
  ])('may say 16 KiB before it begins, and no more: %s', async (_what, text) => {
    const { server, result } = await ask('explicit')
    const block = text.repeat(Math.ceil((16 * 1024 + 1) / text.length))
    const startedMs = performance.now()
    await server.send(block)
    expect(await result).toMatchObject({ type: 'failed', problem: { reason: 'not_tls' } })
    expect(performance.now() - startedMs).toBeLessThan(2_000)
  })

  it('may hang up', async () => {
    const { server, result } = await ask('explicit')
    await server.send('220-Wel')
    server.halfClose()
    expect(await result).toMatchObject({ type: 'failed', problem: { reason: 'closed' } })
  })
})
