// S9, S10, S22 from the other side: a server that talks too much, too little, or stops in the middle. The client is
// told, nothing hangs, memory is bounded, and the next session is served.

import { describe, expect } from 'vitest'
import { ftpScript, inTurn } from '../support/peers/ftp-script.ts'
import { MiB } from '../support/peers/payload.ts'
import { receive } from '../support/peers/scripted-client.ts'
import type { Script, Visit } from '../support/peers/scripted-server.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyPlan } from './proxy-under-test.ts'

/** The first visit is hostile, the next are ordinary. */
async function through(lab: Lab, hostile: Script, plan: ProxyPlan = {}) {
  const server = await lab.server(inTurn(hostile, ftpScript()))
  const proxy = await lab.proxy(server, plan)
  return { server, proxy, client: await lab.client(proxy) }
}

/** Sends until the connection is gone; gives how much was taken. */
async function pour(visit: Visit, text: string): Promise<number> {
  const block = text.repeat(Math.ceil(65_536 / text.length))
  let taken = 0
  for (; visit.wire.ending === null && visit.wire.socket.writable; taken += block.length) {
    await visit.wire.send(block)
  }
  return taken
}

const onCommand = (verb: string, act: (visit: Visit) => Promise<void> | void): Script =>
  ftpScript({ verbs: { [verb]: act } })

describe('a server that talks too much', () => {
  for (const [what, beginning, more] of [
    ['a reply of endless lines', '211-Status\r\n', ' and so on\r\n'],
    ['a line without an end', '211 ', 'and so on '],
    ['a reply whose lines look like others', '211-Status\r\n', '227 Entering Passive Mode (1,2,3,4,5,6)\r\n'],
    ['replies that nobody asked for', '', '200 One more.\r\n'],
  ] as const) {
    test(`${what} passes, is held back by a client that does not read, and is never kept`, async ({
      lab,
    }) => {
      let taken = 0
      const { client, proxy } = await through(
        lab,
        onCommand('SYST', async (visit) => {
          await visit.wire.send(beginning)
          const block = more.repeat(Math.ceil(65_536 / more.length))
          for (; visit.wire.ending === null && visit.wire.socket.writable; taken += block.length)
            await visit.wire.send(block)
        }),
      )
      await client.login()
      void client.send('SYST')
      await client.wire.readBytes(4 * MiB)
      client.wire.pause()
      const before = process.memoryUsage.rss()
      let seen = -1
      const isStill = () => {
        const same = taken === seen
        seen = taken
        return same
      }
      await expect.poll(isStill, { interval: 300 }).toBe(true)
      expect(process.memoryUsage.rss() - before).toBeLessThan(32 * MiB)
      client.close()
      await lab.servesNext(proxy)
    })
  }

  test('a FEAT without an end is not waited for: it is ours to rewrite, and bounded', async ({ lab }) => {
    const { client, proxy } = await through(
      lab,
      onCommand('FEAT', async (visit) => {
        await visit.wire.send('211-Features:\r\n')
        await pour(visit, ' and so on\r\n')
      }),
    )
    await client.login()
    expect((await client.command('FEAT')).code).toBe(421)
    expect(await client.wire.ended()).toBe('fin')
    expect(await proxy.metric('ftp_alg_protocol_errors_total', { reason: 'reply_too_long' })).toBe(1)
    client.close()
    await lab.servesNext(proxy)
  })

  test('a greeting without end is cut off by the login time at the latest', async ({ lab }) => {
    let taken: Promise<number> | undefined
    const flood = async (visit: Visit) => {
      taken = pour(visit, '120 Ready in a minute.\r\n')
      await taken
    }
    const { client, proxy } = await through(lab, flood, { limits: { loginMs: 1_000 } })
    const rest = await client.wire.readRest()
    expect(rest).toMatch(/421 [^\r]*\r\n$/)
    // What was on the way: neither does it pile up in the proxy, nor is it read for ever.
    expect(((await taken) ?? 0) - rest.length).toBeLessThan(32 * MiB)
    client.close()
    await lab.servesNext(proxy)
  })

  test('a flood towards a client that does not read is held back', async ({ lab }) => {
    let sent = 0
    const { client, proxy } = await through(
      lab,
      onCommand('HELP', async (visit) => {
        const line = `214-${'x'.repeat(900)}\r\n214 End\r\n`
        for (; sent < 64 * MiB && visit.wire.ending === null; sent += line.length) await visit.wire.send(line)
      }),
    )
    await client.login()
    client.wire.pause()
    await client.wire.send('HELP\r\n'.repeat(1000))
    const rssBefore = process.memoryUsage.rss()
    let before = -1
    const isStill = () => {
      const same = sent === before
      before = sent
      return same
    }
    await expect.poll(isStill, { interval: 300 }).toBe(true)
    expect(sent).toBeLessThan(64 * MiB)
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(32 * MiB)
    await lab.servesNext(proxy)
  })
})

