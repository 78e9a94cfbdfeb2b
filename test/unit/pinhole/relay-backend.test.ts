// What only the relay backend does; the promises of all backends are held by test/support/backend-suite.ts.

import { execFileSync } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'
import type { OpenPinhole, PinholeRequest } from '../../../src/pinhole/backend.ts'
import { PortPool } from '../../../src/pinhole/port-pool.ts'
import type { Intruder } from '../../../src/pinhole/relay/gate.ts'
import { RelayBackend } from '../../../src/pinhole/relay/relay-backend.ts'
import { introductions, makes, tcp } from '../../support/connections.ts'
import { within } from '../../support/peers/patience.ts'
import { claimPorts } from '../../support/port-block.ts'

const ADMITTED = 'admitted'
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function backendOf(ports: number) {
  const block = await claimPorts()
  closers.push(() => block.release())
  const { first } = block
  const last = first + ports - 1
  let aheadMs = 0
  const intruders: Intruder[] = []
  const admitted = new EventEmitter().setMaxListeners(0)
  const pool = new PortPool({ first, last, quarantineMs: 0, share: 10, random: (below) => below - 1 })
  const backend = new RelayBackend({
    idlePorts: 256,
    tcp,
    introductions,
    pools: { client: pool, server: pool },
    intruded: (intruder) => intruders.push(intruder),
    now: () => performance.now() + aheadMs,
  })
  closers.push(() => backend.closeAll())
  const open = (from: string, change: Partial<PinholeRequest> = {}) => {
    const connected: string[] = []
    let lost = 0
    let expired = 0
    let close = () => undefined as unknown
    const opened = new Promise<OpenPinhole>((resolve, reject) => {
      const handle = backend.open(
        {
          owner: 'test',
          from: 'client',
          expect: from,
          others: [],
          client: from,
          local: '127.0.0.1',
          target: null,
          source: null,
          timeoutMs: 60_000,
          ...change,
        },
        {
          connected: (connection) => {
            const { address, port } = connection.remote
            connected.push(address)
            admitted.emit(ADMITTED, address, port)
            closers.push(() => connection.destroy())
          },
          lost: () => {
            lost += 1
          },
          forwarded: () => undefined,
          forwardEnded: () => undefined,
          expired: () => {
            expired += 1
          },
        },
        (error, pinhole) => (pinhole === null ? reject(error) : resolve(pinhole)),
      )
      close = () => handle.close()
    })
    return { opened, close: () => close(), connected, lost: () => lost, expired: () => expired }
  }
  const passes = (ms: number) => {
    aheadMs += ms
  }
  return { first, last, backend, intruders, open, passes, admitted }
}

/** Connects: `open` once the backend has handed the connection over, else how it was cut off. */
async function visit(
  { first: port, admitted }: { readonly first: number; readonly admitted: EventEmitter },
  from: string,
): Promise<'reset' | 'refused' | 'open'> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from })
  closers.push(() => socket.destroy())
  const settled = new Promise<'reset' | 'refused' | 'open'>((resolve) => {
    socket.once('error', (error) => resolve(String(error).includes('ECONNREFUSED') ? 'refused' : 'reset'))
    // The backend may be faster than our own `connect` event, so every admission is looked at.
    const isOurs = (address: string, remotePort: number) =>
      address === from && remotePort === socket.localPort
    const known: [string, number][] = []
    admitted.on(ADMITTED, (address: string, remotePort: number) => {
      known.push([address, remotePort])
      if (isOurs(address, remotePort)) resolve('open')
    })
    socket.once('connect', () => {
      if (known.some(([address, remotePort]) => isOurs(address, remotePort))) resolve('open')
    })
  })
  return within(settled, { what: 'the fate of a connection' })
}

/** Connects and resets while this process looks at nothing. */
function comeAndGo(localAddress: string, { address: host, port }: Endpoint): void {
  const call = `const s = net.connect(${JSON.stringify({ host, port, localAddress })}, () => s.resetAndDestroy())`
  execFileSync(process.execPath, ['-e', call])
}

