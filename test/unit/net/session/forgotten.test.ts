// A redirected client whose translation conntrack has forgotten.

import { describe, expect, it } from 'vitest'
import type { TranslationState } from '../../../../src/net/arrival/translation.ts'
import { listen } from './stand.ts'

/** A listener whose clients the kernel translates, or not. */
async function redirected() {
  const kernel = { state: 'kept' as TranslationState, looks: 0 }
  const translation = {
    keep: () => {
      kernel.looks += 1
      const { state } = kernel
      if (state === 'restored') kernel.state = 'kept'
      return state
    },
  }
  const stand = await listen({ translation })
  const forgotten = async (result: string) => {
    const line = `ftp_alg_translations_forgotten_total{listener="edge",result="${result}"} `
    return Number((await stand.observer.exposition()).split(line)[1]?.split('\n')[0])
  }
  return { ...stand, kernel, forgotten }
}

describe('a client that conntrack has forgotten', () => {
  it('is put back before we say something, and counted', async () => {
    const { connect, kernel, linesOf, forgotten } = await redirected()
    const client = await (await connect()).login()
    expect(kernel.looks).toBeGreaterThanOrEqual(3)
    expect(await forgotten('restored')).toBe(0)
    kernel.state = 'restored'
    expect((await client.command('NOOP')).code).toBe(200)
    expect(await forgotten('restored')).toBe(1)
    expect(linesOf('translation.restore')).toMatchObject([{ client_ip: '127.0.0.1' }])
    expect((await client.command('NOOP')).code).toBe(200)
    expect(await forgotten('restored')).toBe(1)
  })

  it('is put back before our last word', async () => {
    const { connect, kernel, registry, forgotten } = await redirected()
    const client = await (await connect()).login()
    kernel.state = 'restored'
    const drained = registry.drain(10_000)
    expect((await client.reply()).code).toBe(421)
    expect(await forgotten('restored')).toBe(1)
    client.close()
    expect(await drained).toBe(false)
  })

  it('is looked for now and then while nobody says anything', async () => {
    const { connect, kernel, registry, forgotten } = await redirected()
    await (await connect()).login()
    kernel.state = 'restored'
    await expect.poll(() => forgotten('restored'), { timeout: 15_000 }).toBe(1)
    expect(registry.size).toBe(1)
  })

  it('ends its session when it cannot be put back', async () => {
    const { connect, kernel, registry, linesOf, forgotten } = await redirected()
    const client = await (await connect()).login()
    kernel.state = 'lost'
    void client.send('NOOP')
    await client.wire.ended()
    await expect.poll(() => registry.size).toBe(0)
    expect(await forgotten('lost')).toBe(1)
    expect(linesOf('translation.lose')).toHaveLength(1)
    expect(linesOf('session.close')).toMatchObject([{ reason: 'client' }])
  })
})
