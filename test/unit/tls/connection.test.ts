// What a connection through TLS promises beyond one without: how it ends, and who may resume what.

import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { listenOnLoopback, tcp } from '../../support/connections.ts'
import { RecordWriter } from '../../support/peers/key-updates.ts'
import { within } from '../../support/peers/patience.ts'
import {
  authority,
  Diary,
  issue,
  listenerTls,
  PemFolder,
  rawPair,
  Session,
  shake,
  upstreamTls,
} from './stand.ts'

const files = new PemFolder()
afterAll(() => files.close())

const ca = files.write('ca.crt', authority.certificate)
const certificates = [files.pair('edge', issue({ name: 'ftp.example.net' }))]

function session(
  version: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3',
  over: Parameters<typeof listenerTls>[0] = {},
): Session {
  const front = listenerTls({ certificates, ...over })
  // A cipher list of 1.2 alone leaves 1.2 alone, where no suite of 1.3 is to be had.
  return new Session({ front, back: upstreamTls({ ca, minVersion: version }) })
}

describe('a TLS connection', () => {
  it('carries text and bytes, both ways', async () => {
    const { server, client, problems } = await shake(session(), 'control')
    expect(problems).toEqual({ server: null, client: null })
    const [atServer, atClient] = [new Diary(), new Diary()]
    server.start(atServer)
    client.start(atClient)
    client.write('caf\xe9\r\n')
    server.writeBytes(Buffer.from([0, 255, 7]), 2)
    await expect.poll(() => atServer.bytes.toString('latin1')).toBe('caf\xe9\r\n')
    await expect.poll(() => [...atClient.bytes]).toEqual([0, 255])
    expect(server.stream.protocol).toBe('TLSv1.3')
    client.destroy()
  })

  it('carries much, waits for a reader that pauses, and says when there is room', async () => {
    const { server, client } = await shake(session(), 'control')
    const [atServer, atClient] = [new Diary(), new Diary()]
    atServer.takes = false
    const sent = randomBytes(8 * 1024 * 1024)
    const drained = new Promise<void>((resolve) => {
      atClient.onDrained = resolve
    })
    server.start(atServer)
    client.start(atClient)
    client.writeBytes(sent, sent.length)
    expect(client.unsentBytes).toBeGreaterThan(0)
    // It was told once, and paused.
    await expect.poll(() => atServer.pieces.length).toBe(1)
    atServer.takes = true
    server.resume()
    await within(drained, { what: 'room' })
    client.end()
    await expect.poll(() => atServer.entries).toEqual(['ended'])
    expect(atServer.bytes.equals(sent)).toBe(true)
    server.end()
    await expect.poll(() => atClient.entries).toEqual(['ended', 'closed well'])
    await expect.poll(() => atServer.entries).toEqual(['ended', 'closed well'])
  })

  it('ends with close_notify, which is told as the end', async () => {
    const { server, client } = await shake(session(), 'control')
    const atServer = new Diary()
    server.start(atServer)
    client.start(new Diary())
    client.end('bye\r\n')
    await expect.poll(() => atServer.entries).toEqual(['ended'])
    expect(atServer.bytes.toString()).toBe('bye\r\n')
    server.end()
    await expect.poll(() => atServer.entries).toEqual(['ended', 'closed well'])
  })

  it('of data that is cut by FIN is an error, and no end', async () => {
    const one = session()
    await talk(one)
    const { server, rawClient, client } = await shake(one, 'data')
    const atServer = new Diary()
    server.start(atServer)
    client.start(new Diary())
    client.write('half a file')
    await expect.poll(() => atServer.bytes.toString()).toBe('half a file')
    rawClient.end()
    await expect.poll(() => atServer.entries).toEqual(['closed TLS_TRUNCATED'])
  })

  it('may be told to take FIN for the end', async () => {
    const one = session('TLSv1.3', { truncation: 'accept' })
    await talk(one)
    const { server, rawClient, client } = await shake(one, 'data')
    const atServer = new Diary()
    server.start(atServer)
    client.start(new Diary())
    rawClient.end()
    await expect.poll(() => atServer.entries).toEqual(['ended'])
    server.end()
  })

  it('is resumed by data connections of its own session alone', async () => {
    const [one, other] = [session(), session()]
    await talk(one)
    const own = await shake(one, 'data')
    expect(own.problems).toEqual({ server: null, client: null })
    expect(own.server.stream.isResumed).toBe(true)
    await talk(other)
    // The stranger has a session of its own with the same listener.
    const stolen = await shake(one, 'data', other.back)
    expect(stolen.problems.server?.reason).toBe('not_resumed')
  })

  it('is resumed with the ticket of the handshake, by clients that look for no other', async () => {
    const one = session()
    await talk(one, { hasTicket: false })
    const { problems, server } = await shake(one, 'data')
    expect(problems.server).toBeNull()
    expect(server.stream.isResumed).toBe(true)
  })

  it('of data need not be resumed where reuse is offered', async () => {
    const one = session('TLSv1.3', { dataReuse: 'offered' })
    await shake(one, 'control')
    const other = session()
    await shake(other, 'control')
    const { problems, server } = await shake(one, 'data', other.back)
    expect(problems.server).toBeNull()
    expect(server.stream.isResumed).toBe(false)
  })

  it('says what was wrong with a peer that speaks no TLS', async () => {
    const one = session()
    const { rawServer, rawClient } = await rawPair()
    const problem = new Promise((resolve) => {
      one.front.secureControl(rawServer, resolve)
    })
    rawClient.start(new Diary())
    rawClient.write('USER anonymous\r\n')
    expect(await within(problem, { what: 'a failed handshake' })).toMatchObject({ reason: 'not_tls' })
  })

  it('gives up on a handshake that does not come', async () => {
    const slow = new Session({
      front: listenerTls({ certificates }),
      back: upstreamTls({ ca }),
      handshakeMs: 50,
    })
    const { rawServer, rawClient } = await rawPair()
    const atClient = new Diary()
    rawClient.start(atClient)
    const problem = new Promise((resolve) => {
      slow.front.secureControl(rawServer, resolve)
    })
    expect(await within(problem, { what: 'a timeout' })).toMatchObject({ reason: 'timeout' })
    await expect.poll(() => atClient.entries).toEqual(['ended'])
    rawClient.destroy()
  })

  it('leaves nothing behind when its handshake is cut at any byte', async () => {
    const descriptors = () => readdirSync('/proc/self/fd').length
    const one = session()
    const hello = await helloOf(one)
    const before = descriptors()
    for (let cut = 0; cut < hello.length; cut += 7) {
      const { rawServer, rawClient } = await rawPair()
      const problem = new Promise((resolve) => {
        one.front.secureControl(rawServer, resolve)
      })
      rawClient.start(new Diary())
      rawClient.writeBytes(hello, cut)
      rawClient.close()
      expect(await within(problem, { what: 'a broken handshake' })).toMatchObject({ reason: 'closed' })
    }
    await expect.poll(descriptors).toBeLessThanOrEqual(before)
  })
})

