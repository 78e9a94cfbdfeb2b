// What servers say on the control channel in the field, from public bug reports: it works without a proxy, so it works
// through one. The numbers are those of the dialogues in docs/field.md.

import { setTimeout } from 'node:timers/promises'
import { describe, expect, vi } from 'vitest'
import { ftpScript, type Verb } from '../../support/peers/ftp-script.ts'
import { MiB } from '../../support/peers/payload.ts'
import type { Script } from '../../support/peers/scripted-server.ts'
import { type Lab, test } from '../lab.ts'
import type { ProxyPlan } from '../proxy-under-test.ts'

const upstreamModes = ['client', 'passive', 'active'] as const

async function through(lab: Lab, script: Script, plan: ProxyPlan = {}) {
  const server = await lab.server(script)
  const proxy = await lab.proxy(server, plan)
  return { server, proxy, client: await lab.client(proxy) }
}

describe.concurrent('03: a reply without its end', () => {
  test('that goes on for ever: each line passes, and the transfer fails when the client gives up', async ({
    lab,
  }) => {
    const RETR: Verb = (visit) => visit.reply('553-a\r\n553- b\r\n150 Opening')
    const { client } = await through(lab, ftpScript({ verbs: { RETR } }))
    await client.login()
    await client.passive()
    void client.send('RETR 1')
    expect(await client.wire.readLine()).toBe('553-a')
    expect(await client.wire.readLine()).toBe('553- b')
    expect(await client.wire.readLine()).toBe('150 Opening')
  })

  test('that lacks its CRLF passes after a second of silence', async ({ lab }) => {
    const CWD: Verb = (visit) => void visit.wire.send('550 No such directory')
    const { client } = await through(lab, ftpScript({ verbs: { CWD } }))
    await client.login()
    void client.send('CWD x')
    expect(await client.wire.readBytes('550 No such directory'.length)).toBe('550 No such directory')
  })

  test('that lacks its CRLF passes before the FIN behind it', async ({ lab }) => {
    const QUIT: Verb = (visit) => {
      void visit.wire.send('221 Bye')
      visit.wire.halfClose()
    }
    const { client } = await through(lab, ftpScript({ verbs: { QUIT } }))
    await client.login()
    void client.send('QUIT')
    expect(await client.wire.readRest()).toBe('221 Bye')
  })
})

describe.concurrent('04: a server that is busy', () => {
  test('is heard line by line, before 150 and in a long reply', async ({ lab }) => {
    const heard: (() => void)[] = []
    /** Says the next line only when the client has the last one. */
    const turns = () => new Promise<void>((resolve) => heard.push(resolve))
    const busy =
      (...lines: readonly string[]): Verb =>
      async (visit) => {
        for (const line of lines) {
          visit.reply(line)
          await turns()
        }
      }
    const recall = busy('125-Waiting for recall', '125-Waiting for recall', '125 Here.')
    const script = ftpScript({
      verbs: {
        RETR: async (visit, command) => {
          await recall(visit, command)
          const data = await visit.data()
          data.halfClose()
          visit.reply('226 Done.')
        },
        HASH: busy('250-Computing', '250-Computing', '250 0xCAFE'),
      },
    })
    const { client } = await through(lab, script)
    await client.login()
    const listens = async (...lines: readonly string[]) => {
      for (const line of lines) {
        expect(await client.wire.readLine()).toBe(line)
        heard.shift()?.()
      }
    }
    const data = await client.connectData(await client.passive())
    void client.send('RETR 1')
    await listens('125-Waiting for recall', '125-Waiting for recall', '125 Here.')
    await data.ended()
    data.halfClose()
    await listens('226 Done.')
    void client.send('HASH big')
    await listens('250-Computing', '250-Computing', '250 0xCAFE')
  })
})

describe.concurrent('06: a reply without bound', () => {
  test('of 96 MiB passes at the pace of the client, and only its first lines wait with us', async ({
    lab,
  }) => {
    const line = ` -rw-r--r-- 1 ftp ftp 1 Jan 1 00:00 ${'x'.repeat(80)}\r\n`
    const lineCount = Math.ceil((96 * MiB) / line.length)
    let hasSaidAll = false
    const STAT: Verb = async (visit) => {
      visit.reply('213-Status follows:')
      for (let count = 0; count < lineCount; count += 1000) await visit.wire.send(line.repeat(1000))
      visit.reply('213 End.')
      hasSaidAll = true
    }
    const { client } = await through(lab, ftpScript({ verbs: { STAT } }))
    await client.login()
    void client.send('STAT -al')
    // The server is stopped while the client reads nothing. The system's own buffers hold up to 32 MiB for each socket.
    await setTimeout(300)
    expect(hasSaidAll).toBe(false)
    const { text } = await client.reply()
    expect(text.length).toBeGreaterThan(96 * MiB)
    expect(text.endsWith('213 End.\r\n')).toBe(true)
    expect((await client.command('NOOP')).code).toBe(200)
  })
})

