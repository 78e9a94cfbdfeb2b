// What becomes of a client when we are wrong ourselves: it is told, nobody else notices, and it counts.

import { describe, expect, it } from 'vitest'
import { listen } from './stand.ts'

describe('a client that comes when we are wrong', () => {
  const forbidden = () => {
    throw new Error('uv_interface_addresses returned Unknown system error 97')
  }

  it.each([
    ['an address', undefined],
    ['a name', 'localhost'],
  ])('is told so when connecting to %s fails by a defect', async (_what, host) => {
    const { connect, linesOf, registry, defects } = await listen({
      isOwnListener: forbidden,
      ...(host && { host }),
    })
    const client = await connect()
    expect((await client.reply()).text).toContain('421 This proxy has a defect')
    await client.wire.ended()
    client.close()
    await expect.poll(() => registry.size).toBe(0)
    expect(defects()).toBe(1)
    expect(linesOf('session.fail')).toMatchObject([{ listener: 'edge', error: expect.anything() }])
    expect(linesOf('session.close')).toMatchObject([{ reason: 'error' }])
  })

  it('is told so when where it wants to go cannot be found out', async () => {
    const { connect, linesOf, registry, defects } = await listen({ routeOf: forbidden })
    const client = await connect()
    expect((await client.reply()).text).toContain('421 This proxy has a defect')
    expect(defects()).toBe(1)
    expect(linesOf('session.fail')).toMatchObject([{ client_ip: '127.0.0.1' }])
    expect(registry.size).toBe(0)
  })

  it('leaves the sessions of others alone', async () => {
    let calls = 0
    const onceForbidden = () => {
      calls += 1
      return calls === 2 ? forbidden() : false
    }
    const { connect, defects } = await listen({ isOwnListener: onceForbidden })
    const first = await connect()
    await first.login()
    expect((await (await connect()).reply()).code).toBe(421)
    expect((await first.command('NOOP')).code).toBe(200)
    await (await connect()).login()
    expect(defects()).toBe(1)
  })
})