/** A control connection on which something was said, with a fresh ticket unless said otherwise. */
async function talk(one: Session, { hasTicket = true } = {}): Promise<void> {
  const { server, client } = await shake(one, 'control')
  const atClient = new Diary()
  server.start(new Diary())
  client.start(atClient)
  if (hasTicket) one.front.freshTicket()
  server.write('220\r\n')
  await expect.poll(() => atClient.bytes.length).toBe(5)
}

/** The first flight of a client. */
async function helloOf(one: Session): Promise<Buffer> {
  const { rawServer, rawClient } = await rawPair()
  const diary = new Diary()
  rawServer.start(diary)
  one.back.secureControl(rawClient, () => undefined)
  await expect.poll(() => diary.bytes.length).toBeGreaterThan(100)
  rawServer.destroy()
  return diary.bytes
}

it('a peer that does not read and asks for new keys keeps nobody busy, and is heard again once it reads', async () => {
  const { port, next, close } = await listenOnLoopback(tcp)
  const socket = connect({ port, host: '127.0.0.1' })
  const rawServer = await next
  close()
  // A ticket tells its client that the handshake is over.
  const server = session('TLSv1.3', { ccc: 'allow' }).front.secureControl(rawServer, () => undefined)
  const secure = tlsConnect({ socket, rejectUnauthorized: false, ciphers: RecordWriter.cipher })
  const writer = await RecordWriter.of(secure)
  const diary = new Diary()
  server.start(diary)
  const block = randomBytes(1024 * 1024)
  for (let sent = 0; server.unsentBytes === 0 && sent < 64; sent += 1) server.writeBytes(block, block.length)
  expect(server.unsentBytes).toBeGreaterThan(0)
  const read = vi.spyOn(server.stream, 'read')
  socket.write(writer.keyUpdates(1, { isRequest: true }))
  await expect.poll(() => read.mock.calls.length).toBeGreaterThan(0)
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  expect(read.mock.calls.length).toBeLessThan(5)
  socket.write(writer.data('still here'))
  secure.resume()
  await expect.poll(() => diary.bytes.toString()).toBe('still here')
  expect(diary.entries).toEqual([])
  server.destroy()
})
