// What both makes of TCP connections promise.

import { createHash, randomBytes } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'
import type { Connection, ConnectionEvents } from '../../../src/tcp/connection.ts'
import type { Tcp } from '../../../src/tcp/tcp.ts'
import { connectionPair, listenOnLoopback, makes } from '../../support/connections.ts'
import { within } from '../../support/peers/patience.ts'
import { MiB } from '../../support/peers/payload.ts'
import { Wire } from '../../support/peers/wire.ts'

const closers: (() => unknown)[] = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const IPPROTO_TCP = 6
const TCP_INFO = 11
const TCP_INFO_BYTES = 240
/** `tcpi_segs_out`, as a 32-bit word of `struct tcp_info`. */
const SEGS_OUT = 136 / 4

/** Writes down what is told, in order; takes whatever comes. */
class Diary implements ConnectionEvents {
  readonly entries: string[] = []
  text = ''
  takes = true
  hash = createHash('sha256')

  received(bytes: Buffer, byteCount: number): boolean {
    this.text += bytes.toString('latin1', 0, byteCount)
    return this.takes
  }

  ended(): void {
    this.entries.push('ended')
  }

  drained(): void {
    this.entries.push('drained')
  }

  closed(error: NodeJS.ErrnoException | null): void {
    this.entries.push(`closed ${error?.code ?? 'well'}`)
  }
}

interface Stand {
  readonly connection: Connection
  readonly diary: Diary
  readonly peer: Wire
}

/** A connection that was accepted and has been started. */
async function standOf(tcp: Tcp): Promise<Stand> {
  const { connection, socket } = await connectionPair(tcp)
  closers.push(
    () => connection.destroy(),
    () => socket.destroy(),
  )
  const diary = new Diary()
  connection.start(diary)
  return { connection, diary, peer: new Wire(socket) }
}