describe.concurrent('07: a login that ends in another 2xx', () => {
  for (const reply of ['220 ok', '200 ok', '202 No need', '299 Welcome']) {
    test(`${reply}, in every upstream mode`, async ({ lab }) => {
      for (const upstreamMode of upstreamModes) {
        const PASS: Verb = (visit) => visit.reply(reply)
        const { client } = await through(lab, ftpScript({ verbs: { PASS } }), { upstreamMode })
        await client.reply()
        await client.command('USER joe')
        expect((await client.command('PASS secret')).line).toBe(reply)
        expect((await client.download('RETR 100', 'PORT')).codes).toEqual([150, 226])
      }
    })
  }
})

describe.concurrent('08: text before the greeting', () => {
  test('passes, and the session begins with 220', async ({ lab }) => {
    const greeting = 'Authorised use only\n\r\nAll is logged.\r\n220 ready'
    const { client } = await through(lab, ftpScript({ greeting }))
    expect(await client.wire.readLine()).toBe('Authorised use only')
    expect(await client.wire.readLine()).toBe('')
    expect(await client.wire.readLine()).toBe('All is logged.')
    await client.login()
    expect((await client.download('RETR 100')).codes).toEqual([150, 226])
  })

  test('is bounded: 64 KiB without 220 is no FTP server', async ({ lab }) => {
    const greeting = Array.from({ length: 1100 }, () => 'x'.repeat(60)).join('\r\n')
    const { client } = await through(lab, ftpScript({ greeting }))
    expect(await client.wire.readRest()).toMatch(/^x+\r\n(x+\r\n)*421 [^\r]+\r\n$/)
  })
})

describe.concurrent('12: a server that answers twice', () => {
  for (const upstreamMode of upstreamModes) {
    test(`keeps its place: the next commands get their own replies; upstream mode ${upstreamMode}`, async ({
      lab,
    }) => {
      const CWD: Verb = (visit) => visit.reply('250 Done.\r\n250 Done.')
      const { client, proxy } = await through(lab, ftpScript({ verbs: { CWD } }), { upstreamMode })
      await client.login()
      expect((await client.command('CWD x')).line).toBe('250 Done.')
      expect((await client.reply()).line).toBe('250 Done.')
      for (const verb of ['PASV', 'PORT', 'EPSV', 'EPRT'] as const) {
        expect((await client.download('RETR 100', verb)).codes).toEqual([150, 226])
      }
      expect((await client.command('PWD')).code).toBe(257)
      expect(
        await proxy.metric('ftp_alg_protocol_errors_total', { reason: 'unsolicited_reply' }),
      ).toBeGreaterThan(0)
    })
  }
})

describe.concurrent('17: bytes that look like Telnet', () => {
  test('are names in Windows-1251, in commands and in replies', async ({ lab }) => {
    const name = '\xef\xff\xf2\xfc\xff\xff.txt'
    const CWD: Verb = (visit, { argument }) => visit.reply(`250 ${argument}`)
    const { client, server } = await through(lab, ftpScript({ verbs: { CWD } }))
    await client.login()
    expect((await client.command(`CWD ${name}`)).line).toBe(`250 ${name}`)
    expect(server.visits[0]?.lines.at(-1)).toBe(`CWD ${name}`)
  })
})

test('a server that leaves it to its client to close after QUIT is not left with the connection', async ({
  lab,
}) => {
  let hasEnded = false
  const QUIT: Verb = async (visit) => {
    visit.reply('221 Bye.')
    await visit.wire.readRest()
    hasEnded = true
  }
  const { client } = await through(lab, ftpScript({ verbs: { QUIT } }))
  await client.login()
  expect((await client.command('QUIT')).code).toBe(221)
  await vi.waitFor(() => expect(hasEnded).toBe(true), { timeout: 2_500 })
})

describe.concurrent('19: a server that works for longer than a client may be idle', () => {
  test('is not idle: its reply is waited for, and the client may rest again after it', async ({ lab }) => {
    const HASH: Verb = async (visit) => {
      await setTimeout(1500)
      visit.reply('250 0xCAFE')
    }
    const { client } = await through(lab, ftpScript({ verbs: { HASH } }), { limits: { idleMs: 1000 } })
    await client.login()
    expect((await client.command('HASH big')).line).toBe('250 0xCAFE')
    expect((await client.reply()).code).toBe(421)
  })

  test('has a bound of its own', async ({ lab }) => {
    const { client } = await through(lab, ftpScript({ verbs: { HASH: () => undefined } }), {
      limits: { replyMs: 500 },
    })
    await client.login()
    expect((await client.command('HASH big')).code).toBe(421)
  })
})
