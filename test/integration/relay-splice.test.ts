import { createHash, randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadLibc } from '../../src/kernel/libc.ts'
import type { Relay } from '../../src/tcp/relay/relay.ts'
import { returnPipe, takePipe } from '../../src/tcp/relay/relay-pipes.ts'
import { closeRelayed, type Relayed, relayed } from '../support/peers/relayed.ts'
import type { Wire } from '../support/peers/wire.ts'

// Large transfers that the kernel moves from socket to socket, through a pipe.

const MIB = 1024 * 1024
const libc = await loadLibc().catch(() => null)
if (libc === null) console.log('skipped: splice(2) needs Linux and koffi')

/** One more, as long as there are some. */
const take = () => (libc === null ? null : takePipe(libc))

let openBefore = 0

/** Sends so many bytes, all different, and gives their hash; `pause` comes between the pieces. */
async function sendContent(
  wire: Wire,
  byteCount: number,
  options: { pieceBytes?: () => number; pause?: () => Promise<void> } = {},
): Promise<string> {
  const hash = createHash('sha256')
  const content = randomBytes(MIB)
  for (let sent = 0; sent < byteCount; ) {
    const piece = Buffer.from(content.subarray(0, Math.min(options.pieceBytes?.() ?? MIB, byteCount - sent)))
    if (piece.length >= 4) piece.writeUInt32BE(sent >>> 0)
    hash.update(piece)
    await wire.send(piece)
    await options.pause?.()
    sent += piece.length
  }
  return hash.digest('hex')
}

/** Starts a download that goes on and on, and waits until the kernel moves it. */
async function flowing({ relay, server }: Relayed): Promise<void> {
  while (relay.splicedBytes === 0) await server.send(randomBytes(MIB))
}

