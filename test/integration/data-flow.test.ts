// Many bytes and many transfers at once: memory stays bounded, nothing is mixed up.

import { expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { Arrivals } from '../support/peers/patience.ts'
import { MiB, payload, payloadSha256 } from '../support/peers/payload.ts'
import type { Wire } from '../support/peers/wire.ts'
import { halfwayServer } from './halfway-server.ts'
import { type Lab, test } from './lab.ts'

const block = payload(MiB)
/** Far more than the kernel's buffers between the two peers take (about 12 MiB on Linux) and than the proxy may. */
const BLOCKS = 96
/** What the proxy may add to the process while 96 MiB are stuck in it; the rest is noise of the runtime. */
const ALLOWED_GROWTH = 24 * MiB

/** Sends until everything is sent; `sent` counts the blocks that the kernel has taken. */
function pour(wire: Wire): { readonly sent: () => number; readonly done: Promise<void> } {
  let sent = 0
  const pouring = async () => {
    for (; sent < BLOCKS; sent += 1) await wire.send(block)
    wire.halfClose()
  }
  return { sent: () => sent, done: pouring() }
}

/** Waits until nothing has moved for a while. */
async function stalls(progress: () => number): Promise<void> {
  let before = -1
  const isSame = () => {
    const now = progress()
    const same = now === before
    before = now
    return same
  }
  await expect.poll(isSame, { interval: 400, timeout: 15_000 }).toBe(true)
}

async function openedBy(lab: Lab, line: string) {
  const atServer = new Arrivals<Wire>()
  const server = await lab.server(
    ftpScript({
      verbs: {
        [line.slice(0, 4)]: async (visit) => {
          visit.reply('150 Go ahead.')
          atServer.add(await visit.data())
        },
      },
    }),
  )
  const proxy = await lab.proxy(server)
  const client = await (await lab.client(proxy)).login()
  const clientData = await client.connectData(await client.passive())
  expect((await client.command(line)).code).toBe(150)
  return { proxy, client, clientData, serverData: await atServer.next('the data connection') }
}

for (const [line, direction] of [
  ['RETR big', 'download'],
  ['STOR big', 'upload'],
] as const) {
  test(`a reader that stops holds the sender back, and memory stays bounded: ${direction}`, async ({
    lab,
  }) => {
    const { clientData, serverData, proxy } = await openedBy(lab, line)
    const [sender, reader] = direction === 'download' ? [serverData, clientData] : [clientData, serverData]
    const rssBefore = process.memoryUsage.rss()
    const { sent, done } = pour(sender)
    await stalls(sent)
    expect(sent()).toBeLessThan(BLOCKS)
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(ALLOWED_GROWTH)
    const received = reader.collect()
    await done
    expect(await received).toMatchObject({ byteCount: BLOCKS * MiB, ending: 'fin' })
    await expect.poll(() => proxy.listener[`${direction}_bytes`]).toBe(BLOCKS * MiB)
  })
}

test('seventy-two transfers at once, more than there are large buffers, arrive unmixed', async ({ lab }) => {
  const all = 72
  const size = (index: number) => MiB + index
  const { server, goOn, begun } = await halfwayServer(lab)
  const proxy = await lab.proxy(server)
  const clients = await Promise.all(
    Array.from({ length: all }, async () => (await lab.client(proxy)).login()),
  )
  const downloads = Promise.all(
    clients.map((client, index) => client.download(`RETR ${size(index)}`, index % 2 === 0 ? 'EPSV' : 'PORT')),
  )
  await expect.poll(begun, { timeout: 15_000 }).toBe(all)
  goOn()
  const transfers = await downloads
  expect(transfers.map(({ data }) => data)).toEqual(
    transfers.map((_, index) => ({
      byteCount: size(index),
      sha256: payloadSha256(size(index)),
      ending: 'fin',
    })),
  )
  for (const client of clients) client.close()
  await proxy.forgetsEverything()
})
