// A peer that vanishes during a long transfer, while its control connection is silent, is noticed by TCP keepalive.

import { existsSync, readFileSync } from 'node:fs'
import { expect, vi } from 'vitest'
import { steadyClock } from '../../src/kernel/steady-clock.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { test } from './lab.ts'

/** The kernel's list of sockets: `sl local_address rem_address st tx_queue:rx_queue tr:tm->when …`, addresses in hex. */
const sockets = '/proc/net/tcp'
const isMissing = !existsSync(sockets)
if (isMissing) console.log(`skipped: keepalive is looked for in ${sockets}`)

const KEEPALIVE_TIMER = '02'
const TICKS_A_SECOND = 100

/** Seconds until the first probe on the connection from one local port to another; null without keepalive. */
function keepaliveOf(local: number, remote: number): number | null {
  const inHex = (port: number) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  for (const line of readFileSync(sockets, 'utf8').split('\n')) {
    const [, from = '', to = '', , , timer = ''] = line.trim().split(/\s+/)
    if (!from.endsWith(inHex(local)) || !to.endsWith(inHex(remote))) continue
    const [kind, ticks = ''] = timer.split(':')
    return kind === KEEPALIVE_TIMER ? Math.round(Number.parseInt(ticks, 16) / TICKS_A_SECOND) : null
  }
  return null
}

test.skipIf(isMissing)(
  'TCP looks after both control connections of a session that has lasted for half a minute',
  async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.proxy(server)
    const client = await (await lab.client(proxy)).login()
    const clientPort = client.wire.socket.localPort ?? 0
    const upstreamPort = server.visits[0]?.wire.socket.remotePort ?? 0
    const both = () => [keepaliveOf(proxy.port, clientPort), keepaliveOf(upstreamPort, server.port)]
    expect(both()).toEqual([null, null])
    const now = steadyClock.now.bind(steadyClock)
    vi.spyOn(steadyClock, 'now').mockImplementation(() => now() + 31_000)
    try {
      await expect
        .poll(() => both().map((seconds) => (seconds ?? 0) > 30), { timeout: 5_000 })
        .toEqual([true, true])
      for (const seconds of both()) expect(seconds).toBeLessThanOrEqual(60)
    } finally {
      vi.restoreAllMocks()
    }
    expect((await client.command('NOOP')).code).toBe(200)
  },
)
