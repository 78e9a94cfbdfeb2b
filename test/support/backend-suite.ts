// The promises of every pinhole backend, as tests: one suite, whoever moves the bytes.
//
// Everything behind a pinhole echoes: where the kernel forwards, an echo server at the target; where the bytes
// come to us, the suite itself. So a peer that hears its own words has come through.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AlgError } from '../../src/errors.ts'
import { parseNetwork } from '../../src/ftp/addresses.ts'
import type { Endpoint } from '../../src/ftp/endpoints.ts'
import type {
  ForwardTotals,
  PinholeBackend,
  PinholeHandle,
  PinholeRequest,
} from '../../src/pinhole/backend.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { echo } from './connections.ts'

/** What a backend is tested in. Every call to the factory makes a new backend with free ports. */
export interface BackendWorld {
  readonly backend: PinholeBackend
  /** The range that the backend was given, the same for both sides. */
  readonly ports: { readonly first: number; readonly last: number }
  /** How many pinholes one client may hold for one peer. */
  readonly share: number
  /** Whoever is expected. */
  readonly peer: string
  /** Somebody else, at another address. */
  readonly stranger: string
  /** Where peers connect to. */
  readonly local: string
  /** `local` is an address of another machine, as with interception. */
  readonly isForeign?: boolean
  /** An echo server that the backend may forward to, or null when everything is relayed. */
  readonly target: Endpoint | null
  /** The address that the echo server must see, or null. */
  readonly source: string | null
  readonly connect: (from: string, to: Endpoint) => Socket
  /** The addresses that the echo server saw. */
  readonly seenByTarget: () => readonly string[]
  readonly close: () => Promise<void>
}

export interface BackendWorldOptions {
  /** Size of the port range. */
  readonly ports: number
}

