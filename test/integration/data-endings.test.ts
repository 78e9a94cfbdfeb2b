// How data connections end: every last byte before its FIN, every half-close passed on, every reset a reset.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { Arrivals } from '../support/peers/patience.ts'
import { KiB, payload, payloadSha256 } from '../support/peers/payload.ts'
import { type DataVerb, receive } from '../support/peers/scripted-client.ts'
import type { Wire } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'

type Legs = readonly [verb: DataVerb, upstreamMode: 'client' | 'passive' | 'active']

const legCombinations: readonly Legs[] = [
  ['PASV', 'client'],
  ['PORT', 'client'],
  ['PORT', 'passive'],
  ['PASV', 'active'],
]

/** A session whose data connection is open on both ends and in the test's hands. */
async function openTransfer(lab: Lab, [verb, upstreamMode]: Legs, line = 'RETR file') {
  const atServer = new Arrivals<Wire>()
  const begin = async (visit: Parameters<NonNullable<ReturnType<typeof ftpScript>>>[0]) => {
    visit.reply('150 Go ahead.')
    atServer.add(await visit.data())
  }
  const server = await lab.server(ftpScript({ verbs: { RETR: begin, STOR: begin } }))
  const proxy = await lab.proxy(server, { upstreamMode })
  const client = await (await lab.client(proxy)).login()
  let data: Wire
  if (verb === 'PASV') {
    data = await client.connectData(await client.passive(verb))
    expect((await client.command(line)).code).toBe(150)
  } else {
    const door = await client.openDoor()
    expect((await client.command(door.announcement)).code).toBe(200)
    void client.send(line)
    data = await door.accept()
    expect((await client.reply()).code).toBe(150)
  }
  const [visit] = server.visits
  if (visit === undefined) throw new Error('nobody came to the server')
  return { proxy, client, visit, clientData: data, serverData: await atServer.next('the data connection') }
}

for (const legs of legCombinations) {
  const [verb, upstreamMode] = legs
  describe(`${verb} with upstream mode ${upstreamMode}`, () => {
    test('an upload ends with FIN and the server may still answer on the data connection', async ({
      lab,
    }) => {
      const { clientData, serverData, client, visit } = await openTransfer(lab, legs, 'STOR file')
      await clientData.send('the whole file')
      clientData.halfClose()
      expect(await serverData.readRest()).toBe('the whole file')
      expect(serverData.ending).toBe('fin')
      expect(clientData.ending).toBe(null)
      await serverData.send('a late word')
      expect(await clientData.readBytes(11)).toBe('a late word')
      serverData.halfClose()
      expect(await clientData.ended()).toBe('fin')
      visit.reply('226 Stored.')
      expect((await client.reply()).code).toBe(226)
    })

    test('a download ends with FIN though the client closes late', async ({ lab }) => {
      const { clientData, serverData, client, visit } = await openTransfer(lab, legs)
      await serverData.send(payload(200 * KiB))
      serverData.halfClose()
      visit.reply('226 Sent.')
      const received = clientData.collect()
      expect(await received).toEqual({
        byteCount: 200 * KiB,
        sha256: payloadSha256(200 * KiB),
        ending: 'fin',
      })
      expect((await client.reply()).code).toBe(226)
      // The control connection works on while one half of the data connection is still open.
      expect((await client.command('NOOP')).code).toBe(200)
      await clientData.send('still here')
      expect(await serverData.readBytes(10)).toBe('still here')
      clientData.halfClose()
      expect(await serverData.ended()).toBe('fin')
    })

    test('the server resets in mid-download: the client sees a reset, never an end', async ({ lab }) => {
      const { clientData, serverData, client, visit, proxy } = await openTransfer(lab, legs)
      await serverData.send('half of it')
      expect(await clientData.readBytes(10)).toBe('half of it')
      serverData.reset()
      expect(await clientData.ended()).toBe('reset')
      visit.reply('426 Connection lost.')
      expect((await client.reply()).code).toBe(426)
      await proxy.record('transfer')
      expect(await proxy.metric('ftp_alg_data_connections_total', { result: 'reset' })).toBe(1)
    })

    test('the client resets in mid-upload: the server sees a reset, never an end', async ({ lab }) => {
      const { clientData, serverData, client, visit } = await openTransfer(lab, legs, 'STOR file')
      await clientData.send('half of it')
      expect(await serverData.readBytes(10)).toBe('half of it')
      clientData.reset()
      expect(await serverData.ended()).toBe('reset')
      visit.reply('426 Connection lost.')
      expect((await client.reply()).code).toBe(426)
      expect((await client.command('NOOP')).code).toBe(200)
    })

    test('the client resets a download: the server stops sending', async ({ lab }) => {
      const { clientData, serverData } = await openTransfer(lab, legs)
      await serverData.send('half of it')
      expect(await clientData.readBytes(10)).toBe('half of it')
      clientData.reset()
      expect(await serverData.ended()).toBe('reset')
    })

    test('the server resets an upload: the client stops sending', async ({ lab }) => {
      const { clientData, serverData } = await openTransfer(lab, legs, 'STOR file')
      await clientData.send('half of it')
      expect(await serverData.readBytes(10)).toBe('half of it')
      serverData.reset()
      expect(await clientData.ended()).toBe('reset')
    })
  })
}

