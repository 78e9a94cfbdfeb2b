// How transfers go in the field: who waits for whom, what may be said meanwhile, and what comes in which order. The
// numbers are those of the dialogues in docs/field.md.

import { setTimeout } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { ftpScript, type Verb } from '../../support/peers/ftp-script.ts'
import { Arrivals } from '../../support/peers/patience.ts'
import { MiB, payload, payloadSha256 } from '../../support/peers/payload.ts'
import { receive } from '../../support/peers/scripted-client.ts'
import type { Script, Visit } from '../../support/peers/scripted-server.ts'
import type { Collected } from '../../support/peers/wire.ts'
import { type Lab, test } from '../lab.ts'
import type { ProxyPlan } from '../proxy-under-test.ts'

async function through(lab: Lab, script: Script, plan: ProxyPlan = {}) {
  const server = await lab.server(script)
  const proxy = await lab.proxy(server, plan)
  return { server, proxy, client: await (await lab.client(proxy)).login() }
}

/** A server that begins a transfer, and leaves the rest to the test. */
function held() {
  const visits = new Arrivals<Visit>()
  const RETR: Verb = (visit) => {
    visit.reply('150 Opening.')
    visits.add(visit)
  }
  return { verbs: { RETR }, begun: () => visits.next('a transfer at the server') }
}

describe.concurrent('05: a server that connects late', () => {
  test('finds the port open, since the transfer was asked for', async ({ lab }) => {
    const RETR: Verb = async (visit) => {
      await setTimeout(1500)
      const data = await visit.data()
      visit.reply('150 Recalled from tape.')
      data.socket.end(payload(100))
      await data.ended()
      visit.reply('226 Done.')
    }
    const { client } = await through(lab, ftpScript({ verbs: { RETR } }), { pinholeTimeoutMs: 500 })
    expect((await client.download('RETR 100', 'PORT')).codes).toEqual([150, 226])
  })

  test('is waited for no longer than `limits.transfer`', async ({ lab }) => {
    const { client } = await through(lab, ftpScript({ verbs: { RETR: () => undefined } }), {
      limits: { transferMs: 700 },
    })
    const door = await client.openDoor()
    await client.command(door.announcement)
    expect((await client.command('RETR 100')).code).toBeGreaterThanOrEqual(421)
  })
})

describe.concurrent('a transfer that begins for one side only', () => {
  test('reaches a client that listens, though its passive server says no 1xx', async ({ lab }) => {
    const STOR: Verb = async (visit) => {
      const data = await visit.data()
      const { byteCount } = await data.collect()
      visit.reply(`226 Got ${byteCount} bytes.`)
    }
    const { client } = await through(lab, ftpScript({ verbs: { STOR } }), { upstreamMode: 'passive' })
    const door = await client.openDoor()
    expect((await client.command(door.announcement)).code).toBe(200)
    void client.send('STOR a.bin')
    const data = await door.accept()
    await data.send(payload(1000))
    data.halfClose()
    expect((await client.reply()).line).toBe('226 Got 1000 bytes.')
  })

  test('is over with the pinhole to which its client does not come', async ({ lab }) => {
    const RETR: Verb = async (visit) => {
      visit.reply('150 Opening.')
      await (await visit.data()).ended()
      visit.reply('426 Connection lost.')
    }
    const { client } = await through(lab, ftpScript({ verbs: { RETR } }), { pinholeTimeoutMs: 300 })
    await client.passive()
    expect((await client.command('RETR 10')).code).toBe(150)
    expect((await client.reply()).code).toBe(425)
    expect((await client.command('NOOP')).code).toBe(200)
  })

  test('is not ended by `limits.transfer` while its client has the time of the pinhole', async ({ lab }) => {
    const { client } = await through(
      lab,
      ftpScript({ verbs: { RETR: (visit) => visit.reply('150 Opening.') } }),
      {
        limits: { transferMs: 100 },
        pinholeTimeoutMs: 2_500,
        upstreamMode: 'passive',
      },
    )
    await client.passive()
    expect((await client.command('RETR 10')).code).toBe(150)
    expect((await client.reply()).code).toBe(425)
  })
})

describe.concurrent('09: what a client says during a transfer', () => {
  for (const upstreamMode of ['client', 'passive', 'active'] as const) {
    test(`goes on at once, and each reply comes back: upstream mode ${upstreamMode}`, async ({ lab }) => {
      const transfer = held()
      const { client, server } = await through(lab, ftpScript(transfer), { upstreamMode })
      const data = await client.connectData(await client.passive())
      expect((await client.command('RETR 1')).code).toBe(150)
      const visit = await transfer.begun()
      const serverEnd = await visit.data()
      expect((await client.command('NOOP')).code).toBe(200)
      expect((await client.command('STAT')).code).toBe(211)
      expect((await client.command('NOOP')).code).toBe(200)
      serverEnd.socket.end('x')
      expect(await data.readRest()).toBe('x')
      data.halfClose()
      visit.reply('226 Done.')
      expect((await client.reply()).code).toBe(226)
      expect(server.visits[0]?.lines.slice(-3)).toEqual(['NOOP', 'STAT', 'NOOP'])
    })
  }
})

