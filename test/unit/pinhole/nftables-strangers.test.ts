import { describe, expect, it } from 'vitest'
import { deduplicateAttempts } from '../../../src/pinhole/attempts.ts'
import { Strangers } from '../../../src/pinhole/nftables/strangers.ts'
import type { Intruder } from '../../../src/pinhole/relay/gate.ts'

const ours = '192.0.2.1'
const at = { address: ours, port: 40_001 }
const client = '10.0.0.5'
const stranger = '10.0.0.66'

function world() {
  let nowMs = 0
  const told: Intruder[] = []
  const strangers = new Strangers({
    now: () => nowMs,
    isOwnAddress: (address) => address === ours,
    intruded: (intruder) => void told.push(intruder),
  })
  return {
    strangers,
    pass: (ms: number) => {
      nowMs += ms
    },
    /** What is told of one connection attempt. */
    reasonFor: (peer: string, to = at) => {
      told.length = 0
      strangers.seen({ from: { address: peer, port: 50_000 }, to })
      return told[0]?.reason ?? null
    },
  }
}

describe('a connection attempt that took no pinhole', () => {
  it('is of the wrong peer while somebody else is expected there', () => {
    const { strangers, reasonFor } = world()
    strangers.expect(client, at)
    expect(reasonFor(stranger)).toBe('wrong_peer')
  })

  it('is not of the expected peer while its pinhole waits: somebody flushed the tables, and they are put back', () => {
    const { strangers, reasonFor } = world()
    strangers.expect(client, at)
    expect(reasonFor(client)).toBeNull()
  })

  it('is a duplicate when the peer was served, and the wrong peer’s when another is still expected', () => {
    const { strangers, reasonFor } = world()
    strangers.expect(client, at)
    strangers.expect('10.0.0.6', at)
    strangers.unexpect(client, at, 'used')
    strangers.unexpect(client, at, 'unused')
    expect(reasonFor(client)).toBe('duplicate')
    expect(reasonFor(stranger)).toBe('wrong_peer')
    strangers.unexpect('10.0.0.6', at, 'unused')
    expect(reasonFor(stranger)).toBe('late')
    expect(reasonFor('10.0.0.6')).toBe('late')
  })

  it('is late for ten seconds, then nobody was ever expected', () => {
    const { strangers, reasonFor, pass } = world()
    const elsewhere = { address: '198.51.100.9', port: 40_001 }
    for (const place of [at, elsewhere]) {
      strangers.expect(client, place)
      strangers.unexpect(client, place, 'unused')
    }
    pass(9_999)
    expect([reasonFor(client), reasonFor(client, elsewhere)]).toEqual(['late', 'late'])
    pass(1)
    expect([reasonFor(client), reasonFor(client, elsewhere)]).toEqual(['wrong_peer', null])
  })

  it('is none of our business on a machine where no pinhole of ours stands', () => {
    expect(world().reasonFor(stranger, { address: '198.51.100.9', port: 40_001 })).toBeNull()
  })
})

describe('an attempt', () => {
  const knock = { from: { address: stranger, port: 50_000 }, port: 40_001, reason: 'wrong_peer' } as const

  it('is told of once, as long as its packet comes again', () => {
    let nowMs = 0
    const told: Intruder[] = []
    const attempt = deduplicateAttempts({
      now: () => nowMs,
      intruded: (intruder) => void told.push(intruder),
    })
    for (const ms of [0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 127_000]) {
      nowMs = ms
      attempt({ ...knock, reason: ms === 0 ? 'wrong_peer' : 'late' })
    }
    expect(told).toEqual([knock])
    nowMs += 70_001
    attempt(knock)
    attempt({ ...knock, from: { ...knock.from, port: 50_001 } })
    attempt({ ...knock, port: 40_002 })
    expect(told).toHaveLength(4)
  })

  it('costs no more memory than ten thousand others', () => {
    const told: Intruder[] = []
    const attempt = deduplicateAttempts({ now: () => 0, intruded: (intruder) => void told.push(intruder) })
    for (let port = 1; port <= 10_001; port += 1) attempt({ ...knock, from: { address: stranger, port } })
    attempt({ ...knock, from: { address: stranger, port: 10_001 } })
    expect(told).toHaveLength(10_001)
    attempt({ ...knock, from: { address: stranger, port: 1 } })
    expect(told).toHaveLength(10_002)
  })
})
