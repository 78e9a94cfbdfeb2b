// A connection behind a PROXY header, by both makes of connections.

import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Connection } from '../../../../src/tcp/connection.ts'
import { receiveProxyHeader } from '../../../../src/tcp/proxy-protocol/receive.ts'
import { echo, makes } from '../../../support/connections.ts'
import { Arrivals, within } from '../../../support/peers/patience.ts'
import { Wire } from '../../../support/peers/wire.ts'

const HEADER = 'PROXY TCP4 192.0.2.9 203.0.113.9 50000 21\r\n'
const closers: (() => unknown)[] = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

interface Outcome {
  readonly connection: Connection | null
  readonly destination: unknown
  readonly problem: string
}

describe.each(makes)('by $make', ({ tcp }) => {
  async function world(timeoutMs = 10_000) {
    const outcomes = new Arrivals<Outcome>()
    const at = await new Promise<{ address: string; port: number }>((resolve, reject) => {
      const listening = tcp.listen({
        at: { address: '127.0.0.1', port: 0 },
        backlog: 8,
        noDelay: true,
        isExclusive: true,
        accepted: (raw) => {
          closers.push(() => raw.destroy())
          receiveProxyHeader(raw, { timeoutMs }, (introduced, problem) => {
            outcomes.add({
              connection: introduced?.connection ?? null,
              destination: introduced?.destination ?? null,
              problem,
            })
          })
        },
        listens: (error, bound) => (error === null ? resolve(bound) : reject(error)),
        failed: () => undefined,
      })
      closers.push(() => listening.close())
    })
    const socket: Socket = connect({ host: at.address, port: at.port, allowHalfOpen: true })
    closers.push(() => socket.destroy())
    return { wire: new Wire(socket), outcome: () => outcomes.next('the header') }
  }

  test.each(['whole', 'byte by byte'])('hands on what stands behind a header that comes %s', async (how) => {
    const { wire, outcome } = await world()
    if (how === 'whole') await wire.send(`${HEADER}first`)
    else await wire.sendByteByByte(`${HEADER}first`)
    const { connection, destination } = await outcome()
    if (connection === null) throw new Error('not introduced')
    expect(connection.remote).toEqual({ address: '192.0.2.9', port: 50_000 })
    expect(destination).toEqual({ address: '203.0.113.9', port: 21 })
    expect(connection.local()?.address).toBe('127.0.0.1')
    echo(connection)
    await wire.send(' and second')
    wire.halfClose()
    expect(await wire.readRest()).toBe('first and second')
    expect(wire.ending).toBe('fin')
  })

  test('tells whoever takes it over of FIN and bytes that came before', async () => {
    const { wire, outcome } = await world()
    await wire.send(`${HEADER}all`)
    wire.halfClose()
    const { connection } = await outcome()
    await new Promise((resolve) => setTimeout(resolve, 20))
    if (connection === null) throw new Error('not introduced')
    echo(connection)
    expect(await wire.readRest()).toBe('all')
  })

  test('does not read on while nobody has started it, and is lost by a reset', async () => {
    const { wire, outcome } = await world()
    await wire.send(HEADER)
    const { connection } = await outcome()
    const lost = new Promise((resolve) => connection?.whenClosed(() => resolve('closed')))
    wire.reset()
    connection?.start({
      received: () => true,
      ended: () => undefined,
      drained: () => undefined,
      closed: () => undefined,
    })
    expect(await within(lost, { what: 'the end' })).toBe('closed')
  })

  test('is reset when something else comes', async () => {
    const { wire, outcome } = await world()
    await wire.send('USER joe\r\n')
    expect(await outcome()).toMatchObject({
      connection: null,
      problem: expect.stringContaining('no PROXY header'),
    })
    expect(await wire.ended()).toBe('reset')
  })

  test('is reset when nothing comes in time, and when the connection ends', async () => {
    const slow = await world(50)
    expect(await slow.outcome()).toMatchObject({
      connection: null,
      problem: 'no PROXY header came within 50 ms',
    })
    const ended = await world()
    await ended.wire.send('PROXY TCP4')
    ended.wire.halfClose()
    expect(await ended.outcome()).toMatchObject({
      connection: null,
      problem: 'the connection ended before its PROXY header',
    })
  })
})