describe.concurrent('a server that says too little', () => {
  test('never greets: 421 when the login time is over', async ({ lab }) => {
    const { client, proxy } = await through(lab, async () => undefined, { limits: { loginMs: 500 } })
    expect((await client.reply()).code).toBe(421)
    client.close()
    await lab.servesNext(proxy)
  })

  test('greets by half: 421 when the login time is over, and the half is not shown', async ({ lab }) => {
    const { client, proxy } = await through(lab, async (visit) => visit.wire.send('220-Welc'), {
      limits: { loginMs: 500 },
    })
    expect(await client.wire.readRest()).toMatch(/^421 [^\r]*\r\n$/)
    client.close()
    await lab.servesNext(proxy)
  })

  test('never answers a command: 421 when its time is over', async ({ lab }) => {
    const { client, proxy } = await through(
      lab,
      onCommand('CWD', () => undefined),
      { limits: { replyMs: 2_000 } },
    )
    await client.login()
    expect((await client.command('CWD /')).code).toBe(421)
    client.close()
    await lab.servesNext(proxy)
  })

  test('never accepts the data connection it offered: 425 at once, and the session goes on', async ({
    lab,
  }) => {
    const { client, proxy } = await through(
      lab,
      ftpScript({
        verbs: {
          PASV: async (visit) => {
            const port = await visit.listen()
            visit.closeDoor()
            visit.reply(`227 Entering Passive Mode (127,0,0,1,${port >> 8},${port & 255}).`)
          },
        },
      }),
    )
    await client.login()
    expect((await client.command('PASV')).code).toBe(425)
    expect((await client.command('NOOP')).code).toBe(200)
    await lab.servesNext(proxy)
  })
})

describe('a server that stops in the middle', () => {
  test('of a reply: 421', async ({ lab }) => {
    const { client, proxy } = await through(
      lab,
      onCommand('FEAT', async (visit) => {
        await visit.wire.send('211-Features:\r\n SIZE\r\n')
        visit.wire.halfClose()
      }),
    )
    await client.login()
    expect((await client.command('FEAT')).code).toBe(421)
    expect(await client.wire.ended()).toBe('fin')
    expect(await proxy.metric('ftp_alg_protocol_errors_total', { reason: 'server_closed_in_reply' })).toBe(1)
    client.close()
    await lab.servesNext(proxy)
  })

  for (const [when, script] of [
    ['before its greeting', async (visit: Visit) => visit.wire.reset()],
    ['at a command', onCommand('CWD', (visit) => visit.wire.reset())],
    [
      'in a reply',
      onCommand('CWD', async (visit) => {
        await visit.wire.send('250-Half')
        visit.wire.reset()
      }),
    ],
  ] as const) {
    test(`with a reset ${when}: 421`, async ({ lab }) => {
      const { client, proxy } = await through(lab, script)
      if (when !== 'before its greeting') {
        await client.login()
        void client.send('CWD /')
      }
      expect(await client.wire.readRest()).toMatch(when === 'in a reply' ? /^250-Half\r\n421 / : /^421 /)
      client.close()
      await lab.servesNext(proxy)
    })
  }

  test('closes right after connecting: 421', async ({ lab }) => {
    const { client, proxy } = await through(lab, async (visit) => visit.close())
    expect((await client.reply()).code).toBe(421)
    client.close()
    await lab.servesNext(proxy)
  })

  test('with 421 of its own: passed on once, then closed', async ({ lab }) => {
    const { client, proxy } = await through(lab, async (visit) => {
      visit.reply('421 Too many users.')
      visit.wire.halfClose()
    })
    expect(await client.wire.readRest()).toBe('421 Too many users.\r\n')
    client.close()
    await lab.servesNext(proxy)
  })

  test('in a download, with 226 nevertheless: the client sees the reset', async ({ lab }) => {
    const { client } = await through(
      lab,
      onCommand('RETR', async (visit) => {
        visit.reply('150 Here.')
        const data = await visit.data()
        await data.send('only half of ')
        data.reset()
        visit.reply('226 All sent.')
      }),
    )
    await client.login()
    const data = await client.connectData(await client.passive())
    expect((await client.command('RETR file')).code).toBe(150)
    expect((await receive(data)).ending).toBe('reset')
    expect((await client.reply()).code).toBe(226)
  })
})

describe('a server with manners of its own', () => {
  test('greets in several lines, after a delay, with LF only', async ({ lab }) => {
    const { client } = await through(lab, async (visit) => {
      await visit.wire.send('120 Wait.\n220-Welcome\n 220 not yet\n220-to us\n220 Now.\n')
      await ftpScript({ greeting: '' })(visit)
    })
    expect((await client.reply()).code).toBe(120)
    expect((await client.reply()).text).toBe('220-Welcome\r\n 220 not yet\r\n220-to us\r\n220 Now.\r\n')
    expect((await client.command('USER joe')).code).toBe(331)
    expect((await client.command('PASS x')).code).toBe(230)
    expect((await client.download('RETR 5')).codes).toEqual([150, 226])
  })

  test('answers byte by byte', async ({ lab }) => {
    const { client } = await through(
      lab,
      ftpScript({
        verbs: {
          PASV: async (visit) => {
            const port = await visit.listen()
            await visit.wire.sendByteByByte(`227 Mode (127,0,0,1,${port >> 8},${port & 255})\r\n`)
          },
          FEAT: (visit) => visit.wire.sendByteByByte('211-Features:\r\n AUTH TLS\r\n SIZE\r\n211 End\r\n'),
        },
      }),
    )
    await client.login()
    const features = await client.command('FEAT')
    expect(features.text).not.toContain('AUTH')
    expect(features.text).toContain('SIZE')
    expect((await client.download('RETR 5')).codes).toEqual([150, 226])
  })

  test('does not know EPSV: PASV is tried, and remembered for the next session', async ({ lab }) => {
    const server = await lab.server(
      ftpScript({ verbs: { EPSV: (visit) => visit.reply('502 EPSV not implemented.') } }),
    )
    const proxy = await lab.proxy(server, { upstreamMode: 'passive' })
    for (let session = 0; session < 2; session += 1) {
      const client = await (await lab.client(proxy)).login()
      expect((await client.download('RETR 5', 'EPSV')).codes).toEqual([150, 226])
    }
    expect(server.visits.map(({ lines }) => lines.filter((line) => line === 'EPSV').length)).toEqual([1, 0])
  })
})
