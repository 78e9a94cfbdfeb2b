// The end of TLS on a control connection that goes on in clear (CCC): wherever the network cuts the last records, and whatever the
// client says behind them.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { EAGAIN, MSG_DONTWAIT, MSG_PEEK } from '../../../src/kernel/libc.ts'
import type { Connection, Found } from '../../../src/tcp/connection.ts'
import { endTls } from '../../../src/tls/clear.ts'
import { listenOnLoopback, tcp } from '../../support/connections.ts'
import { within } from '../../support/peers/patience.ts'
import { authority, Diary, issue, listenerTls, PemFolder, Session, shake, upstreamTls } from './stand.ts'

const files = new PemFolder()
afterAll(() => files.close())

const ca = files.write('ca.crt', authority.certificate)
const certificates = [files.pair('edge', issue({ name: 'ftp.example.net' }))]

function session(version: 'TLSv1.2' | 'TLSv1.3', handshakeMs?: number): Session {
  return new Session({
    front: listenerTls({ certificates, ...(version === 'TLSv1.2' ? {} : { minVersion: version }) }),
    back: upstreamTls({ ca, minVersion: version }),
    ...(handshakeMs === undefined ? {} : { handshakeMs }),
  })
}

/** Two ends with somebody between who keeps what the client sends once `hold` was called, and delivers it in pieces. */
async function heldPair() {
  const { port, next, close } = await listenOnLoopback(tcp)
  let isHeld = false
  const held: Buffer[] = []
  let server: Socket | null = null
  const middle = createServer({ noDelay: true }, (front) => {
    const back = connect({ port, host: '127.0.0.1', noDelay: true })
    server = back
    for (const socket of [front, back]) socket.on('error', () => undefined)
    front.on('data', (bytes) => (isHeld ? held.push(bytes) : back.write(bytes)))
    back.on('data', (bytes) => front.write(bytes))
    front.on('end', () => back.end())
    back.on('close', () => front.destroy())
  })
  middle.listen(0, '127.0.0.1')
  await once(middle, 'listening')
  const at = middle.address()
  if (at === null || typeof at === 'string') throw new Error('nobody is in between')
  const [rawClient, rawServer] = await Promise.all([
    new Promise<Connection>((resolve, reject) =>
      tcp.connect({ to: { address: '127.0.0.1', port: at.port }, from: null }, (error, connection) =>
        connection === null ? reject(error) : resolve(connection),
      ),
    ),
    next,
  ])
  close()
  middle.close()
  return {
    rawClient,
    rawServer,
    hold: () => {
      isHeld = true
    },
    held: (byteCount: number) =>
      vi.waitFor(() => {
        const bytes = Buffer.concat(held)
        expect(bytes.length).toBeGreaterThanOrEqual(byteCount)
        return bytes
      }),
    deliver: (bytes: Uint8Array) => void server?.write(bytes),
    end: () => void server?.end(),
  }
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('TLS that ends before its connection (%s)', (version) => {
  /** Ours has said close_notify and waits for theirs. */
  async function clearing(sayMeanwhile = '') {
    const both = session(version)
    const ends = await shake(both, 'control')
    const [atServer, atClient] = [new Diary(), new Diary()]
    ends.server.start(atServer)
    ends.client.start(atClient)
    const inClear = new Diary()
    const raw = new Promise<Connection>((resolve) =>
      both.front.clearControl((connection) => {
        connection.start(inClear)
        resolve(connection)
      }),
    )
    if (sayMeanwhile !== '') ends.server.write(sayMeanwhile)
    return { ...ends, atServer, atClient, inClear, raw }
  }

  it('goes on in clear after both have said so, with what was said meanwhile', async () => {
    const { raw, inClear, rawClient, client, atClient } = await clearing('late\r\n')
    await expect.poll(() => atClient.entries).toEqual(['ended'])
    const back = new Diary()
    rawClient.direct?.readBy(null)
    rawClient.start(back)
    rawClient.resume()
    // What their end does about it: close_notify, and nothing else.
    client.stream.notifyEnd()
    const server = await within(raw, { what: 'a connection in clear' })
    rawClient.write('NOOP\r\n')
    await expect.poll(() => inClear.bytes.toString()).toBe('NOOP\r\n')
    server.write('200 Yes.\r\n')
    await expect.poll(() => back.bytes.toString()).toBe('late\r\n200 Yes.\r\n')
    server.destroy()
  })

  it('goes on with text at once, from a client that says nothing first', async () => {
    const { raw, inClear, rawClient } = await clearing()
    rawClient.write('NOOP\r\n')
    const server = await within(raw, { what: 'a connection in clear' })
    await expect.poll(() => inClear.bytes.toString()).toBe('NOOP\r\n')
    server.destroy()
  })

  it('is closed where data come instead', async () => {
    const { client, atServer } = await clearing()
    client.write('DELE a\r\n')
    await expect.poll(() => atServer.entries).toEqual(['closed TLS_NOT_CLEARED'])
    expect(atServer.bytes.length).toBe(0)
  })

  const text = 'NOOP\r\n'

  /** Their close_notify and text behind it are with whoever stands between; the server waits for them. */
  async function heldBack(handshakeMs?: number) {
    const both = session(version, handshakeMs)
    const pair = await heldPair()
    const ends = await shake(both, 'control', both.back, pair)
    const [atServer, inClear] = [new Diary(), new Diary()]
    ends.server.start(atServer)
    ends.client.start(new Diary())
    both.front.clearControl((connection) => connection.start(inClear))
    pair.hold()
    ends.client.stream.notifyEnd()
    const record = await pair.held(5)
    expect(record.length).toBe(5 + record.readUInt16BE(3))
    const isThere = (byteCount: number) =>
      vi.waitFor(
        () => {
          const { fd, direct } = pair.rawServer
          const seen = direct?.libc.recv(fd ?? -1, Buffer.alloc(64), 64, MSG_PEEK | MSG_DONTWAIT)
          expect(seen).toBe(byteCount)
        },
        { interval: 2, timeout: 5_000 },
      )
    return { ...pair, ...ends, atServer, inClear, record, isThere }
  }

  it('goes on in clear wherever close_notify, or the text behind it, is cut', async () => {
    const { record, rawServer } = await heldBack()
    rawServer.destroy()
    const splits = Array.from({ length: record.length + text.length - 1 }, (_, index) => index + 1)
    const results = await Promise.all(
      splits.map(async (split) => {
        const { record, deliver, isThere, inClear, atServer, ...ends } = await heldBack()
        const all = Buffer.concat([record, Buffer.from(text)])
        deliver(all.subarray(0, split))
        if (split < record.length) await isThere(split)
        else await vi.waitFor(() => expect(inClear.bytes.length).toBe(split - record.length), { interval: 2 })
        expect(inClear.entries).toEqual([])
        deliver(all.subarray(split))
        await vi.waitFor(() => expect(inClear.bytes.length).toBe(text.length), { interval: 2 })
        ends.rawServer.destroy()
        return [inClear.bytes.toString(), ...atServer.entries]
      }),
    )
    expect(results).toEqual(splits.map(() => [text]))
  })

  it('is closed where a close_notify that has begun does not come in time, with a FIN behind it or not', async () => {
    for (const isEnded of [false, true]) {
      const { record, deliver, end, atServer, inClear } = await heldBack(200)
      deliver(record.subarray(0, 4))
      if (isEnded) end()
      await expect.poll(() => atServer.entries).toEqual(['closed TLS_NOT_CLEARED'])
      expect(inClear.pieces).toEqual([])
    }
  })

  it('has a client that says close_notify with its CCC', async () => {
    const both = session(version)
    const pair = await heldPair()
    const { server, client } = await shake(both, 'control', both.back, pair)
    const [atServer, inClear] = [new Diary(), new Diary()]
    server.start({
      received(bytes, byteCount) {
        both.front.clearControl((connection) => connection.start(inClear))
        return atServer.received(bytes, byteCount)
      },
      ended: () => atServer.ended(),
      drained: () => undefined,
      closed: (error) => atServer.closed(error),
    })
    client.start(new Diary())
    pair.hold()
    client.write('CCC\r\n')
    client.stream.notifyEnd()
    const records = await pair.held(50)
    pair.deliver(Buffer.concat([records, Buffer.from(text)]))
    await expect.poll(() => inClear.bytes.toString()).toBe(text)
    expect(atServer.bytes.toString()).toBe('CCC\r\n')
    expect(atServer.entries).toEqual([])
    server.destroy()
  })
})

it('text of a client in a hurry waits until our own close_notify is out whole', () => {
  const said: string[] = []
  const looks: (() => Found)[] = []
  const waits: (() => void)[] = []
  let isPaused = false
  let isFull = true
  endTls(
    {
      stream: {
        notifyEnd: () => !isFull,
        read: () => 0,
        free: () => said.push('freed'),
      },
      raw: {
        fd: 1,
        destroy: () => said.push('destroyed'),
        pause: () => {
          isPaused = true
        },
        resume: () => {
          isPaused = false
        },
      },
      access: {
        readBy: (readable) => void (readable !== null && looks.push(readable)),
        whenWritable: (writable) => void waits.push(writable),
        libc: {
          recv: (_fd, buffer) => {
            buffer[0] = 'N'.charCodeAt(0)
            return 6
          },
          errno: () => EAGAIN,
        },
      },
      timer: { start: () => undefined, stop: () => undefined },
    },
    () => said.push('cleared'),
  )
  // Nothing is read for now.
  expect(isPaused).toBe(true)
  isFull = false
  waits.pop()?.()
  expect(isPaused).toBe(false)
  looks.pop()?.()
  expect(said).toEqual(['freed', 'cleared'])
})
