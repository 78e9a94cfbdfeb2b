// A peer that vanishes during a long transfer, while its control connection is silent, is noticed by TCP keepalive.

import { Socket } from 'node:net'
import { expect, vi } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { test } from './lab.ts'

test('TCP looks after both control connections of a session that has lasted for half a minute', async ({
  lab,
}) => {
  const asked = vi.spyOn(Socket.prototype, 'setKeepAlive')
  const server = await lab.server(ftpScript())
  const client = await (await lab.client(await lab.proxy(server))).login()
  expect(asked).not.toHaveBeenCalled()
  const { now } = performance
  vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 31_000)
  try {
    const peers = () =>
      asked.mock.contexts.map((socket) => (socket instanceof Socket ? socket.remotePort : 0))
    const both = [client.wire.socket.localPort, server.port]
    await expect.poll(() => peers().sort(), { timeout: 5_000 }).toEqual(both.sort())
    expect(asked.mock.calls).toEqual([
      [true, 60_000],
      [true, 60_000],
    ])
  } finally {
    vi.restoreAllMocks()
  }
  expect((await client.command('NOOP')).code).toBe(200)
})