test('a reset overtakes what the client has not read: no clean end before the whole file', async ({
  lab,
}) => {
  const { clientData, serverData } = await openTransfer(lab, ['PASV', 'client'])
  const sending = serverData.send(Buffer.alloc(64 * KiB * KiB))
  // Nobody reads: the proxy stops reading from the server, and then the server dies.
  await Promise.race([sending, stalled(serverData)])
  serverData.reset()
  const { ending, byteCount } = await clientData.collect()
  expect(byteCount).toBeLessThan(64 * KiB * KiB)
  expect(ending).toBe('reset')
})

test('the server vanishes in mid-transfer: what it sent arrives, and the client is told', async ({ lab }) => {
  const { clientData, serverData, client, visit } = await openTransfer(lab, ['PASV', 'client'])
  await serverData.send('the beginning, ')
  visit.wire.halfClose()
  const farewell = await client.reply()
  expect(farewell.code).toBe(421)
  await serverData.send('the rest')
  serverData.halfClose()
  expect(await clientData.readRest()).toBe('the beginning, the rest')
  expect(clientData.ending).toBe('fin')
})

test('the client leaves in mid-download: the server sees a reset or an end at once', async ({ lab }) => {
  const { clientData, serverData, client } = await openTransfer(lab, ['PASV', 'client'])
  clientData.close()
  client.close()
  expect(await serverData.ended()).not.toBe('closed')
})

test('fifty files of one byte and of none arrive whole, whichever of FIN and 226 is first', async ({
  lab,
}) => {
  const server = await lab.server(
    ftpScript({
      verbs: {
        RETR: async (visit, { argument }) => {
          visit.reply('150 Here.')
          if (argument.endsWith('first')) visit.reply('226 Sent already.')
          const data = await visit.data()
          data.socket.end(payload(argument.startsWith('one') ? 1 : 0))
          await data.collect()
          if (!argument.endsWith('first')) visit.reply('226 Sent.')
        },
      },
    }),
  )
  const proxy = await lab.proxy(server)
  const client = await (await lab.client(proxy)).login()
  for (let round = 0; round < 50; round += 1) {
    const name = `${round % 2 === 0 ? 'one' : 'none'} ${round % 3 === 0 ? 'first' : 'last'}`
    const { data, codes } = await client.download(`RETR ${name}`)
    const size = name.startsWith('one') ? 1 : 0
    expect(codes).toEqual([150, 226])
    expect(data).toEqual({ byteCount: size, sha256: payloadSha256(size), ending: 'fin' })
  }
})

/** Resolves when the kernel has taken nothing for a while: everything between the two ends is full. */
async function stalled({ socket }: Wire): Promise<void> {
  let before = -1
  await expect
    .poll(
      () => {
        const taken = socket.bytesWritten - socket.writableLength
        const isSame = taken === before
        before = taken
        return isSame
      },
      { interval: 300 },
    )
    .toBe(true)
}

test('a small file of an active server waits for a client that comes seconds after its success', async ({
  lab,
}) => {
  const server = await lab.server(ftpScript())
  const proxy = await lab.proxy(server, { upstreamMode: 'active' })
  const client = await (await lab.client(proxy)).login()
  const at = await client.passive()
  expect((await client.command('RETR 1000')).code).toBe(150)
  // Longer than a success is held for a data connection that nobody began.
  await new Promise((resolve) => setTimeout(resolve, 3_200))
  expect(await receive(await client.connectData(at))).toMatchObject({
    byteCount: 1000,
    sha256: payloadSha256(1000),
    ending: 'fin',
  })
  expect((await client.reply()).code).toBe(226)
})