describe('the relay backend', () => {
  it.skipIf(makes.length < 2)('tells of the right peer that it was gone before we looked', async () => {
    const world = await backendOf(1)
    const hole = world.open('127.0.0.2')
    const { at } = await hole.opened
    comeAndGo('127.0.0.3', at)
    comeAndGo('127.0.0.2', at)
    await expect.poll(hole.lost).toBe(1)
    expect(hole.connected).toEqual([])
    expect(await visit(world, '127.0.0.2')).toBe('reset')
  })

  it.skipIf(makes.length < 2)('keeps a pinhole whose visitor that was gone was a stranger', async () => {
    const world = await backendOf(1)
    const hole = world.open('127.0.0.2')
    comeAndGo('127.0.0.3', (await hole.opened).at)
    expect(await visit(world, '127.0.0.2')).toBe('open')
    expect(hole.lost()).toBe(0)
  })

  it('names what came unexpected: a stranger, a second connection, a late one', async () => {
    const world = await backendOf(1)
    const { open, intruders } = world
    const hole = open('127.0.0.2')
    await hole.opened
    expect(await visit(world, '127.0.0.3')).toBe('reset')
    expect(await visit(world, '127.0.0.2')).toBe('open')
    expect(hole.connected).toEqual(['127.0.0.2'])
    expect(await visit(world, '127.0.0.2')).toBe('reset')
    expect(await visit(world, '127.0.0.3')).toBe('reset')
    expect(intruders.map(({ from, reason }) => [from.address, reason])).toEqual([
      ['127.0.0.3', 'wrong_peer'],
      ['127.0.0.2', 'duplicate'],
      ['127.0.0.3', 'late'],
    ])
  })

  it('passes over a port that another program listens on, and fails when it is the only one', async () => {
    const { open, first, last, backend } = await backendOf(2)
    const occupant = createServer()
    closers.push(() => occupant.close())
    await new Promise<void>((resolve) => occupant.listen({ host: '127.0.0.1', port: last }, resolve))
    const hole = await open('127.0.0.2').opened
    expect(hole.at.port).toBe(first)
    await expect(open('127.0.0.2').opened).rejects.toMatchObject({ code: 'PORT_RANGE_EXHAUSTED' })
    expect(backend.use()).toEqual([{ pool: 'shared', ports: 2, inUse: 1, quarantined: 0 }])
  })

  it('says which address it could not listen on', async () => {
    const { open, backend } = await backendOf(2)
    await expect(open('127.0.0.2', { local: '203.0.113.200' }).opened).rejects.toMatchObject({
      code: 'PINHOLE_FAILED',
      context: { address: '203.0.113.200', errno: 'EADDRNOTAVAIL' },
    })
    expect(backend.use()[0]?.inUse).toBe(0)
  })

  it('expires one pinhole of a port and leaves the other', async () => {
    const world = await backendOf(1)
    const { open, passes } = world
    const short = open('127.0.0.2', { timeoutMs: 5_000 })
    const long = open('127.0.0.3')
    await Promise.all([short.opened, long.opened])
    passes(6_000)
    await expect.poll(() => short.expired()).toBe(1)
    expect(await visit(world, '127.0.0.2')).toBe('reset')
    expect(await visit(world, '127.0.0.3')).toBe('open')
    expect([short.expired(), long.expired()]).toEqual([1, 0])
  })

  it('closes a port a moment after its last pinhole, and opens it again for the next', async () => {
    const world = await backendOf(1)
    const { open } = world
    const hole = open('127.0.0.2')
    await hole.opened
    expect(await visit(world, '127.0.0.2')).toBe('open')
    await expect.poll(() => visit(world, '127.0.0.2')).toBe('refused')
    const next = open('127.0.0.2')
    await next.opened
    expect(await visit(world, '127.0.0.2')).toBe('open')
    expect(next.connected).toHaveLength(1)
  })

  it('opens many pinholes on one port at the same moment', async () => {
    const world = await backendOf(1)
    const { open, first } = world
    const holes = Array.from({ length: 50 }, (_, index) => open(`127.0.3.${index + 1}`))
    const opened = await Promise.all(holes.map((hole) => hole.opened))
    expect(new Set(opened.map(({ at }) => at.port))).toEqual(new Set([first]))
    const visits = await Promise.all(holes.map((_, index) => visit(world, `127.0.3.${index + 1}`)))
    expect(new Set(visits)).toEqual(new Set(['open']))
    expect(holes.map(({ connected }) => connected)).toEqual(holes.map((_, index) => [`127.0.3.${index + 1}`]))
  })

  it('keeps few ports open without a pinhole, however fast pinholes come and go', async () => {
    const { open } = await backendOf(1)
    let listening = 0
    const listen = tcp.listen.bind(tcp)
    const spy = vi.spyOn(tcp, 'listen').mockImplementation((options) => {
      const port = listen(options)
      listening += 1
      const close = port.close.bind(port)
      return Object.assign(port, {
        close: () => {
          listening -= 1
          close()
        },
      })
    })
    onTestFinished(() => spy.mockRestore())
    let most = 0
    for (let host = 0; host < 400; host += 1) {
      const hole = open('127.0.0.2', { local: `127.0.${4 + (host >> 7)}.${1 + (host & 127)}` })
      await hole.opened
      most = Math.max(most, listening)
      hole.close()
    }
    expect(most).toBe(257)
    const again = open('127.0.0.2', { local: '127.0.4.1' })
    await again.opened
    expect(listening).toBeLessThanOrEqual(257)
  })
})