/** Runs the suite on what `make` makes. */
export function testBackend(
  name: string,
  make: (options: BackendWorldOptions) => Promise<BackendWorld>,
): void {
  describe(`${name} pinholes`, () => {
    let world: BackendWorld
    beforeEach(async () => {
      world = await make({ ports: 3 })
    })
    afterEach(() => world.close())

    it('let the expected peer in, as soon as they are open', async () => {
      const hole = await open(world)
      expect(hole.at.address).toBe(world.local)
      expect(hole.at.port).toBeGreaterThanOrEqual(world.ports.first)
      expect(hole.at.port).toBeLessThanOrEqual(world.ports.last)
      const visitor = visit(world, world.peer, hole.at)
      expect(await visitor.hears('ping')).toBe(true)
      expect(world.seenByTarget()).toEqual(hole.inKernel ? [world.source ?? world.peer] : [])
      expect(hole.inKernel).toBe(world.target !== null)
      await expect.poll(() => hole.log).toEqual([hole.inKernel ? 'forwarded' : 'connected'])
      visitor.leave()
    })

    it('turn a stranger away and keep waiting for the right peer', async () => {
      const hole = await open(world)
      for (let attempt = 0; attempt < 3; attempt += 1) {
        expect(await visit(world, world.stranger, hole.at).hears('let me in')).toBe(false)
      }
      expect(hole.log).toEqual([])
      const visitor = visit(world, world.peer, hole.at)
      expect(await visitor.hears('it is me')).toBe(true)
      expect(await visit(world, world.stranger, hole.at).hears('me too')).toBe(false)
      visitor.leave()
    })

    it('let one of the listed networks in where the peer is expected, and nobody after that', async () => {
      const hole = await open(world, {
        others: [parseNetwork('10.255.0.0/16'), parseNetwork(world.stranger)],
      })
      expect(hole.inKernel).toBe(false)
      if (world.isForeign === true) {
        // At somebody else's address the kernel brings us the one peer whom an element names.
        expect(await visit(world, world.stranger, hole.at).hears('I come for somebody else')).toBe(false)
        return
      }
      const visitor = visit(world, world.stranger, hole.at)
      expect(await visitor.hears('I come for somebody else')).toBe(true)
      expect(await visit(world, world.stranger, hole.at).hears('me too')).toBe(false)
      expect(await visit(world, world.peer, hole.at).hears('too late')).toBe(false)
      visitor.leave()
      const other = await open(world, { others: [parseNetwork('10.255.0.0/16')] })
      expect(await visit(world, world.stranger, other.at).hears('let me in')).toBe(false)
      const peer = visit(world, world.peer, other.at)
      expect(await peer.hears('it is me')).toBe(true)
      peer.leave()
    })

    it('work once', async () => {
      const hole = await open(world)
      const first = visit(world, world.peer, hole.at)
      expect(await first.hears('first')).toBe(true)
      expect(await visit(world, world.peer, hole.at).hears('second')).toBe(false)
      expect(await first.hears('still here')).toBe(true)
      first.leave()
      expect(await visit(world, world.peer, hole.at).hears('third')).toBe(false)
    })

    it('tell that a forwarded connection is over, and what it carried', async () => {
      const hole = await open(world)
      const visitor = visit(world, world.peer, hole.at)
      expect(await visitor.hears('x'.repeat(100_000))).toBe(true)
      visitor.leave()
      if (!hole.inKernel) return
      await expect.poll(() => hole.log).toEqual(['forwarded', 'forwardEnded'])
      const { fromPeerBytes, toPeerBytes } = hole.totals() ?? { fromPeerBytes: 0, toPeerBytes: 0 }
      for (const count of [fromPeerBytes, toPeerBytes]) {
        expect(count).toBeGreaterThan(99_000)
        expect(count).toBeLessThan(101_000)
      }
    })

    it('expire by themselves, and say so', async () => {
      const hole = await open(world, { timeoutMs: 300 })
      await expect.poll(() => hole.log).toEqual(['expired'])
      expect(await visit(world, world.peer, hole.at).hears('too late')).toBe(false)
      expect(hole.log).toEqual(['expired'])
    })

    it('are gone when closed, as often as that is asked', async () => {
      const hole = await open(world)
      hole.handle.close()
      hole.handle.close()
      await settled()
      expect(await visit(world, world.peer, hole.at).hears('hello?')).toBe(false)
      hole.handle.close()
      expect(hole.log).toEqual([])
    })

    it('may be closed before they are open', async () => {
      let calls = 0
      const handle = world.backend.open(request(world), silent, () => {
        calls += 1
      })
      const calledAtOnce = calls
      handle.close()
      await settled()
      expect(calls).toBe(calledAtOnce)
      // The port is free again: the whole range can be opened.
      for (let port = world.ports.first; port <= world.ports.last; port += 1) await open(world)
    })

    it('leave an established connection alone when they close, one or all', async () => {
      const hole = await open(world)
      const visitor = visit(world, world.peer, hole.at)
      expect(await visitor.hears('one')).toBe(true)
      hole.handle.close()
      expect(await visitor.hears('two')).toBe(true)
      await world.backend.closeAll()
      expect(await visitor.hears('three')).toBe(true)
      visitor.leave()
    })

    it('all close together', async () => {
      const holes = await Promise.all([open(world), open(world), open(world, { expect: world.stranger })])
      await world.backend.closeAll()
      for (const hole of holes) {
        expect(await visit(world, world.peer, hole.at).hears('anybody?')).toBe(false)
        expect(hole.log).toEqual([])
      }
      expect(inUse(world)).toBe(0)
    })

    it('of two peers may share a port, each getting through its own', async () => {
      const size = world.ports.last - world.ports.first + 1
      const mine = await Promise.all(Array.from({ length: size }, () => open(world)))
      const theirs = await Promise.all(
        Array.from({ length: size }, () =>
          open(world, { expect: world.stranger, client: world.stranger, target: null, source: null }),
        ),
      )
      const portsOf = (holes: readonly OpenedHole[]) => new Set(holes.map(({ at }) => at.port))
      expect(portsOf(mine).size).toBe(size)
      expect(portsOf(theirs)).toEqual(portsOf(mine))
      for (const [who, holes] of [
        [world.peer, mine],
        [world.stranger, theirs],
      ] as const) {
        for (const hole of holes) {
          const visitor = visit(world, who, hole.at)
          expect(await visitor.hears('mine')).toBe(true)
          expect(hole.log).toHaveLength(1)
          visitor.leave()
        }
      }
    })

    it('come from the range or not at all', async () => {
      const holes: OpenedHole[] = []
      for (let port = world.ports.first; port <= world.ports.last; port += 1) holes.push(await open(world))
      await expect(open(world)).rejects.toMatchObject({ code: 'PORT_RANGE_EXHAUSTED' })
      expect(inUse(world)).toBe(3)
      holes[0]?.handle.close()
      const again = await open(world)
      expect(again.at).toEqual(holes[0]?.at)
    })

    it('are shared out among the clients of one server', async () => {
      const client = '203.0.113.77'
      for (let held = 0; held < world.share; held += 1) await open(world, { from: 'server', client })
      await expect(open(world, { from: 'server', client })).rejects.toMatchObject({
        code: 'CLIENT_SHARE_EXHAUSTED',
      })
      await open(world, { from: 'server', client: '203.0.113.78' })
    })
  })
}

