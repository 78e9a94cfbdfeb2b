// ABOR as clients really send it: after Telnet's IP and Synch, in urgent data, in the middle of a transfer.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { hasLibc } from '../support/peers/kernel.ts'
import { payload } from '../support/peers/payload.ts'
import type { ScriptedClient } from '../support/peers/scripted-client.ts'
import type { Script, Visit } from '../support/peers/scripted-server.ts'
import type { Wire } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'

const IP = '\xff\xf4'
const DM = '\xf2'

/** Sends without end until ABOR comes, then answers it as RFC 959 §4.1.3 says: 426, then 226. */
function endlessServer(): Script {
  return ftpScript({
    verbs: {
      RETR: async (visit, { argument }) => {
        visit.reply('150 For ever.')
        const data = await visit.data()
        if (argument !== 'endless') {
          data.socket.end(payload(Number(argument)))
          await data.ended()
          visit.reply('226 Sent.')
          return
        }
        void pour(data)
        const command = await visit.nextCommand()
        data.reset()
        expect(command?.verb).toBe('ABOR')
        visit.reply('426 Aborted.')
        visit.reply('226 Abort successful.')
      },
    },
  })
}

async function pour(data: Wire): Promise<void> {
  while (data.ending === null && data.socket.writable) await data.send(payload(65_536))
}

async function inTransfer(lab: Lab): Promise<{ client: ScriptedClient; data: Wire; visit: Visit }> {
  const server = await lab.server(endlessServer())
  const proxy = await lab.proxy(server)
  const client = await (await lab.client(proxy)).login()
  const data = await client.connectData(await client.passive())
  expect((await client.command('RETR endless')).code).toBe(150)
  await data.readBytes(100_000)
  const [visit] = server.visits
  if (visit === undefined) throw new Error('nobody came to the server')
  return { client, data, visit }
}

describe('ABOR in the middle of a download', () => {
  for (const [how, send] of [
    ['as a plain line', (client: ScriptedClient) => client.wire.send('ABOR\r\n')],
    [
      'after IP, with the DM of its Synch in the stream',
      (client: ScriptedClient) => client.wire.send(`${IP}\xff${DM}ABOR\r\n`),
    ],
    [
      'after IP and a Synch whose DM is urgent, as BSD clients do',
      (client: ScriptedClient) => {
        client.wire.sendUrgent(`${IP}\xff${DM}`)
        return client.wire.send('ABOR\r\n')
      },
    ],
    [
      'after a Synch whose IAC is urgent',
      (client: ScriptedClient) => {
        client.wire.sendUrgent(`${IP}\xff`)
        return client.wire.send(`${DM}ABOR\r\n`)
      },
    ],
    [
      'as urgent data itself, as ftplib does',
      async (client: ScriptedClient) => client.wire.sendUrgent('ABOR\r\n'),
    ],
    [
      'in two segments, the first urgent',
      (client: ScriptedClient) => {
        client.wire.sendUrgent(IP)
        client.wire.sendUrgent(`\xff${DM}`)
        return client.wire.send('ABOR\r\n')
      },
    ],
  ] as const) {
    test(`${how}: the transfer ends, and the next one works`, async ({ lab, skip }) => {
      skip(!hasLibc && how.includes('urgent'), 'urgent data needs koffi')
      const { client, data, visit } = await inTransfer(lab)
      await send(client)
      expect((await client.reply()).code).toBe(426)
      expect((await client.reply()).code).toBe(226)
      expect(await data.ended()).toBe('reset')
      expect(visit.lines.filter((line) => line !== 'ABOR' && line.includes('ABOR'))).toEqual([])
      expect((await client.command('NOOP')).code).toBe(200)
      expect((await client.download('RETR 5000')).data.byteCount).toBe(5000)
      expect(visit.lines.filter((line) => line === 'ABOR')).toHaveLength(1)
    })
  }

  test('that the client gives up by closing its data connection first', async ({ lab }) => {
    const { client, data } = await inTransfer(lab)
    data.reset()
    await client.wire.send('ABOR\r\n')
    expect((await client.reply()).code).toBe(426)
    expect((await client.reply()).code).toBe(226)
    expect((await client.download('RETR 5000')).data.byteCount).toBe(5000)
  })

  test('that is urgent, behind more than we let wait', async ({ lab, skip }) => {
    skip(!hasLibc, 'urgent data needs koffi')
    const { client, data, visit } = await inTransfer(lab)
    // PASV waits for the transfer, and all the rest for PASV: reading has long stopped.
    const commands = [
      'PASV',
      ...Array.from({ length: 3_500 }, (_, nth) => `CWD folder-with-a-long-name-${nth}`),
    ]
    await client.wire.send(commands.map((line) => `${line}\r\n`).join(''))
    client.wire.sendUrgent('ABOR\r\n')
    expect((await client.reply()).code).toBe(426)
    expect((await client.reply()).code).toBe(226)
    expect(await data.ended()).toBe('reset')
    expect((await client.reply()).code).toBe(227)
    for (const _ of commands.slice(1)) expect((await client.reply()).code).toBe(250)
    const seen = visit.lines.slice(visit.lines.indexOf('ABOR') + 1)
    expect(seen.slice(-3_500)).toEqual(commands.slice(1))
  })

  test('before any transfer is answered by the server', async ({ lab }) => {
    const server = await lab.server(endlessServer())
    const proxy = await lab.proxy(server)
    const client = await (await lab.client(proxy)).login()
    expect((await client.command('ABOR')).code).toBe(226)
    await client.passive()
    expect((await client.command('ABOR')).code).toBe(226)
    expect((await client.download('RETR 5000')).data.byteCount).toBe(5000)
  })
})

test('STAT in the middle of a download is answered while it goes on', async ({ lab }) => {
  const server = await lab.server(
    ftpScript({
      verbs: {
        RETR: async (visit) => {
          visit.reply('150 Here.')
          const data = await visit.data()
          await data.send('first, ')
          const command = await visit.nextCommand()
          if (command?.verb === 'STAT') visit.reply('213-Status\r\n 7 bytes sent\r\n213 End')
          data.socket.end('last')
          await data.ended()
          visit.reply('226 Sent.')
        },
      },
    }),
  )
  const proxy = await lab.proxy(server)
  const client = await (await lab.client(proxy)).login()
  const data = await client.connectData(await client.passive())
  expect((await client.command('RETR file')).code).toBe(150)
  expect((await client.command('STAT')).text).toContain('7 bytes sent')
  expect(await data.readRest()).toBe('first, last')
  data.halfClose()
  expect((await client.reply()).code).toBe(226)
})
