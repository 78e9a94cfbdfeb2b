import { afterEach, describe, expect, it } from 'vitest'
import { makes } from '../../../support/connections.ts'
import { closeRelayed, relayed } from '../../../support/peers/relayed.ts'
import type { Wire } from '../../../support/peers/wire.ts'

afterEach(closeRelayed)

/** The kernel has handed a reset to the other end of a loopback connection before this resolves. */
async function resetAndWait(peer: Wire): Promise<void> {
  const closed = new Promise((resolve) => peer.socket.once('close', resolve))
  peer.reset()
  await closed
}

describe.each(makes)('a relay ($make)', ({ tcp }) => {
  const start = (before?: Parameters<typeof relayed>[0]) => relayed(before, tcp)

  it('passes bytes and ends both ways, and says ok', async () => {
    const { client, server, ended, relay } = await start()
    await client.send('up')
    expect(await server.readBytes(2)).toBe('up')
    await server.send('down')
    expect(await client.readBytes(4)).toBe('down')
    client.halfClose()
    expect(await server.ended()).toBe('fin')
    server.halfClose()
    expect(await client.ended()).toBe('fin')
    expect(await ended()).toBe('ok')
    expect([relay.uploadBytes, relay.downloadBytes]).toEqual([2, 4])
  })

  it('passes a reset on although bytes were waiting to be read before it', async () => {
    const { client, server, ended } = await start(async (peers) => {
      await peers.server.send('the first half')
      await resetAndWait(peers.server)
    })
    expect(server.ending).not.toBe('fin')
    expect(await client.ended()).toBe('reset')
    expect(await ended()).toBe('reset')
  })

  it('passes a reset on although its peer was sent a FIN long before', async () => {
    const { client, server, ended, legs } = await start()
    client.halfClose()
    expect(await server.ended()).toBe('fin')
    legs.server.pause()
    await server.send('the first half')
    await resetAndWait(server)
    legs.server.resume()
    expect(await client.ended()).toBe('reset')
    expect(await ended()).toBe('reset')
  })

  it('ends although a reset comes in the moment between FIN and its acknowledgement', async () => {
    const { client, relay, ended, legs } = await start()
    const shutting = new Promise<void>((resolve) => {
      const end = legs.server.end.bind(legs.server)
      legs.server.end = () => {
        end()
        resolve()
      }
    })
    client.halfClose()
    await shutting
    relay.reset()
    expect(await ended()).toBe('reset')
  })

  it('keeps a download that is slow to begin though the client has finished speaking', async () => {
    const { client, server, relay, ended } = await start()
    client.halfClose()
    expect(await server.ended()).toBe('fin')
    relay.sweep(performance.now())
    relay.sweep(performance.now() + 60_000)
    await server.send('at last')
    expect(await client.readBytes(7)).toBe('at last')
    server.halfClose()
    expect(await client.ended()).toBe('fin')
    expect(await ended()).toBe('ok')
  })

  it('lets go of a client that does not close after the whole download', async () => {
    const { client, server, relay, ended } = await start()
    await server.send('all of it')
    server.halfClose()
    expect(await client.readRest()).toBe('all of it')
    relay.carries('download')
    relay.sweep(performance.now())
    relay.sweep(performance.now() + 60_000)
    expect(await server.ended()).toBe('reset')
    expect(await ended()).toBe('reset')
  })

  it.each(['upload', null] as const)(
    'waits for a slow upload whose server has nothing to say: %s',
    async (way) => {
      const { client, server, relay, ended } = await start()
      relay.carries(way)
      server.halfClose()
      expect(await client.ended()).toBe('fin')
      relay.sweep(performance.now())
      relay.sweep(performance.now() + 60_000)
      await client.send('at last')
      expect(await server.readBytes(7)).toBe('at last')
      client.halfClose()
      expect(await server.ended()).toBe('fin')
      expect(await ended()).toBe('ok')
    },
  )
})
