// Transfers that fail, overlap, or are asked for in an unusual order: nobody hangs, and the next one works.

import { setTimeout } from 'node:timers/promises'
import { describe, expect, vi } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { hasLibc } from '../support/peers/kernel.ts'
import { Arrivals } from '../support/peers/patience.ts'
import { payload, payloadSha256 } from '../support/peers/payload.ts'
import { type DataVerb, receive } from '../support/peers/scripted-client.ts'
import type { Visit } from '../support/peers/scripted-server.ts'
import type { Ending, Wire } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyPlan } from './proxy-under-test.ts'

async function through(lab: Lab, plan: ProxyPlan = {}, script = ftpScript()) {
  const server = await lab.server(script)
  const proxy = await lab.proxy(server, plan)
  return { server, proxy, client: await lab.client(proxy) }
}

const legCombinations: readonly (readonly [DataVerb, 'client' | 'passive' | 'active'])[] = [
  ['PASV', 'client'],
  ['PORT', 'client'],
  ['PORT', 'passive'],
  ['PASV', 'active'],
]

describe.concurrent('a transfer that the server refuses', () => {
  for (const [verb, upstreamMode] of legCombinations) {
    test(`with 550 ends its data connection, even if the server does not: ${verb}, upstream mode ${upstreamMode}`, async ({
      lab,
    }) => {
      const { client, proxy } = await through(
        lab,
        { upstreamMode },
        ftpScript({ verbs: { NLST: (visit) => visit.reply('550 No such directory.') } }),
      )
      await client.login()
      for (let round = 0; round < 2; round += 1) {
        if (verb === 'PASV') {
          const data = await client.connectData(await client.passive())
          expect((await client.command('NLST nowhere')).code).toBe(550)
          expect(['fin', 'reset']).toContain(await data.ended())
        } else {
          const door = await client.openDoor()
          expect((await client.command(door.announcement)).code).toBe(200)
          expect((await client.command('NLST nowhere')).code).toBe(550)
        }
      }
      expect((await client.download('RETR 100', verb)).codes).toEqual([150, 226])
      await vi.waitFor(
        () => expect(proxy.remains).toMatchObject({ pinholes_active: 0, data_connections_active: 0 }),
        { timeout: 15_000 },
      )
    })
  }

  test('with 425 after 150 leaves nothing of its data connection', async ({ lab }) => {
    const { client, proxy } = await through(
      lab,
      {},
      ftpScript({
        verbs: {
          NLST: async (visit) => {
            visit.reply('150 Trying.')
            await visit.data()
            visit.reply('425 Changed my mind.')
          },
        },
      }),
    )
    await client.login()
    const data = await client.connectData(await client.passive())
    expect((await client.command('NLST')).code).toBe(150)
    expect((await client.reply()).code).toBe(425)
    expect(await data.ended()).toBe('reset')
    expect((await client.download('RETR 100')).codes).toEqual([150, 226])
    await vi.waitFor(() => expect(proxy.remains.pinholes_active).toBe(0), { timeout: 15_000 })
  })
})

describe.concurrent('a data connection that cannot be had', () => {
  test('because the client does not listen: 425, and the server is not left waiting', async ({ lab }) => {
    for (const upstreamMode of ['client', 'passive'] as const) {
      const endings = new Arrivals<Ending>()
      const { client } = await through(
        lab,
        { upstreamMode },
        ftpScript({
          verbs: {
            RETR: async (visit) => {
              visit.reply('150 Here.')
              // So soon that a server which connects may not even hear of having been connected.
              const ending = await visit.data().then(
                (data) => data.ended(),
                (): Ending => 'reset',
              )
              endings.add(ending)
              visit.reply(ending === 'fin' ? '226 Sent.' : '426 Lost.')
            },
          },
        }),
      )
      await client.login()
      const door = await client.openDoor()
      door.close()
      expect((await client.command(door.announcement)).code).toBe(200)
      void client.send('RETR 100')
      let { code } = await client.reply()
      if (code === 150) code = (await client.reply()).code
      expect(code).toBe(425)
      expect(await endings.next('the end of the data connection')).toBe('reset')
      expect((await client.command('NOOP')).code).toBe(200)
    }
  })

  test('because the server’s port never answers: 425 when the time is over', async ({ lab, skip }) => {
    skip(!hasLibc, 'a port that never answers needs koffi')
    const { port } = await lab.blackHole()
    const PASV = (visit: Visit) =>
      visit.reply(`227 Entering Passive Mode (127,0,0,1,${port >> 8},${port & 255}).`)
    const { client } = await through(lab, { limits: { connectMs: 1_500 } }, ftpScript({ verbs: { PASV } }))
    await client.login()
    expect((await client.command('PASV')).code).toBe(425)
    expect((await client.command('NOOP')).code).toBe(200)
  })

  test('because the client never comes: what the server says in the end is passed on', async ({ lab }) => {
    const ready = new Arrivals<Visit>()
    const { client, proxy } = await through(
      lab,
      { pinholeTimeoutMs: 2_500 },
      ftpScript({
        verbs: {
          RETR: (visit) => {
            visit.reply('150 Waiting for you.')
            ready.add(visit)
          },
        },
      }),
    )
    await client.login()
    await client.passive()
    expect((await client.command('RETR 100')).code).toBe(150)
    const visit = await ready.next('the transfer')
    // While the server works on the transfer its time is the server's, not the pinhole's.
    await setTimeout(3_500)
    visit.reply('425 You did not come.')
    expect((await client.reply()).code).toBe(425)
    await proxy.record('pinhole.close', ({ reason }) => reason === 'unused')
    expect((await client.command('NOOP')).code).toBe(200)
  })
})

