// Clients in active mode are called from the configured port, as long as the system has it.

import { createServer } from 'node:net'
import { expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { MiB } from '../support/peers/payload.ts'
import { receive, type ScriptedClient } from '../support/peers/scripted-client.ts'
import type { Wire } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'

/** A proxy that calls from a port of the test's own, which stands here for 20. */
async function callingFrom(lab: Lab, plan: { readonly listen?: string } = {}) {
  const port = (await lab.ports()).first
  const server = await lab.server(ftpScript(), plan.listen === undefined ? {} : { host: plan.listen })
  const proxy = await lab.proxy(server, { upstreamMode: 'passive', activeSourcePort: port, ...plan })
  const login = async () => (await lab.client(proxy)).login()
  return { port, proxy, login }
}

/** Starts a download and gives the connection that the client was called with, unread. */
async function called(client: ScriptedClient, bytes: number, verb: 'PORT' | 'EPRT' = 'PORT'): Promise<Wire> {
  const door = await client.openDoor(verb)
  expect((await client.command(door.announcement)).code).toBe(200)
  expect((await client.command(`RETR ${bytes}`)).code).toBe(150)
  return door.accept()
}

test('one transfer after another comes from the port', async ({ lab }) => {
  const { port, login } = await callingFrom(lab)
  const client = await login()
  for (let transfer = 0; transfer < 30; transfer += 1) {
    const data = await called(client, transfer)
    expect(data.socket.remotePort).toBe(port)
    expect((await receive(data)).byteCount).toBe(transfer)
    expect((await client.reply()).code).toBe(226)
  }
})

test('transfers of one client at the same time all come from the port', async ({ lab }) => {
  const { port, login } = await callingFrom(lab)
  const clients = await Promise.all(Array.from({ length: 30 }, login))
  const calls = await Promise.all(clients.map((client) => called(client, 8 * MiB)))
  expect(calls.map(({ socket }) => socket.remotePort)).toEqual(calls.map(() => port))
  for (const data of calls) expect((await receive(data)).byteCount).toBe(8 * MiB)
})

test('over IPv6 they do too', async ({ lab }) => {
  const { port, login } = await callingFrom(lab, { listen: '::1' })
  const data = await called(await login(), 1, 'EPRT')
  expect(data.socket.remotePort).toBe(port)
  expect((await receive(data)).byteCount).toBe(1)
})

test('a second call to the same endpoint comes from another port, and succeeds', async ({ lab }) => {
  const { port, proxy, login } = await callingFrom(lab)
  const [first, second] = [await login(), await login()]
  const door = await first.openDoor()
  const calls: Wire[] = []
  for (const client of [first, second]) {
    expect((await client.command(door.announcement)).code).toBe(200)
    // More than the buffers on the way hold: the connection stays up while nobody reads.
    expect((await client.command(`RETR ${32 * MiB}`)).code).toBe(150)
    calls.push(await door.accept())
  }
  const ports = calls.map(({ socket }) => socket.remotePort)
  expect(ports[0]).toBe(port)
  expect(ports[1]).not.toBe(port)
  for (const data of calls) expect((await receive(data)).byteCount).toBe(32 * MiB)
  // And again, with the first connection just over.
  expect((await first.reply()).code).toBe(226)
  expect((await first.command(door.announcement)).code).toBe(200)
  expect((await first.command('RETR 7')).code).toBe(150)
  expect((await receive(await door.accept())).byteCount).toBe(7)
  expect(await proxy.metric('ftp_alg_data_connections_total', { result: 'failed' })).toBe(0)
})

test('a port that somebody else listens on is said to be taken, once, and any other is used', async ({
  lab,
}) => {
  const port = (await lab.ports()).first
  const holder = createServer().listen({ host: '127.0.0.1', port })
  await new Promise((resolve) => holder.once('listening', resolve))
  const proxy = await lab.proxy(await lab.server(ftpScript()), { activeSourcePort: port })
  expect(proxy.recordsOf('source_port.deny')).toEqual([
    expect.objectContaining({ level: 'warn', listener: 'edge', port }),
  ])
  const client = await (await lab.client(proxy)).login()
  for (let transfer = 0; transfer < 3; transfer += 1) {
    const data = await called(client, 5)
    expect(data.socket.remotePort).not.toBe(port)
    expect((await receive(data)).byteCount).toBe(5)
    expect((await client.reply()).code).toBe(226)
  }
  expect(proxy.recordsOf('source_port.deny')).toHaveLength(1)
  holder.close()
})

test('a client that does not listen is refused, not called from elsewhere', async ({ lab }) => {
  const { proxy, login } = await callingFrom(lab)
  const client = await login()
  const door = await client.openDoor()
  door.close()
  expect((await client.command(door.announcement)).code).toBe(200)
  expect((await client.command('RETR 5')).code).toBe(150)
  expect((await client.reply()).code).toBe(425)
  expect(door.untaken).toEqual([])
  expect(await proxy.metric('ftp_alg_data_connections_total', { result: 'failed' })).toBe(1)
})
