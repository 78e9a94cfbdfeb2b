import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PortLease, PortPool } from '../../../src/pinhole/port-pool.ts'

const QUARANTINE_MS = 1_000

/** A pool whose random numbers are the ones given, then 0 for ever. */
function poolOf(first: number, last: number, { share = 1000, draws = [] as number[] } = {}): PortPool {
  const next = [...draws]
  const random = (below: number) => (next.shift() ?? 0) % below
  return new PortPool({ first, last, quarantineMs: QUARANTINE_MS, share, random })
}

function taken(pool: PortPool, peer: string, nowMs = 0, client = peer): PortLease {
  const result = pool.take({ peer, client, nowMs })
  if (!result.ok) throw new Error(result.reason)
  return result.lease
}

describe('a port pool', () => {
  it('gives one port to several peers at once, and never twice to the same', () => {
    const pool = poolOf(5000, 5000)
    expect(taken(pool, '10.0.0.1').port).toBe(5000)
    expect(taken(pool, '10.0.0.2').port).toBe(5000)
    expect(pool.take({ peer: '10.0.0.1', client: '10.0.0.1', nowMs: 0 })).toEqual({
      ok: false,
      reason: 'exhausted',
    })
    expect(pool.inUse).toBe(1)
  })

  it('draws at random', () => {
    const pool = poolOf(5000, 5009, { draws: [7, 3, 7, 7, 7, 7, 9] })
    expect(taken(pool, 'a').port).toBe(5007)
    expect(taken(pool, 'a').port).toBe(5003)
    // Four draws in a row are taken; the scan begins at a fifth.
    expect(taken(pool, 'a').port).toBe(5009)
  })

  it('lets a port rest for the peer that had it, not for others', () => {
    const pool = poolOf(5000, 5001)
    const lease = taken(pool, 'a', 0)
    pool.release(lease, 0)
    expect(pool.resting(0)).toBe(1)
    expect(taken(pool, 'b', 1).port).toBe(lease.port)
    expect(taken(pool, 'a', 1).port).not.toBe(lease.port)
  })

  it('gives the port that has rested longest when all free ones rest', () => {
    const pool = poolOf(5000, 5002, { draws: [0, 1, 2] })
    const [first, second, third] = [taken(pool, 'a', 0), taken(pool, 'a', 0), taken(pool, 'a', 0)]
    pool.release(second, 10)
    pool.release(third, 20)
    pool.release(first, 30)
    expect(
      [taken(pool, 'a', 40), taken(pool, 'a', 40), taken(pool, 'a', 40)].map(({ port }) => port),
    ).toEqual([second.port, third.port, first.port])
  })

  it('gives a port with a running connection to its peer last of all, and to others as ever', () => {
    const pool = poolOf(5000, 5002, { draws: [0, 1, 2] })
    const [first, second, third] = [taken(pool, 'a', 0), taken(pool, 'a', 0), taken(pool, 'a', 0)]
    for (const lease of [first, second, third]) pool.release(lease, 0)
    const over = pool.trackConnection(first)
    const alsoOver = pool.trackConnection(first)
    const later = 10 * QUARANTINE_MS
    expect(taken(pool, 'b', later).port).toBe(first.port)
    const again = [taken(pool, 'a', later), taken(pool, 'a', later)].map(({ port }) => port)
    expect(again.sort()).toEqual([second.port, third.port])
    const last = taken(pool, 'a', later)
    expect(last.port).toBe(first.port)
    pool.release(last, later)
    over(later)
    over(later)
    expect(pool.resting(later)).toBe(1)
    alsoOver(later)
    expect(taken(pool, 'a', later + QUARANTINE_MS).port).toBe(first.port)
  })

  it('forgets a peer when its last connection is over', () => {
    const pool = poolOf(5000, 5000)
    const lease = taken(pool, 'a', 0)
    pool.release(lease, 0)
    const over = pool.trackConnection(lease)
    expect(pool.resting(0)).toBe(0)
    over(0)
    expect(pool.resting(0)).toBe(1)
    expect(pool.resting(QUARANTINE_MS)).toBe(0)
  })

  it('does not search the range for a peer whose ports all rest', () => {
    let draws = 0
    const random = (below: number) => {
      draws += 1
      return draws % below
    }
    const pool = new PortPool({ first: 5000, last: 5999, quarantineMs: QUARANTINE_MS, share: 1000, random })
    pool.block(5007, 900)
    const leases = Array.from({ length: 999 }, () => taken(pool, 'a', 0))
    for (const lease of leases) pool.release(lease, 0)
    draws = 0
    expect(taken(pool, 'a', 1).port).toBe(leases[0]?.port)
    expect(draws).toBe(0)
    // When somebody else has left the port it has rested enough.
    expect(taken(pool, 'a', 901).port).toBe(5007)
  })

  it('forgets rest when its time has come, and peers that hold nothing', () => {
    const pool = poolOf(5000, 5009)
    for (let count = 0; count < 100; count += 1) pool.release(taken(pool, `peer ${count}`, 0), 0)
    expect(pool.resting(QUARANTINE_MS - 1)).toBe(100)
    expect(pool.resting(QUARANTINE_MS)).toBe(0)
    expect(pool.inUse).toBe(0)
  })

  it('takes a port back once, however often it is given', () => {
    const pool = poolOf(5000, 5001)
    const lease = taken(pool, 'a')
    taken(pool, 'b')
    pool.release(lease, 0)
    pool.release(lease, 0)
    expect(pool.inUse).toBe(1)
    expect(pool.resting(0)).toBe(1)
  })

  it('leaves a port alone that somebody else holds, until its time', () => {
    const pool = poolOf(5000, 5000)
    pool.block(5000, 100)
    expect(pool.take({ peer: 'a', client: 'a', nowMs: 99 })).toEqual({ ok: false, reason: 'exhausted' })
    expect(taken(pool, 'a', 100).port).toBe(5000)
  })

  it('gives one client no more than its share of a server’s ports, and the rest to others', () => {
    const pool = poolOf(5000, 5003, { share: 2 })
    const leases = [taken(pool, 'server', 0, 'greedy'), taken(pool, 'server', 0, 'greedy')]
    const third = { peer: 'server', client: 'greedy', nowMs: 0 }
    expect(pool.take(third)).toEqual({ ok: false, reason: 'share' })
    expect(taken(pool, 'server', 0, 'modest').client).toBe('modest')
    expect(taken(pool, 'other server', 0, 'greedy').client).toBe('greedy')
    pool.release(leases[0] ?? taken(pool, 'x'), 0)
    expect(pool.take(third).ok).toBe(true)
  })

  it('does not share out what a client takes as its own peer', () => {
    const pool = poolOf(5000, 5003, { share: 1 })
    expect([1, 2, 3, 4].map(() => taken(pool, 'a').client)).toEqual(['a', 'a', 'a', 'a'])
  })

  it('forgets peers that do not come again, by the clock alone, and none that still hold or rest something', () => {
    const pool = poolOf(5000, 5009)
    const held = taken(pool, 'holds')
    const over = pool.trackConnection(taken(pool, 'runs'))
    const perQuarantine = 50
    for (let visit = 0; visit < 1_000; visit += 1) {
      const nowMs = (visit * QUARANTINE_MS) / perQuarantine
      pool.release(taken(pool, `127.0.${visit >> 8}.${visit & 255}`, nowMs), nowMs)
      // Those of this quarantine and of two before it, and the two that stay.
      expect(pool.peers).toBeLessThanOrEqual(3 * perQuarantine + 2)
    }
    const endMs = (1_000 * QUARANTINE_MS) / perQuarantine
    expect(pool.resting(endMs)).toBe(perQuarantine - 1)
    expect(taken(pool, 'holds', endMs).port).not.toBe(held.port)
    over(endMs)
    expect(pool.peers).toBe(perQuarantine - 1 + 2)
  })

  it('keeps its promises through any history', () => {
    const step = fc.record({
      peer: fc.constantFrom('a', 'b', 'c'),
      client: fc.constantFrom('a', 'x', 'y'),
      release: fc.boolean(),
      which: fc.nat(20),
      passedMs: fc.nat(QUARANTINE_MS),
    })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120, size: 'max' }),
        fc.infiniteStream(fc.nat()),
        fc.integer({ min: 1, max: 5 }),
        (steps, numbers, size) => {
          const share = 2
          const random = (below: number) => (numbers.next().value ?? 0) % below
          const pool = new PortPool({
            first: 5000,
            last: 5000 + size - 1,
            quarantineMs: QUARANTINE_MS,
            share,
            random,
          })
          const held: PortLease[] = []
          let nowMs = 0
          for (const { peer, client, release, which, passedMs } of steps) {
            nowMs += passedMs
            const lease = held[which % Math.max(held.length, 1)]
            if (release && lease !== undefined) {
              pool.release(lease, nowMs)
              held.splice(held.indexOf(lease), 1)
              continue
            }
            const ofPeer = held.filter((each) => each.peer === peer)
            const ofClient = ofPeer.filter((each) => each.client === client)
            const result = pool.take({ peer, client, nowMs })
            if (result.ok) {
              const { port } = result.lease
              expect(port).toBeGreaterThanOrEqual(5000)
              expect(port).toBeLessThan(5000 + size)
              expect(ofPeer.map((each) => each.port)).not.toContain(port)
              if (peer !== client) expect(ofClient.length).toBeLessThan(share)
              held.push(result.lease)
            } else if (result.reason === 'exhausted') {
              expect(ofPeer).toHaveLength(size)
            } else {
              expect(ofClient.length).toBeGreaterThanOrEqual(share)
            }
            expect(pool.inUse).toBe(new Set(held.map((each) => each.port)).size)
          }
        },
      ),
    )
  })
})