describe.concurrent('10: ABOR behind commands that nobody answers', () => {
  for (const howSaid of ['plain', 'urgent'] as const) {
    test(`is seen: ${howSaid}`, async ({ lab }) => {
      const aborted = new Arrivals<Visit>()
      const ABOR: Verb = (visit) => {
        aborted.add(visit)
        visit.reply('426 Aborted.\r\n226 Abort successful.')
      }
      const { client } = await through(
        lab,
        ftpScript({ verbs: { ...held().verbs, NOOP: () => undefined, ABOR } }),
      )
      const data = await client.connectData(await client.passive())
      expect((await client.command('RETR 1')).code).toBe(150)
      // More than we let wait before a client is read no further.
      for (let count = 0; count < 200; count += 1) void client.send('NOOP')
      if (howSaid === 'urgent') {
        client.wire.sendUrgent('\xff\xf4\xff')
        void client.wire.send('\xf2ABOR\r\n')
      } else void client.send('ABOR')
      await aborted.next('ABOR at the server')
      expect((await client.reply()).code).toBe(426)
      expect((await client.reply()).code).toBe(226)
      data.close()
    })
  }
})

describe.concurrent('11: 421 in the middle of a transfer', () => {
  test('ends the control channel, and the data flow to their end', async ({ lab }) => {
    const transfer = held()
    const { client } = await through(lab, ftpScript(transfer))
    const data = await client.connectData(await client.passive())
    expect((await client.command('RETR 1')).code).toBe(150)
    const visit = await transfer.begun()
    const serverEnd = await visit.data()
    visit.reply('421 Timeout.')
    visit.wire.close()
    expect(await client.wire.readRest()).toBe('421 Timeout.\r\n')
    // Longer than what we wait for a server's last words.
    await setTimeout(4000)
    serverEnd.socket.end(payload(100_000))
    const { sha256, ending } = await receive(data)
    expect({ sha256, ending }).toEqual({ sha256: payloadSha256(100_000), ending: 'fin' })
  })
})

describe.concurrent('13: a client that hangs up when it has sent everything', () => {
  for (const how of ['fin', 'reset'] as const) {
    for (const size of [100, MiB]) {
      test(`by ${how}, and a server that opens its data connection later: ${size} bytes`, async ({ lab }) => {
        const stored = new Arrivals<Collected>()
        const STOR: Verb = async (visit) => {
          await setTimeout(400)
          const data = await visit.data()
          stored.add(await data.collect())
          data.halfClose()
        }
        const { client } = await through(lab, ftpScript({ verbs: { STOR } }), { upstreamMode: 'active' })
        const data = await client.connectData(await client.passive())
        await client.send('STOR photo')
        await data.send(payload(size))
        data.halfClose()
        if (how === 'fin') client.wire.halfClose()
        else client.wire.reset()
        const { sha256, ending } = await stored.next('the upload at the server')
        expect({ sha256, ending }).toEqual({ sha256: payloadSha256(size), ending: 'fin' })
      })
    }
  }
})

describe.concurrent('14: QUIT right behind an upload', () => {
  for (const upstreamMode of ['client', 'passive', 'active'] as const) {
    test(`does not overtake the data: upstream mode ${upstreamMode}`, async ({ lab }) => {
      const stored = new Arrivals<{ sha256: string; wasEnded: boolean }>()
      const STOR: Verb = async (visit) => {
        visit.reply('150 Send it.')
        const data = await visit.data()
        const quit = visit.nextCommand()
        let hasQuit = false
        void quit.then(() => {
          hasQuit = true
        })
        const { sha256 } = await data.collect()
        stored.add({ sha256, wasEnded: hasQuit })
        data.halfClose()
        visit.reply('226 Stored.')
        await quit
        visit.reply('221 Goodbye.')
        visit.wire.halfClose()
      }
      const { client } = await through(lab, ftpScript({ verbs: { STOR } }), { upstreamMode })
      const data = await client.connectData(await client.passive())
      expect((await client.command('STOR file')).code).toBe(150)
      void data.send(payload(MiB))
      data.halfClose()
      void client.send('QUIT')
      expect(await stored.next('the upload')).toEqual({ sha256: payloadSha256(MiB), wasEnded: false })
      expect(await client.wire.readRest()).toMatch(/^226 .*\r\n221 .*\r\n$/)
    })
  }
})

describe.concurrent('15: a client that closes at 226', () => {
  test('has everything by then: success waits for the last byte', async ({ lab }) => {
    const size = 8 * MiB
    const RETR: Verb = async (visit) => {
      visit.reply('150 Opening.')
      const data = await visit.data()
      data.socket.end(payload(size))
      visit.reply('226 Behind the last ACK.')
    }
    const { client } = await through(lab, ftpScript({ verbs: { RETR } }))
    const data = await client.connectData(await client.passive())
    expect((await client.command('RETR big')).code).toBe(150)
    let byteCount = 0
    data.socket.on('data', (bytes: Buffer) => {
      byteCount += bytes.length
      data.socket.pause()
      void setTimeout(2).then(() => data.socket.resume())
    })
    data.resume()
    expect((await client.reply()).code).toBe(226)
    // What our kernel still held is on its way within the machine; the client's own queue has the rest.
    await data.ended()
    expect(byteCount).toBe(size)
  })
})