function connecting(tcp: Tcp, to: Endpoint, from: Endpoint | null = null): Promise<Connection> {
  const result = new Promise<Connection>((resolve, reject) => {
    tcp.connect({ to, from }, (error, connection) =>
      connection === null ? reject(error) : resolve(connection),
    )
  })
  return within(result, { what: 'a connection' })
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** A port of loopback on which nobody listens. */
async function closedPort(): Promise<number> {
  const { port, close } = await listenOnLoopback()
  close()
  return port
}

describe.each(makes)('a connection ($make)', ({ tcp }) => {
  it('knows both of its ends', async () => {
    const { connection, peer } = await standOf(tcp)
    const { localPort, remotePort } = peer.socket
    expect(connection.remote).toEqual({ address: '127.0.0.1', port: localPort })
    expect(connection.local()).toEqual({ address: '127.0.0.1', port: remotePort })
    expect(connection.fd).toBeGreaterThan(0)
    connection.destroy()
    expect(connection.local()).toBeNull()
    expect(connection.fd).toBeNull()
  })

  it('carries latin1 and bytes, both ways', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    await peer.send('caf\xe9\xff\r\n')
    await expect.poll(() => diary.text).toBe('caf\xe9\xff\r\n')
    connection.write('th\xe9\r\n')
    connection.writeBytes(Buffer.from([0, 255, 7]), 2)
    expect(await peer.readBytes(7)).toBe('th\xe9\r\n\0\xff')
  })

  it('reads nothing before it is started, and then what came meanwhile', async () => {
    const { connection, socket } = await connectionPair(tcp)
    closers.push(
      () => connection.destroy(),
      () => socket.destroy(),
    )
    const peer = new Wire(socket)
    await peer.send('early')
    peer.halfClose()
    await turns(20)
    const diary = new Diary()
    connection.start(diary)
    expect(diary.text).toBe('')
    await expect.poll(() => diary.entries).toEqual(['ended'])
    expect(diary.text).toBe('early')
  })

  it('reads nothing while it is paused, by a call or by its reader', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    connection.pause()
    await peer.send('one')
    await turns(20)
    expect(diary.text).toBe('')
    diary.takes = false
    connection.resume()
    await expect.poll(() => diary.text).toBe('one')
    await peer.send('two')
    await turns(20)
    expect(diary.text).toBe('one')
    connection.resume()
    await expect.poll(() => diary.text).toBe('onetwo')
  })

  it('keeps what the peer does not read, in order, and tells when all of it is written', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    const pieces = Array.from({ length: 24 }, () => randomBytes(MiB))
    for (const piece of pieces) connection.writeBytes(piece, piece.length)
    connection.write('the end')
    expect(connection.unsentBytes).toBeGreaterThan(MiB)
    expect(diary.entries).toEqual([])
    const received = await peer.readBytes(24 * MiB + 7)
    expect(received.endsWith('the end')).toBe(true)
    const sha256 = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex')
    expect(sha256(received)).toBe(sha256(`${Buffer.concat(pieces).toString('latin1')}the end`))
    await expect.poll(() => diary.entries).toEqual(['drained'])
    expect(connection.unsentBytes).toBe(0)
  })

  it('tells when a little that was left over is written, too', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    const piece = Buffer.alloc(4096)
    let byteCount = 0
    while (connection.unsentBytes === 0) {
      connection.writeBytes(piece, piece.length)
      byteCount += piece.length
    }
    expect(diary.entries).toEqual([])
    await peer.readBytes(byteCount)
    await expect.poll(() => diary.entries).toEqual(['drained'])
  })

  it('sends FIN behind everything that was written, and closes when both sides have', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    const much = Buffer.alloc(12 * MiB, 'x')
    connection.writeBytes(much, much.length)
    connection.end()
    connection.write('too late')
    expect((await peer.readRest()).length).toBe(much.length)
    expect(peer.ending).toBe('fin')
    await peer.send('still there')
    await expect.poll(() => diary.text).toBe('still there')
    expect(diary.entries).not.toContain('closed well')
    peer.halfClose()
    await expect.poll(() => diary.entries.slice(-2)).toEqual(['ended', 'closed well'])
  })

  it.each(['end', 'close'] as const)('has a last word when it is to %s', async (how) => {
    const { connection, diary, peer } = await standOf(tcp)
    connection.write('first ')
    connection[how]('and last')
    connection[how]('too late')
    expect(await peer.readRest()).toBe('first and last')
    expect(peer.ending).toBe('fin')
    peer.halfClose()
    await expect.poll(() => diary.entries.at(-1)).toBe('closed well')
  })

  it.each(['end', 'close'] as const)('has it behind all that waits, too: %s', async (how) => {
    const { connection, peer } = await standOf(tcp)
    const much = Buffer.alloc(12 * MiB, 'x')
    connection.writeBytes(much, much.length)
    connection[how]('and last')
    const rest = await peer.readRest()
    expect(rest.length).toBe(much.length + 8)
    expect(rest.endsWith('xxand last')).toBe(true)
  })

  it('answers FIN whenever it likes', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    peer.halfClose()
    await expect.poll(() => diary.entries).toEqual(['ended'])
    await turns(20)
    connection.write('a word yet')
    connection.end()
    expect(await peer.readRest()).toBe('a word yet')
    await expect.poll(() => diary.entries).toEqual(['ended', 'closed well'])
  })

  it('closes behind everything that was written', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    const much = Buffer.alloc(12 * MiB, 'x')
    connection.writeBytes(much, much.length)
    connection.close()
    expect((await peer.readRest()).length).toBe(much.length)
    await expect.poll(() => diary.entries).toContain('closed well')
  })

  it('tells a reset from FIN, also behind bytes that were not read before it', async () => {
    const { diary, peer } = await standOf(tcp)
    peer.reset()
    await expect.poll(() => diary.entries).toEqual(['closed ECONNRESET'])

    const late = await connectionPair(tcp)
    closers.push(() => late.connection.destroy())
    const latePeer = new Wire(late.socket)
    await latePeer.send('half a file')
    const isGone = new Promise((resolve) => late.socket.once('close', resolve))
    latePeer.reset()
    await isGone
    const lateDiary = new Diary()
    late.connection.start(lateDiary)
    await expect.poll(() => lateDiary.entries).toEqual(['closed ECONNRESET'])
    expect(['', 'half a file']).toContain(lateDiary.text)
  })

  it('notices a reset by writing, too', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    connection.pause()
    peer.reset()
    await expect
      .poll(() => {
        connection.write('hello?')
        return diary.entries
      })
      .toHaveLength(1)
    expect(diary.entries[0]).toMatch(/^closed (ECONNRESET|EPIPE)$/)
  })

  it('resets when told to, also with bytes unsent', async () => {
    for (const bytes of [0, 12 * MiB]) {
      const { connection, diary, peer } = await standOf(tcp)
      if (bytes > 0) connection.writeBytes(Buffer.alloc(bytes), bytes)
      connection.reset()
      expect(await peer.ended()).toBe('reset')
      await expect.poll(() => diary.entries).toEqual(['closed well'])
    }
  })

  it('resets in the moment after its own FIN', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    connection.end()
    connection.reset()
    await peer.ended()
    await expect.poll(() => diary.entries).toEqual(['closed well'])
  })

  it('says nothing more once it is closed, and does nothing', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    let closings = 0
    connection.whenClosed(() => {
      closings += 1
    })
    await peer.send('unread')
    connection.destroy(Object.assign(new Error('enough'), { code: 'ETIMEDOUT' }))
    expect(diary.entries).toEqual([])
    connection.write('x')
    connection.writeBytes(Buffer.from('x'), 1)
    for (const act of ['pause', 'resume', 'end', 'close', 'destroy', 'reset', 'keepUrgent'] as const)
      connection[act]()
    connection.keepAlive(1000)
    await turns(20)
    expect(diary.entries).toEqual(['closed ETIMEDOUT'])
    expect(diary.text).toBe('')
    expect(closings).toBe(1)
    expect(connection.unsentBytes).toBe(0)
  })

  it('that breaks its reader takes no other down', async () => {
    const one = await standOf(tcp)
    const other = await standOf(tcp)
    one.diary.ended = () => one.connection.destroy()
    one.peer.halfClose()
    await other.peer.send('me too')
    await expect.poll(() => one.diary.entries).toEqual(['closed well'])
    await expect.poll(() => other.diary.text).toBe('me too')
  })

  it('keeps an urgent byte in the stream', async () => {
    const { connection, diary, peer } = await standOf(tcp)
    connection.keepUrgent()
    for (const part of ['before ', 'U', ' after']) {
      if (part === 'U') peer.sendUrgent(part)
      else await peer.send(part)
      await turns(3)
    }
    await expect.poll(() => diary.text).toBe('before U after')
  })
})

