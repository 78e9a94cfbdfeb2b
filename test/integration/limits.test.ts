// S22, S24: how many sessions, for how long, and not to ourselves.

import { describe, expect } from 'vitest'
import { ftpScript, inTurn } from '../support/peers/ftp-script.ts'
import { hasLibc } from '../support/peers/kernel.ts'
import { Arrivals } from '../support/peers/patience.ts'
import { payload } from '../support/peers/payload.ts'
import type { Wire } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyPlan } from './proxy-under-test.ts'

async function through(lab: Lab, plan: ProxyPlan = {}, script = ftpScript()) {
  const server = await lab.server(script)
  const proxy = await lab.proxy(server, plan)
  return { server, proxy }
}

describe('how many', () => {
  test('sessions in all: the next one gets 421, until one has gone', async ({ lab }) => {
    const { proxy, server } = await through(lab, { limits: { sessions: 3 } })
    const clients = await Promise.all(
      ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map(async (from) => (await lab.client(proxy, from)).login()),
    )
    const refused = await lab.client(proxy, '127.0.0.4')
    expect(await refused.wire.readRest()).toMatch(/^421 [^\r]*\r\n$/)
    expect(server.visits).toHaveLength(3)
    expect(await proxy.metric('ftp_alg_sessions_rejected_total', { reason: 'limit' })).toBe(1)
    clients[0]?.close()
    await expect.poll(() => proxy.remains.sessions_active).toBe(2)
    await lab.servesNext(proxy)
  })

  test('sessions of one client: its next one gets 421, others are served', async ({ lab }) => {
    const { proxy } = await through(lab, { limits: { sessionsPerClient: 2 }, listen: '::' })
    const first = await (await lab.client(proxy)).login()
    await (await lab.client(proxy)).login()
    const refused = await lab.client(proxy)
    expect(await refused.wire.readRest()).toMatch(/^421 [^\r]*\r\n$/)
    expect(await proxy.metric('ftp_alg_sessions_rejected_total', { reason: 'client_limit' })).toBe(1)
    await lab.servesNext(proxy)
    first.close()
    await expect.poll(() => proxy.remains.sessions_active).toBe(1)
    await lab.servesNext(proxy, '127.0.0.1')
  })

  test('three hundred that say nothing: others are served meanwhile, and the login time ends them', async ({
    lab,
  }) => {
    const { proxy } = await through(lab, { limits: { loginMs: 1_500 } })
    const silent = await Promise.all(
      Array.from({ length: 300 }, (_, index) => lab.client(proxy, `127.0.1.${1 + (index % 6)}`)),
    )
    await lab.servesNext(proxy)
    const ends = await Promise.all(silent.map(({ wire }) => wire.readRest()))
    expect(ends.filter((text) => /421 [^\r]*\r\n$/.test(text))).toHaveLength(300)
    for (const client of silent) client.close()
    await proxy.forgetsEverything()
    expect(await proxy.metric('ftp_alg_sessions_closed_total', { reason: 'login_timeout' })).toBe(300)
  })

  test('a peer that is turned away and does not close is not waited for', async ({ lab }) => {
    const { proxy } = await through(lab, { limits: { sessions: 1 } })
    await (await lab.client(proxy)).login()
    const refused = await lab.client(proxy)
    expect(await refused.wire.readRest()).toMatch(/^421 /)
    // Nothing of ours holds the connection: what the peer still sends is answered by the kernel.
    const isReset = async () => {
      await refused.wire.send('NOOP\r\n')
      return refused.wire.socket.destroyed
    }
    await expect.poll(isReset, { interval: 100 }).toBe(true)
  })
})