/** Nothing has moved for many turns of the event loop. */
async function settled(relay: Relay): Promise<void> {
  let bytes = -1
  for (let turns = 0; turns < 1000; turns++) {
    if (bytes !== relay.downloadBytes) turns = 0
    bytes = relay.downloadBytes
    await nextTurn()
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Everything that is ours comes back: descriptors, and all pipes for others. */
async function expectNothingKept(): Promise<void> {
  const pipes = []
  for (let pipe = take(); pipe !== null; pipe = take()) pipes.push(pipe)
  expect(pipes).toHaveLength(32)
  for (const pipe of pipes) returnPipe(pipe)
  closeRelayed()
  await nextTurn()
  await nextTurn()
  expect(openFiles()).toBe(openBefore)
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}

describe.skipIf(libc === null)('a large transfer', () => {
  beforeEach(() => {
    openBefore = openFiles()
  })
  afterEach(closeRelayed)

  it.each(['upload', 'download'] as const)('arrives whole: %s of 200 MiB', async (direction) => {
    const { relay, client, server, ended } = await relayed()
    const [sender, receiver] = direction === 'upload' ? [client, server] : [server, client]
    const received = receiver.collect()
    const sha256 = await sendContent(sender, 200 * MIB)
    sender.halfClose()
    expect(await received).toEqual({ byteCount: 200 * MIB, sha256, ending: 'fin' })
    receiver.halfClose()
    expect(await sender.ended()).toBe('fin')
    expect(await ended()).toBe('ok')
    expect(direction === 'upload' ? relay.uploadBytes : relay.downloadBytes).toBe(200 * MIB)
    expect(relay.splicedBytes).toBeGreaterThan(190 * MIB)
    await expectNothingKept()
  })

  it('arrives whole in both directions at once', async () => {
    const { relay, client, server, ended } = await relayed()
    const received = [client.collect(), server.collect()]
    const sent = [server, client].map(async (sender) => {
      const sha256 = await sendContent(sender, 60 * MIB + 1)
      sender.halfClose()
      return { byteCount: 60 * MIB + 1, sha256, ending: 'fin' }
    })
    expect(await Promise.all(received)).toEqual(await Promise.all(sent))
    expect(await ended()).toBe('ok')
    expect(relay.splicedBytes).toBeGreaterThan(100 * MIB)
    await expectNothingKept()
  })

  it('arrives whole in small pieces with a thousand pauses on either side', async () => {
    const { relay, client, server } = await relayed()
    const received = server.collect()
    let pieces = 0
    const sha256 = await sendContent(client, 40 * MIB, {
      pieceBytes: () => 1 + Math.floor(Math.random() * 80_000),
      pause: async () => {
        pieces += 1
        if (pieces % 2 === 0) server.pause()
        else server.resume()
        await nextTurn()
      },
    })
    client.halfClose()
    server.resume()
    expect(await received).toEqual({ byteCount: 40 * MIB, sha256, ending: 'fin' })
    expect(pieces).toBeGreaterThan(500)
    expect(relay.splicedBytes).toBeGreaterThan(30 * MIB)
  })

  it('waits for a reader that stands still, and holds little meanwhile', async () => {
    const { relay, client, server } = await relayed()
    let taken = 0
    let isFull = false
    const stands = new Promise<void>((resolve) => {
      client.socket.on('data', (bytes: Buffer) => {
        taken += bytes.length
        if (isFull || taken < 8 * MIB) return
        isFull = true
        client.pause()
        resolve()
      })
    })
    const received = client.collect()
    const sent = sendContent(server, 300 * MIB)
    await stands
    // Whatever fits into buffers goes on for a while; then nothing moves any more.
    await settled(relay)
    expect(relay.downloadBytes).toBeLessThan(150 * MIB)
    client.resume()
    const sha256 = await sent
    server.halfClose()
    expect(await received).toEqual({ byteCount: 300 * MIB, sha256, ending: 'fin' })
    expect(relay.splicedBytes).toBeGreaterThan(250 * MIB)
  })

  it('that the sender resets is a reset for the reader', async () => {
    const now = await relayed()
    const received = now.client.collect()
    await flowing(now)
    now.server.reset()
    expect((await received).ending).toBe('reset')
    expect(await now.ended()).toBe('reset')
    await expectNothingKept()
  })

  it('that the sender resets is a reset for the reader although the reader has finished speaking', async () => {
    const now = await relayed()
    const received = now.client.collect()
    now.client.halfClose()
    expect(await now.server.ended()).toBe('fin')
    await flowing(now)
    now.server.reset()
    expect((await received).ending).toBe('reset')
    expect(await now.ended()).toBe('reset')
    await expectNothingKept()
  })

  it('that the reader resets while it stands still is a reset for the sender', async () => {
    const now = await relayed()
    void now.client.collect()
    await flowing(now)
    now.client.pause()
    const sending = sendContent(now.server, 100 * MIB)
    await nextTurn()
    now.client.reset()
    expect(await now.server.ended()).toBe('reset')
    expect(await now.ended()).toBe('reset')
    await sending
    await expectNothingKept()
  })

  it.each(['runs', 'stands still'])('that we reset while it %s is a reset for both', async (how) => {
    const now = await relayed()
    const received = now.client.collect()
    await flowing(now)
    if (how === 'stands still') now.client.pause()
    const sending = sendContent(now.server, 100 * MIB)
    for (let i = 0; i < 20; i++) await nextTurn()
    now.relay.reset()
    now.client.resume()
    expect((await received).ending).toBe('reset')
    expect(await now.server.ended()).toBe('reset')
    expect(await now.ended()).toBe('reset')
    await sending
    await expectNothingKept()
  })

  it('goes on by copying behind urgent data, where splice stops', async () => {
    const now = await relayed()
    const received = now.client.collect()
    await flowing(now)
    now.server.sendUrgent('!')
    const before = now.relay.downloadBytes
    await sendContent(now.server, 20 * MIB)
    now.server.halfClose()
    const { byteCount, ending } = await received
    expect(ending).toBe('fin')
    expect(byteCount).toBe(now.relay.downloadBytes)
    expect(byteCount).toBeGreaterThanOrEqual(before + 20 * MIB)
    expect(now.relay.splicedBytes).toBeLessThan(byteCount - 15 * MIB)
    now.client.halfClose()
    expect(await now.ended()).toBe('ok')
    await expectNothingKept()
  })

  it('is copied when all pipes are in use', async () => {
    const pipes = []
    for (let pipe = take(); pipe !== null; pipe = take()) pipes.push(pipe)
    const { relay, client, server } = await relayed()
    const received = client.collect()
    const sha256 = await sendContent(server, 20 * MIB)
    server.halfClose()
    expect(await received).toEqual({ byteCount: 20 * MIB, sha256, ending: 'fin' })
    expect(relay.splicedBytes).toBe(0)
    for (const pipe of pipes) returnPipe(pipe)
    await expectNothingKept()
  })

  it('arrives whole beside forty others', async () => {
    const transfers = await Promise.all(
      Array.from({ length: 41 }, async () => {
        const { relay, client, server, ended } = await relayed()
        const received = client.collect()
        const sha256 = await sendContent(server, 6 * MIB)
        server.halfClose()
        expect(await received).toEqual({ byteCount: 6 * MIB, sha256, ending: 'fin' })
        client.halfClose()
        expect(await ended()).toBe('ok')
        return relay.splicedBytes
      }),
    )
    expect(transfers.filter((bytes) => bytes > 0).length).toBeGreaterThanOrEqual(32)
    await expectNothingKept()
  })
})
