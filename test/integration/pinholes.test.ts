// The life of a data port, seen from outside: who may come, when, how often, and what is left afterwards.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { Arrivals } from '../support/peers/patience.ts'
import { payload, payloadSha256 } from '../support/peers/payload.ts'
import { receive, type ScriptedClient } from '../support/peers/scripted-client.ts'
import type { Collected, Wire } from '../support/peers/wire.ts'
import { type Lab, refusesConnections, test } from './lab.ts'
import type { ProxyPlan } from './proxy-under-test.ts'

async function through(lab: Lab, plan: ProxyPlan = {}) {
  const uploads = new Map<string, Collected>()
  const server = await lab.server(ftpScript({ uploads }))
  const proxy = await lab.proxy(server, plan)
  const login = async (from?: string) => (await lab.client(proxy, from)).login()
  return { uploads, server, proxy, login }
}

/** How a data connection is cut off; a reset may come before the connection is noticed to be there. */
async function turnedAway(
  client: ScriptedClient,
  at: { address: string; port: number },
  from?: string,
): Promise<'reset' | 'refused' | 'served'> {
  try {
    const wire = await client.connectData(at, from)
    return (await wire.ended()) === 'reset' && wire.text === '' ? 'reset' : 'served'
  } catch (error) {
    if (String(error).includes('ECONNREFUSED')) return 'refused'
    if (String(error).includes('ECONNRESET')) return 'reset'
    throw error
  }
}

describe('early, twice, late', () => {
  test('a client that comes before its command is held, and what it sent early arrives', async ({ lab }) => {
    const { login, uploads } = await through(lab)
    const client = await login()
    const data = await client.connectData(await client.passive())
    await data.send(payload(1000))
    data.halfClose()
    expect((await client.command('NOOP')).code).toBe(200)
    expect((await client.command('STOR early')).code).toBe(150)
    expect((await client.reply()).code).toBe(226)
    expect(uploads.get('early')).toMatchObject({ byteCount: 1000, sha256: payloadSha256(1000) })
    expect(await data.ended()).toBe('fin')
  })

  test('a client that comes first waits for an active server', async ({ lab }) => {
    const { login } = await through(lab, { upstreamMode: 'active' })
    const client = await login()
    const data = await client.connectData(await client.passive())
    const received = data.collect()
    expect((await client.command('RETR 5000')).code).toBe(150)
    expect(await received).toMatchObject({ byteCount: 5000, sha256: payloadSha256(5000), ending: 'fin' })
  })

  test('an active server that comes first, and has sent everything, waits for the client', async ({
    lab,
  }) => {
    const sent = new Arrivals<Wire>()
    const server = await lab.server(
      ftpScript({
        verbs: {
          RETR: async (visit) => {
            visit.reply('150 Here.')
            const data = await visit.data()
            await data.send(payload(5000))
            data.halfClose()
            sent.add(data)
            await data.ended()
            visit.reply('226 Sent.')
          },
        },
      }),
    )
    const proxy = await lab.proxy(server, { upstreamMode: 'active' })
    const client = await (await lab.client(proxy)).login()
    const at = await client.passive()
    expect((await client.command('RETR file')).code).toBe(150)
    await sent.next('the server to have sent everything')
    const data = await client.connectData(at)
    const received = data.collect()
    data.halfClose()
    expect(await received).toMatchObject({ byteCount: 5000, sha256: payloadSha256(5000), ending: 'fin' })
    expect((await client.reply()).code).toBe(226)
  })

  test('a second connection is reset and counted while the first goes on', async ({ lab }) => {
    const { login, proxy, uploads } = await through(lab)
    const client = await login()
    const at = await client.passive()
    const first = await client.connectData(at)
    await first.send('one, ')
    expect(await turnedAway(client, at)).toBe('reset')
    expect((await client.command('STOR file')).code).toBe(150)
    await first.send('two')
    first.halfClose()
    expect((await client.reply()).code).toBe(226)
    expect(uploads.get('file')?.byteCount).toBe(8)
    const rejected = 'ftp_alg_pinhole_rejected_connections_total'
    expect(await proxy.metric(rejected, { reason: 'duplicate' })).toBe(1)
    expect(await proxy.metric(rejected)).toBe(1)
  })

  test('a connection after the transfer is reset, and soon refused: the port is closed within a second', async ({
    lab,
  }) => {
    const { login, server } = await through(lab)
    const client = await login()
    const at = await client.passive()
    const received = receive(await client.connectData(at))
    expect((await client.command('RETR 10')).code).toBe(150)
    expect((await received).byteCount).toBe(10)
    expect(await turnedAway(client, at)).toBe('reset')
    // One second of grace, one sweep, and what a busy machine adds.
    await expect.poll(() => refusesConnections(at), { interval: 50, timeout: 6_000 }).toBe(true)
    expect(server.visits).toHaveLength(1)
  })
})