describe.concurrent('how long', () => {
  test('a login may take: 421, whatever is said meanwhile', async ({ lab }) => {
    const { proxy } = await through(lab, { limits: { loginMs: 1_500 } })
    const client = await lab.client(proxy)
    await client.reply()
    let code = 0
    while (code !== 421) code = (await client.command('NOOP')).code
    client.close()
    expect(await proxy.record('session.close')).toMatchObject({ reason: 'login_timeout' })
  })

  test('the login time stops with the login, and begins again with REIN', async ({ lab }) => {
    const { proxy } = await through(lab, { limits: { loginMs: 2_000 } })
    const client = await (await lab.client(proxy)).login()
    const sinceMs = performance.now()
    while (performance.now() - sinceMs < 4_000) expect((await client.command('NOOP')).code).toBe(200)
    expect((await client.command('REIN')).code).toBe(220)
    expect((await client.reply()).code).toBe(421)
  })

  test('an idle session may last: 421', async ({ lab }) => {
    const { proxy } = await through(lab, { limits: { idleMs: 2_000 } })
    const client = await (await lab.client(proxy)).login()
    expect((await client.reply()).code).toBe(421)
    expect(await client.wire.ended()).toBe('fin')
    client.close()
    expect(await proxy.record('session.close')).toMatchObject({ reason: 'idle' })
  })

  test('not idle is a session whose data flows, however slowly', async ({ lab }) => {
    const { proxy } = await through(
      lab,
      { limits: { idleMs: 2_500 } },
      ftpScript({
        verbs: {
          RETR: async (visit) => {
            visit.reply('150 Slowly.')
            const data = await visit.data()
            for (let drop = 0; drop < 30; drop += 1) {
              await data.send('x')
              await new Promise((resolve) => setTimeout(resolve, 200))
            }
            data.halfClose()
            await data.ended()
            visit.reply('226 Done.')
          },
        },
      }),
    )
    const client = await (await lab.client(proxy)).login()
    const { data, codes } = await client.download('RETR slow')
    expect(codes).toEqual([150, 226])
    expect(data).toMatchObject({ byteCount: 30, ending: 'fin' })
  })

  test('idle is a session whose data has stopped: 421, and the data connection is reset', async ({ lab }) => {
    const { proxy } = await through(
      lab,
      { limits: { idleMs: 2_000 } },
      ftpScript({
        verbs: {
          RETR: async (visit) => {
            visit.reply('150 Some of it.')
            const data = await visit.data()
            await data.send('x')
          },
        },
      }),
    )
    const client = await (await lab.client(proxy)).login()
    const data = await client.connectData(await client.passive())
    expect((await client.command('RETR stuck')).code).toBe(150)
    expect((await client.reply()).code).toBe(421)
    expect(await data.ended()).toBe('reset')
  })

  test('data may flow on after its control connection, but not stand still', async ({ lab }) => {
    const begun = new Arrivals<Wire>()
    const { proxy } = await through(
      lab,
      { limits: { idleMs: 2_000 } },
      ftpScript({
        verbs: {
          RETR: async (visit) => {
            visit.reply('150 Some of it.')
            begun.add(await visit.data())
            visit.wire.halfClose()
          },
        },
      }),
    )
    const client = await (await lab.client(proxy)).login()
    const data = await client.connectData(await client.passive())
    expect((await client.command('RETR stuck')).code).toBe(150)
    expect((await client.reply()).code).toBe(421)
    const server = await begun.next('the data connection')
    client.wire.close()
    await server.send('still flowing')
    expect(await data.readBytes(13)).toBe('still flowing')
    expect(await data.ended()).toBe('reset')
    expect(await server.ended()).toBe('reset')
  })

  test('a server may take to accept us: 421 when the time is over', async ({ lab, skip }) => {
    skip(!hasLibc, 'a port that never answers needs koffi')
    const proxy = await lab.proxy(await lab.blackHole(), { limits: { connectMs: 700 } })
    const client = await lab.client(proxy)
    expect((await client.reply()).code).toBe(421)
    expect(await proxy.metric('ftp_alg_upstream_connect_failures_total', { reason: 'timeout' })).toBe(1)
  })

  test('a client that closes while we connect is forgotten at once', async ({ lab, skip }) => {
    skip(!hasLibc, 'a port that never answers needs koffi')
    const proxy = await lab.proxy(await lab.blackHole(), { limits: { connectMs: 20_000 } })
    const client = await lab.client(proxy)
    await proxy.record('session.open')
    const askedMs = performance.now()
    client.close()
    await proxy.record('session.close')
    expect(performance.now() - askedMs).toBeLessThan(10_000)
  })
})

describe('where to', () => {
  test('nowhere: the server refuses, the client gets 421', async ({ lab }) => {
    const gone = await lab.server(ftpScript())
    gone.close()
    const proxy = await lab.proxy(gone)
    const client = await lab.client(proxy)
    expect(await client.wire.readRest()).toMatch(/^421 [^\r]*\r\n$/)
    expect(await proxy.metric('ftp_alg_upstream_connect_failures_total', { reason: 'refused' })).toBe(1)
  })

  test('a name that does not resolve: 421, for the next one as well', async ({ lab }) => {
    const proxy = await lab.proxy({ address: 'nowhere.invalid', port: 21 })
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const client = await lab.client(proxy)
      expect(await client.wire.readRest()).toMatch(/^421 [^\r]*\r\n$/)
    }
    expect(await proxy.metric('ftp_alg_upstream_connect_failures_total', { reason: 'resolve' })).toBe(2)
  })

  test('a name: its addresses are tried in turn', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.proxy({ address: 'localhost', port: server.port })
    await lab.servesNext(proxy)
  })

  for (const [listen, upstream] of [
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.9'],
    ['::', '127.0.0.1'],
    ['::', '::1'],
    ['127.0.0.1', 'localhost'],
  ] as const) {
    test(`to ourselves (${upstream} where we listen on ${listen}): 421, once`, async ({ lab }) => {
      const { first, last } = await lab.ports()
      const dataPorts = { first: first + 1, last }
      const proxy = await lab.proxy(
        { address: upstream, port: first },
        { listen, listenPort: first, dataPorts },
      )
      const client = await lab.client(proxy)
      expect(await client.wire.readRest()).toMatch(/^421 [^\r]*\r\n$/)
      client.close()
      expect(proxy.listener.sessions_total).toBe(1)
      expect(await proxy.metric('ftp_alg_upstream_connect_failures_total', { reason: 'self' })).toBe(1)
    })
  }
})

test('a client that is killed with data in flight leaves nothing', async ({ lab }) => {
  const { proxy } = await through(
    lab,
    {},
    inTurn(
      ftpScript({
        verbs: {
          RETR: async (visit) => {
            visit.reply('150 Here.')
            const data = await visit.data()
            while (data.ending === null && data.socket.writable) await data.send(payload(65_536))
          },
        },
      }),
      ftpScript(),
    ),
  )
  const client = await (await lab.client(proxy)).login()
  const data = await client.connectData(await client.passive())
  expect((await client.command('RETR big')).code).toBe(150)
  await data.readBytes(200_000)
  data.pause()
  data.reset()
  client.wire.reset()
  await proxy.forgetsEverything()
  await lab.servesNext(proxy)
})
