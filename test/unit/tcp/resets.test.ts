// A reset is told as one at whatever moment it comes: taken for a FIN, half a file looks whole.

import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { loadLibc, MSG_PEEK, SOL_SOCKET } from '../../../src/kernel/libc.ts'
import type { Connection } from '../../../src/tcp/connection.ts'
import { Tcp } from '../../../src/tcp/tcp.ts'
import { connectionPair, makes, type Pair } from '../../support/connections.ts'
import { within } from '../../support/peers/patience.ts'
import { MiB } from '../../support/peers/payload.ts'
import { closeRelayed, relayed } from '../../support/peers/relayed.ts'

const SO_ERROR = 4

const libc = await loadLibc().catch(() => null)
const closers: (() => unknown)[] = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
  closeRelayed()
})

/** The other way about: we connect, the peer accepts. */
async function calledPair(tcp: Tcp): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('not bound')
  const peer = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const ours = new Promise<Connection>((resolve, reject) => {
    tcp.connect({ to: { address: '127.0.0.1', port: bound.port }, from: null }, (error, connection) =>
      connection === null ? reject(error) : resolve(connection),
    )
  })
  const pair = { connection: await ours, socket: await peer }
  server.close()
  return pair
}

describe.each(makes)('a connection that is given up while it is made ($make)', ({ tcp }) => {
  it('is reset, though the peer has it already', async () => {
    const server = createServer({ allowHalfOpen: true })
    closers.push(() => server.close())
    server.listen({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    const bound = server.address()
    if (bound === null || typeof bound === 'string') throw new Error('not bound')
    const accepted = once(server, 'connection')
    const to = { address: '127.0.0.1', port: bound.port }
    const connecting = tcp.connect({ to, from: null }, () => {
      throw new Error('it was given up')
    })
    // Node connects a moment later, and neither make hears of it before the next turn.
    await new Promise<void>((resolve) => process.nextTick(resolve))
    connecting.cancel()
    const [peer] = (await within(accepted, { what: 'a connection at the peer' })) as [Socket]
    closers.push(() => peer.destroy())
    const ending = new Promise<string>((resolve) => {
      peer.once('end', () => resolve('fin'))
      peer.once('error', () => resolve('reset'))
    })
    peer.resume()
    expect(await within(ending, { what: 'the end at the peer' })).toBe('reset')
  })
})

/** What is told from `start` to the last word. */
function story(connection: Connection): Promise<string> {
  let text = ''
  const told = new Promise<string>((resolve) => {
    connection.start({
      received: (bytes, byteCount) => {
        text += bytes.toString('latin1', 0, byteCount)
        return true
      },
      ended: () => resolve(`${text}, ended`),
      drained: () => undefined,
      closed: (error) => resolve(`${text}, closed ${error?.code ?? 'well'}`),
    })
  })
  return within(told, { what: 'how it ended' })
}

async function reset(socket: Socket): Promise<void> {
  const closed = once(socket, 'close')
  socket.resetAndDestroy()
  await closed
}

async function send(socket: Socket, text: string): Promise<void> {
  await new Promise((resolve) => socket.write(text, resolve))
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

const pairs = { accepted: connectionPair, called: calledPair }

for (const { make, tcp } of makes) {
  describe.each(['accepted', 'called'] as const)(`a connection that we %s (${make})`, (how) => {
    const open = async () => {
      const pair = await pairs[how](tcp)
      closers.push(
        () => pair.connection.destroy(),
        () => pair.socket.destroy(),
      )
      return pair
    }

    it('is reset behind bytes that nobody had read', async () => {
      const { connection, socket } = await open()
      await send(socket, 'half a file')
      await reset(socket)
      expect(await story(connection)).toBe('half a file, closed ECONNRESET')
    })

    it('is reset behind bytes that nobody had read, when our FIN was sent long before', async () => {
      const { connection, socket } = await open()
      connection.end()
      socket.resume()
      await once(socket, 'end')
      await send(socket, 'half a file')
      await reset(socket)
      expect(await story(connection)).toBe('half a file, closed ECONNRESET')
    })

    it('is reset while nobody reads, in the midst of much', async () => {
      const { connection, socket } = await open()
      const told = story(connection)
      connection.pause()
      const sent = send(socket, 'x'.repeat(150_000))
      await turns(5)
      socket.resetAndDestroy()
      connection.resume()
      expect(await told).toMatch(/^x*, closed ECONNRESET$/)
      await sent
    })

    it('is reset right behind its FIN', async () => {
      const { connection, socket } = await open()
      socket.end('the last word')
      await once(socket, 'finish')
      await reset(socket)
      expect(await story(connection)).toMatch(/^the last word, closed (ECONNRESET|EPIPE)$/)
    })

    it('ends with a FIN where there is only that', async () => {
      const { connection, socket } = await open()
      socket.end('a whole file')
      await once(socket, 'finish')
      expect(await story(connection)).toBe('a whole file, ended')
    })

    it('ends with a FIN behind ours', async () => {
      const { connection, socket } = await open()
      connection.end()
      socket.end('a whole file')
      await once(socket, 'finish')
      expect(await story(connection)).toBe('a whole file, ended')
    })

    it('tells of a reset before it is started, if asked to', async () => {
      const { connection, socket } = await open()
      const lost = new Promise<unknown>((resolve) => connection.whenLost(({ code }) => resolve(code)))
      socket.resetAndDestroy()
      expect(await within(lost, { what: 'the loss' })).toBe('ECONNRESET')
    })
  })

  it(`a file that is reset behind its last byte is never whole at the other end (${make})`, async () => {
    for (let run = 0; run < 60; run += 1) {
      const { client, server } = await relayed(undefined, tcp)
      const received = server.collect()
      await client.send(Buffer.alloc((run % 6) * 400_000 + 1))
      if (run % 2 === 1) await turns(run % 5)
      client.reset()
      expect((await received).ending).toBe('reset')
      closeRelayed()
    }
  })
}

describe.skipIf(libc === null)('the error of a connection, which the kernel tells once,', () => {
  if (libc === null) return
  const swallow = ({ fd }: Connection) => {
    const error = new Int32Array(1)
    libc.getsockopt(fd ?? -1, SOL_SOCKET, SO_ERROR, new Uint8Array(error.buffer), Uint32Array.of(4))
    expect(error[0]).not.toBe(0)
  }

  it('is not needed to know that it was reset', async () => {
    const { connection, socket } = await connectionPair(new Tcp({ libc }))
    closers.push(() => connection.destroy())
    await send(socket, 'half a file')
    await reset(socket)
    swallow(connection)
    expect(await story(connection)).toBe('half a file, closed ECONNRESET')
  })

  it('is remembered from when it was told of, though our FIN was sent long before', async () => {
    const { connection, socket } = await connectionPair(new Tcp({ libc }))
    closers.push(() => connection.destroy())
    const told = story(connection)
    connection.end()
    connection.pause()
    socket.resume()
    await once(socket, 'end')
    await send(socket, 'half a file')
    await reset(socket)
    await turns(5)
    swallow(connection)
    connection.resume()
    expect(await told).toBe('half a file, closed ECONNRESET')
  })

  it.each(['before', 'after'])('may come between two calls of splicing: %s it looks', async (when) => {
    let looks: (() => void) | null = null
    const recv: typeof libc.recv = (fd, bytes, length, flags) => {
      const now = (flags & MSG_PEEK) === 0 ? null : looks
      if (when === 'before') now?.()
      const byteCount = libc.recv(fd, bytes, length, flags)
      if (when === 'after') now?.()
      return byteCount
    }
    const { relay, client, server, ended } = await relayed(undefined, new Tcp({ libc: { ...libc, recv } }))
    const received = server.collect()
    while (relay.splicedBytes === 0) await client.send(Buffer.alloc(MiB))
    let looked = 0
    looks = () => {
      looked += 1
      client.reset()
    }
    await client.send('the last byte')
    expect((await received).ending).toBe('reset')
    expect(await ended()).toBe('reset')
    expect(looked).toBeGreaterThan(0)
  })
})