describe('a stranger at a data port', () => {
  test('is reset and counted, and the client still gets its file', async ({ lab }) => {
    const { login, proxy } = await through(lab)
    const client = await login()
    const at = await client.passive()
    for (const thief of ['127.0.0.2', '127.0.0.3', '127.0.0.2']) {
      expect(await turnedAway(client, at, thief)).toBe('reset')
    }
    const received = receive(await client.connectData(at))
    expect((await client.command('RETR 700')).code).toBe(150)
    expect(await received).toMatchObject({ byteCount: 700, sha256: payloadSha256(700), ending: 'fin' })
    const rejected = 'ftp_alg_pinhole_rejected_connections_total'
    expect(await proxy.metric(rejected, { reason: 'wrong_peer' })).toBe(3)
    expect(proxy.recordsOf('pinhole.intrude')[0]).toMatchObject({
      client_ip: '127.0.0.2',
      data_port: at.port,
      reason: 'wrong_peer',
    })
  })

  test('cannot take the place of an active server either', async ({ lab }) => {
    const { login, server, proxy } = await through(lab)
    const client = await login()
    const door = await client.openDoor()
    expect((await client.command(door.announcement)).code).toBe(200)
    const target = server.visits[0]?.targeted
    if (target === undefined || target === null) throw new Error('the server was told no target')
    expect(await turnedAway(client, target, '127.0.0.9')).toBe('reset')
    void client.send('RETR 700')
    const received = receive(await door.accept())
    expect(await received).toMatchObject({ byteCount: 700, sha256: payloadSha256(700), ending: 'fin' })
    expect(door.untaken).toEqual([])
    expect(await proxy.metric('ftp_alg_pinhole_rejected_connections_total', { reason: 'wrong_peer' })).toBe(1)
  })
})

describe('a pinhole that is not used', () => {
  test('expires; the next transfer gets 425 and nothing goes upstream', async ({ lab }) => {
    const { login, server, proxy } = await through(lab, { pinholeTimeoutMs: 200 })
    const client = await login()
    const at = await client.passive()
    await proxy.record('pinhole.close', ({ reason }) => reason === 'expired')
    expect(proxy.remains.ports).toBe(0)
    expect(await turnedAway(client, at)).not.toBe('served')
    expect((await client.command('RETR 10')).code).toBe(425)
    expect(server.visits[0]?.lines).not.toContain('RETR 10')
    expect((await client.download('RETR 10')).codes).toEqual([150, 226])
  })

  test('expires towards an active server as well', async ({ lab }) => {
    const { login, server, proxy } = await through(lab, { pinholeTimeoutMs: 200 })
    const client = await login()
    const door = await client.openDoor()
    expect((await client.command(door.announcement)).code).toBe(200)
    await proxy.record('pinhole.close', ({ reason }) => reason === 'expired')
    expect((await client.command('RETR 10')).code).toBe(425)
    expect(server.visits[0]?.lines).not.toContain('RETR 10')
    expect((await client.download('RETR 10', 'PORT')).codes).toEqual([150, 226])
  })

  test('is closed by the next PASV, by PORT, by REIN and by the end of the session', async ({ lab }) => {
    const { login, proxy } = await through(lab)
    const client = await login()
    const first = await client.passive()
    const second = await client.passive('EPSV')
    expect(proxy.remains.pinholes_active).toBe(1)
    expect(await turnedAway(client, first)).not.toBe('served')
    const door = await client.openDoor()
    expect((await client.command(door.announcement)).code).toBe(200)
    expect(await turnedAway(client, second)).not.toBe('served')
    const third = await client.passive()
    expect((await client.command('REIN')).code).toBe(220)
    expect(proxy.remains.pinholes_active).toBe(0)
    expect(await turnedAway(client, third)).not.toBe('served')
    await client.command('USER joe')
    await client.command('PASS again')
    await client.passive()
    client.close()
    await proxy.forgetsEverything()
    expect(await proxy.metric('ftp_alg_pinholes_closed_total', { reason: 'session_end' })).toBe(1)
  })
})