/** A server that has finished as soon as its system has the file. */
const hasty = () =>
  ftpScript({
    verbs: {
      RETR: async (visit, { argument }) => {
        visit.reply('150 Here.')
        const data = await visit.data()
        data.socket.end(payload(Number(argument)))
        visit.reply('226 Sent, as far as I am concerned.')
      },
    },
  })

describe('transfers that overlap', () => {
  test('each get their own bytes although the server says 226 before the data is read', async ({ lab }) => {
    const { client } = await through(lab, {}, hasty())
    await client.login()
    const unread: Wire[] = []
    for (const size of [30_000, 30_001, 30_002]) {
      unread.push(await client.connectData(await client.passive()))
      expect((await client.command(`RETR ${size}`)).code).toBe(150)
      expect((await client.reply()).code).toBe(226)
    }
    const received = await Promise.all(unread.map(receive))
    expect(received.map(({ sha256 }) => sha256)).toEqual([30_000, 30_001, 30_002].map(payloadSha256))
  })

  test('are few: a client that never closes its downloads loses the oldest, which it has', async ({
    lab,
  }) => {
    const { client, proxy } = await through(lab, {}, hasty())
    await client.login()
    const unread: Wire[] = []
    for (let count = 0; count < 8; count += 1) {
      const data = await client.connectData(await client.passive())
      data.pause()
      unread.push(data)
      expect((await client.command('RETR 1000')).code).toBe(150)
      expect((await client.reply()).code).toBe(226)
    }
    expect(proxy.remains.data_connections_active).toBeLessThanOrEqual(5)
    expect((await unread[0]?.collect())?.sha256).toBe(payloadSha256(1000))
  })

  test('begin when the last is delivered: success waits for the last byte', async ({ lab }) => {
    const { client } = await through(
      lab,
      {},
      ftpScript({
        verbs: {
          RETR: async (visit) => {
            visit.reply('150 Much.')
            const data = await visit.data()
            visit.reply('226 So I say.')
            data.socket.end(payload(32 * 1024 * 1024))
          },
        },
      }),
    )
    await client.login()
    const data = await client.connectData(await client.passive())
    data.pause()
    expect((await client.command('RETR much')).code).toBe(150)
    const reply = client.reply()
    const first = await Promise.race([reply, setTimeout(500, null)])
    expect(first).toBeNull()
    expect((await receive(data)).sha256).toBe(payloadSha256(32 * 1024 * 1024))
    expect((await reply).code).toBe(226)
  })
})

describe('a client in a hurry', () => {
  test('says everything and its FIN before the greeting, and is answered', async ({ lab }) => {
    const { client } = await through(lab)
    await client.wire.send('USER joe\r\nPASS x\r\nSYST\r\nQUIT\r\n')
    client.wire.halfClose()
    const codes = [...(await client.wire.readRest()).matchAll(/^(\d{3}) /gm)].map(([, code]) => Number(code))
    expect(codes).toEqual([220, 331, 230, 215, 221])
  })

  test('ends its control connection in mid-transfer, and still gets file and 226', async ({ lab }) => {
    const { client } = await through(
      lab,
      {},
      ftpScript({
        verbs: {
          RETR: async (visit) => {
            visit.reply('150 Here.')
            const data = await visit.data()
            await data.send('first, ')
            await new Promise((resolve) => setImmediate(resolve))
            data.socket.end('last')
            await data.ended()
            visit.reply('226 Sent.')
          },
        },
      }),
    )
    await client.login()
    const data = await client.connectData(await client.passive())
    expect((await client.command('RETR file')).code).toBe(150)
    client.wire.halfClose()
    expect(await data.readRest()).toBe('first, last')
    data.halfClose()
    expect(await client.wire.readRest()).toMatch(/^226 [^\r]*\r\n$/)
  })

  test('says PASV, RETR and the next PASV at once', async ({ lab }) => {
    const { client } = await through(lab)
    await client.login()
    void client.wire.send('PASV\r\nRETR 5\r\nPASV\r\nRETR 6\r\n')
    for (const size of [5, 6]) {
      const reply = await client.reply()
      const [, high = 0, low = 0] = /,(\d+),(\d+)\)/.exec(reply.line)?.map(Number) ?? []
      const data = await client.connectData({ address: '127.0.0.1', port: high * 256 + low })
      expect((await client.reply()).code).toBe(150)
      expect((await receive(data)).byteCount).toBe(size)
      expect((await client.reply()).code).toBe(226)
    }
  })

  test('comes two hundred times in one session', async ({ lab }) => {
    const { client, proxy } = await through(lab)
    await client.login()
    for (let count = 0; count < 200; count += 1) {
      const verb = (['PASV', 'PORT', 'EPSV', 'EPRT'] as const)[count % 4] ?? 'PASV'
      expect((await client.download(`RETR ${count}`, verb)).data.byteCount).toBe(count)
    }
    await expect.poll(() => proxy.remains).toMatchObject({ pinholes_active: 0, data_connections_active: 0 })
    expect(await proxy.metric('ftp_alg_data_connections_total', { result: 'ok' })).toBe(200)
  })
})