describe.each(makes.filter(({ make }) => make === 'epoll'))('a connection by system calls', ({ tcp }) => {
  it('sends its last word and FIN in one packet', async () => {
    const { connection, peer } = await standOf(tcp)
    const { direct, fd } = connection
    if (direct === null || fd === null) throw new Error('no descriptor')
    const packets = () => {
      const info = new Uint8Array(TCP_INFO_BYTES)
      expect(direct.libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, Uint32Array.of(info.length))).toBe(0)
      return new Uint32Array(info.buffer)[SEGS_OUT]
    }
    const before = packets() ?? 0
    connection.end('221 Goodbye.')
    expect(packets()).toBe(before + 1)
    expect(await peer.readRest()).toBe('221 Goodbye.')
  })
})

describe.each(makes)('connecting ($make)', ({ tcp }) => {
  it('reaches who listens, from where it was told to', async () => {
    const { port, next, close } = await listenOnLoopback(tcp)
    closers.push(close)
    const connection = await connecting(
      tcp,
      { address: '127.0.0.1', port },
      { address: '127.0.0.9', port: 0 },
    )
    closers.push(() => connection.destroy())
    expect(connection.remote).toEqual({ address: '127.0.0.1', port })
    expect((await next).remote.address).toBe('127.0.0.9')
  })

  it('takes the source port that it was told, towards several peers, and another one where it cannot', async () => {
    const first = await listenOnLoopback(tcp)
    const second = await listenOnLoopback(tcp)
    closers.push(first.close, second.close)
    const from = { address: '127.0.0.1', port: await closedPort() }
    const connections = [
      await connecting(tcp, { address: '127.0.0.1', port: first.port }, from),
      await connecting(tcp, { address: '127.0.0.1', port: second.port }, from),
      await connecting(tcp, { address: '127.0.0.1', port: second.port }, from),
    ]
    for (const connection of connections) closers.push(() => connection.destroy())
    expect((await first.next).remote.port).toBe(from.port)
    expect((await second.next).remote.port).toBe(from.port)
    expect(connections[2]?.local()?.port).not.toBe(from.port)
  })

  it('says in the system’s word why it failed', async () => {
    const port = await closedPort()
    await expect(connecting(tcp, { address: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
    await expect(
      connecting(tcp, { address: '127.0.0.1', port }, { address: '192.0.2.1', port: 0 }),
    ).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
  })

  it('calls nobody back after it was cancelled', async () => {
    const { port, close } = await listenOnLoopback(tcp)
    closers.push(close)
    const called: unknown[] = []
    const done = (...result: unknown[]) => called.push(result)
    const at = { address: '127.0.0.1', port }
    tcp.connect({ to: at, from: null }, done).cancel()
    tcp.connect({ to: { ...at, port: await closedPort() }, from: null }, done).cancel()
    tcp.connect({ to: at, from: { address: '192.0.2.1', port: 0 } }, done).cancel()
    const twice = tcp.connect({ to: at, from: null }, done)
    twice.cancel()
    twice.cancel()
    const later = await connecting(tcp, at)
    later.destroy()
    await turns(20)
    expect(called).toEqual([])
  })
})

describe.each(makes)('listening ($make)', ({ tcp }) => {
  function listen(at: Endpoint): Promise<{ at: Endpoint; accepted: Connection[]; close: () => void }> {
    return new Promise((resolve, reject) => {
      const accepted: Connection[] = []
      const listening = tcp.listen({
        at,
        backlog: 511,
        noDelay: true,
        isExclusive: true,
        accepted: (connection) => accepted.push(connection),
        listens: (error, bound) =>
          queueMicrotask(() => {
            if (error !== null) reject(error)
            else resolve({ at: bound, accepted, close: () => listening.close() })
          }),
        failed: reject,
      })
    })
  }

  it('says in the system’s word why it cannot', async () => {
    const { at, close } = await listen({ address: '127.0.0.1', port: 0 })
    closers.push(close)
    await expect(listen(at)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await expect(listen({ address: '192.0.2.1', port: 0 })).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
  })

  it('gives its port back when it is closed, twice if you like; its connections live on', async () => {
    const { at, accepted, close } = await listen({ address: '127.0.0.1', port: 0 })
    const socket = connect({ host: at.address, port: at.port })
    closers.push(() => socket.destroy())
    await expect.poll(() => accepted).toHaveLength(1)
    close()
    close()
    const again = await listen(at)
    closers.push(again.close)
    const diary = new Diary()
    accepted[0]?.start(diary)
    closers.push(() => accepted[0]?.destroy())
    socket.write('here')
    await expect.poll(() => diary.text).toBe('here')
  })

  it('at every address takes IPv4 too, under its own name', async () => {
    const { at, accepted, close } = await listen({ address: '::', port: 0 })
    closers.push(close)
    const socket = connect({ host: '127.0.0.1', port: at.port })
    closers.push(() => socket.destroy())
    await expect.poll(() => accepted).toHaveLength(1)
    const [connection] = accepted
    closers.push(() => connection?.destroy())
    expect(connection?.remote).toEqual({ address: '127.0.0.1', port: socket.localPort })
    expect(connection?.local()).toEqual({ address: '127.0.0.1', port: at.port })
  })

  it('takes hundreds that come at once', async () => {
    const { at, accepted, close } = await listen({ address: '127.0.0.1', port: 0 })
    closers.push(close)
    const sockets = Array.from({ length: 300 }, () => connect({ host: at.address, port: at.port }))
    for (const socket of sockets) closers.push(() => socket.destroy())
    await expect.poll(() => accepted).toHaveLength(300)
    const ports = (of: readonly (number | undefined)[]) => [...of].sort()
    expect(ports(accepted.map(({ remote }) => remote.port))).toEqual(
      ports(sockets.map(({ localPort }) => localPort)),
    )
    for (const connection of accepted) connection.destroy()
  })
})

describe.each(makes)('what many cause ($make)', ({ make, tcp }) => {
  it('is done in the same turn, and what it causes itself', async () => {
    const stands = [await standOf(tcp), await standOf(tcp), await standOf(tcp)]
    const told: string[] = []
    const done = new Promise<void>((resolve) => {
      for (const { diary } of stands) {
        diary.received = () => {
          // The event loop passes here only after the turn.
          if (told.length === 0) {
            setImmediate(() => {
              told.push('next turn')
              resolve()
            })
          }
          told.push('heard')
          tcp.gather(() => {
            told.push('gathered')
            tcp.gather(() => told.push('again'))
          })
          return true
        }
      }
    })
    await Promise.all(stands.map(({ peer }) => peer.send('now')))
    await done
    await expect.poll(() => told.filter((word) => word === 'again')).toHaveLength(3)
    expect(told.indexOf('gathered')).toBeGreaterThan(told.indexOf('heard'))
    expect(told.indexOf('again')).toBeLessThan(told.indexOf('next turn'))
    if (make === 'node') return
    // Three heard together are three done together.
    const first = told.indexOf('gathered')
    const heard = told.slice(0, first).length
    expect(told.slice(first, first + heard)).toEqual(Array(heard).fill('gathered'))
  })

  it('is done soon where there is no turn', async () => {
    const told: string[] = []
    tcp.gather(() => told.push('gathered'))
    expect(told).toEqual([])
    await Promise.resolve()
    await turns(1)
    expect(told).toEqual(['gathered'])
  })
})

it('a port that Node holds is not ours', async () => {
  const server = createServer()
  closers.push(() => server.close())
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('not bound')
  for (const { tcp } of makes) {
    const outcome = new Promise((resolve) => {
      tcp.listen({
        at: { address: '127.0.0.1', port: bound.port },
        backlog: 1,
        noDelay: false,
        isExclusive: true,
        accepted: () => undefined,
        listens: resolve,
        failed: resolve,
      })
    })
    expect(await outcome).toMatchObject({ code: 'EADDRINUSE' })
  }
})
