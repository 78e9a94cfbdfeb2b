import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import {
  AF_UNIX,
  ENOBUFS,
  type Libc,
  loadLibc,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from '../../../src/kernel/libc.ts'
import { readDatagrams } from '../../../src/kernel/netlink-stream.ts'

const libc: Libc | null = await loadLibc().catch(() => null)
if (libc === null) console.warn('datagrams of the kernel are not tested: they need Linux and koffi')

/** Keeps datagrams apart as netlink does, and anybody may send. */
const SOCK_SEQPACKET = 5

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** What came in each turn of the event loop, and how to send more. `seen` is called for each datagram. */
function stream(libc: Libc, seen: (socket: Socket, readNow: () => void) => void = () => undefined) {
  const { near, far } = pairOf(libc)
  const turns: number[][] = []
  let isNewTurn = true
  const { socket, readNow } = readDatagrams(libc, near, (datagram) => {
    if (isNewTurn) turns.push([])
    isNewTurn = false
    setImmediate(() => {
      isNewTurn = true
    })
    turns.at(-1)?.push(datagram.getUint32(0))
    seen(socket, readNow)
  })
  closers.push(() => socket.destroy())
  return { socket, turns, readNow, send: (number: number) => sendNumber(libc, { to: far, number }) }
}

/** Two ends of one connection; the far one is closed with the test. */
function pairOf(libc: Libc): { readonly near: number; readonly far: number } {
  const pair = new Int32Array(2)
  expect(libc.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)).toBe(0)
  const [near = -1, far = -1] = pair
  closers.push(() => libc.close(far))
  return { near, far }
}

function sendNumber(libc: Libc, { to, number }: { readonly to: number; readonly number: number }): void {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  expect(libc.send(to, bytes, bytes.length, 0)).toBe(bytes.length)
}

const upTo = (count: number) => Array.from({ length: count }, (_, number) => number)

describe.skipIf(libc === null)('what the kernel tells by itself', () => {
  it('is read at once as far as it waits, but no more than 64 datagrams a turn of the event loop', async () => {
    const { turns, send } = stream(libc ?? missing())
    for (const number of upTo(150)) send(number)
    await expect.poll(() => turns.flat()).toEqual(upTo(150))
    expect(turns.map((turn) => turn.length)).toEqual([64, 64, 22])
  })

  it('is read when a caller cannot wait for the event loop, and never in the middle of a datagram', () => {
    const seen: number[] = []
    const { turns, send, readNow } = stream(libc ?? missing(), (_, readNested) => {
      const before = turns.flat().length
      readNested()
      seen.push(turns.flat().length - before)
    })
    for (const number of upTo(3)) send(number)
    readNow()
    expect(turns.flat()).toEqual(upTo(3))
    expect(seen).toEqual([0, 0, 0])
  })

  it('is one datagram at a time when nothing waits', async () => {
    const { turns, send } = stream(libc ?? missing())
    for (const number of upTo(3)) {
      send(number)
      await expect.poll(() => turns.flat()).toEqual(upTo(number + 1))
    }
    expect(turns).toEqual([[0], [1], [2]])
  })

  it('is read no further once the reader has had enough: the descriptor may be somebody else’s by then', async () => {
    const real = libc ?? missing()
    const { turns, send, socket } = stream(real, (socket) => {
      socket.destroy()
      // One of the lowest free numbers is that of the socket.
      const { near, far } = pairOf(real)
      closers.push(() => real.close(near))
      sendNumber(real, { to: far, number: 98 })
      sendNumber(real, { to: near, number: 99 })
    })
    let isClosed = false
    socket.once('close', () => {
      isClosed = true
    })
    for (const number of upTo(10)) send(number)
    await expect.poll(() => isClosed).toBe(true)
    expect(turns).toEqual([[0]])
  })

  it('may be too much for the buffer, and that is an error although it is told only once', async () => {
    const real = libc ?? missing()
    let isFull = false
    const { turns, send, socket } = stream({
      ...real,
      recv: (...call) => (isFull ? -1 : real.recv(...call)),
      errno: () => (isFull ? ENOBUFS : real.errno()),
    })
    let said = ''
    socket.once('error', (error) => {
      said = error.message
    })
    isFull = true
    send(0)
    await expect.poll(() => said).toContain('recv from netlink failed: ENOBUFS')
    expect(turns).toEqual([[0]])
  })
})

function missing(): never {
  throw new Error('no libc')
}