interface OpenedHole {
  readonly at: Endpoint
  readonly inKernel: boolean
  readonly handle: PinholeHandle
  /** What happened, in order. */
  readonly log: readonly string[]
  readonly totals: () => ForwardTotals | null
}

const silent = {
  connected: (connection: Connection) => connection.destroy(),
  lost: () => undefined,
  forwarded: () => undefined,
  forwardEnded: () => undefined,
  expired: () => undefined,
}

function request(world: BackendWorld, changes: Partial<PinholeRequest> = {}): PinholeRequest {
  return {
    owner: 'suite00001',
    from: 'client',
    expect: world.peer,
    others: [],
    client: world.peer,
    local: world.local,
    target: world.target,
    source: world.source,
    timeoutMs: 20_000,
    ...changes,
  }
}

function open(world: BackendWorld, changes: Partial<PinholeRequest> = {}): Promise<OpenedHole> {
  const log: string[] = []
  let totals: ForwardTotals | null = null
  return new Promise((resolve, reject) => {
    const handle = world.backend.open(
      request(world, changes),
      {
        connected(connection) {
          log.push('connected')
          echo(connection)
        },
        lost: () => void log.push('lost'),
        forwarded: () => void log.push('forwarded'),
        forwardEnded(counted) {
          totals = counted
          log.push('forwardEnded')
        },
        expired: () => void log.push('expired'),
      },
      (error, pinhole) => {
        if (pinhole !== null) {
          // The handle is returned after a callback that comes at once.
          queueMicrotask(() => resolve({ ...pinhole, handle, log, totals: () => totals }))
        } else {
          reject(error instanceof AlgError ? error : new Error(`not an AlgError: ${error}`))
        }
      },
    )
  })
}

/** Somebody who connects and says something. */
function visit(world: BackendWorld, from: string, to: Endpoint) {
  const socket = world.connect(from, to)
  let heard = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    heard += chunk
  })
  const turnedAway = new Promise<false>((resolve) => {
    for (const event of ['error', 'end', 'close']) socket.on(event, () => resolve(false))
  })
  return {
    /** Whether what was said came back, before the connection was refused, reset or closed. */
    async hears(words: string): Promise<boolean> {
      heard = ''
      socket.write(words, 'latin1')
      const echoed = (async () => {
        while (heard.length < words.length) await once(socket, 'data')
        return true
      })().catch(() => false)
      return (await Promise.race([echoed, turnedAway])) && heard === words
    },
    leave: () => void socket.end(),
  }
}

/** Until the event loop has been through what was asked of it. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

function inUse(world: BackendWorld): number {
  return world.backend.use().reduce((sum, pool) => sum + pool.inUse, 0)
}
