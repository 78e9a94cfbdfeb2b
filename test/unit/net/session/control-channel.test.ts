import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Side } from '../../../../src/engine/contract.ts'
import { ControlChannel, type ControlEvents } from '../../../../src/net/session/control-channel.ts'
import type { Tcp } from '../../../../src/tcp/tcp.ts'
import { connectionPair, makes } from '../../../support/connections.ts'
import { KiB, MiB } from '../../../support/peers/payload.ts'
import { Wire } from '../../../support/peers/wire.ts'

let by: Tcp
const ends: { destroy(): unknown }[] = []

afterEach(() => {
  for (const end of ends.splice(0)) end.destroy()
})

/** Writes down what happens. */
class Diary implements ControlEvents {
  readonly entries: string[] = []
  text = ''
  pipedBytes = 0
  congestion: ((side: Side, isCongested: boolean) => void) | null = null

  received(_side: Side, text: string): void {
    this.text += text
  }
  piped(_side: Side, byteCount: number): void {
    this.pipedBytes += byteCount
  }
  ended(side: Side): void {
    this.entries.push(`${side} ended`)
  }
  closed(side: Side): void {
    this.entries.push(`${side} closed`)
  }
  congested(side: Side, isCongested: boolean): void {
    this.entries.push(`${side} ${isCongested ? 'congested' : 'relieved'}`)
    this.congestion?.(side, isCongested)
  }
}

async function channelOf(side: Side, diary: Diary): Promise<{ channel: ControlChannel; peer: Wire }> {
  const { connection, socket } = await connectionPair(by)
  ends.push(connection, socket)
  return { channel: new ControlChannel(side, connection, diary), peer: new Wire(socket) }
}

describe.each(makes)('a control channel ($make)', ({ tcp }) => {
  beforeEach(() => {
    by = tcp
  })

  it('carries latin1: one character is one byte', async () => {
    const diary = new Diary()
    const { channel, peer } = await channelOf('client', diary)
    await peer.send('RETR caf\xe9\xff\xff\r\n')
    await expect.poll(() => diary.text).toBe('RETR caf\xe9\xff\xff\r\n')
    channel.write('226 caf\xe9\r\n')
    expect(await peer.readLine()).toBe('226 caf\xe9')
  })

  it('reads nothing while it is held, however often, and all of it afterwards', async () => {
    const diary = new Diary()
    const { channel, peer } = await channelOf('client', diary)
    channel.hold()
    channel.hold()
    await peer.send('NOOP\r\n')
    channel.release()
    const echo = await channelOf('server', new Diary())
    // Another connection made its way through the same loop meanwhile.
    echo.channel.write('x')
    await echo.peer.readBytes(1)
    expect(diary.text).toBe('')
    channel.release()
    await expect.poll(() => diary.text).toBe('NOOP\r\n')
  })

  it('tells FIN from the end of the connection', async () => {
    const diary = new Diary()
    const well = await channelOf('client', diary)
    well.peer.halfClose()
    await expect.poll(() => diary.entries).toEqual(['client ended'])
    well.channel.write('421 Bye.\r\n')
    well.channel.end()
    expect(await well.peer.readLine()).toBe('421 Bye.')
    await expect.poll(() => diary.entries).toEqual(['client ended', 'client closed'])

    const other = new Diary()
    const reset = await channelOf('server', other)
    reset.peer.reset()
    await expect.poll(() => other.entries).toEqual(['server closed'])
  })

  it('does not read from a peer that does not read, and says so', async () => {
    const diary = new Diary()
    const { channel, peer } = await channelOf('client', diary)
    const answer = 'x'.repeat(64 * KiB)
    let written = 0
    while (!diary.entries.includes('client congested')) {
      channel.write(answer)
      written += answer.length
      // The kernel takes some megabytes before it refuses.
      await new Promise((resolve) => setImmediate(resolve))
      expect(written).toBeLessThan(64 * MiB)
    }
    await peer.send('NOOP\r\n')
    expect(diary.text).toBe('')
    expect((await peer.readBytes(written)).length).toBe(written)
    await expect.poll(() => diary.entries).toContain('client relieved')
    await expect.poll(() => diary.text).toBe('NOOP\r\n')
  })

  it('as a pipe passes every byte on untouched, with back-pressure', async () => {
    const diary = new Diary()
    const client = await channelOf('client', diary)
    const server = await channelOf('server', diary)
    diary.congestion = (side, isCongested) => {
      const other = side === 'client' ? server.channel : client.channel
      if (isCongested) other.hold()
      else other.release()
    }
    client.channel.pipeTo(server.channel)
    server.channel.pipeTo(client.channel)
    const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    await client.peer.send(everyByte)
    expect(await server.peer.readBytes(256)).toBe(everyByte.toString('latin1'))
    expect(diary.text).toBe('')
    const bulk = Buffer.alloc(24 * MiB, 'abc')
    server.peer.pause()
    const sending = client.peer.send(bulk)
    await expect.poll(() => diary.entries).toContain('server congested')
    server.peer.resume()
    expect((await server.peer.readBytes(bulk.length)).length).toBe(bulk.length)
    await sending
    expect(diary.pipedBytes).toBe(256 + bulk.length)
  })
})
