import { describe, expect, it } from 'vitest'
import { Roster } from '../../../src/timing/roster.ts'

describe('a roster', () => {
  it('has whoever came and has not gone', () => {
    const roster = new Roster<Named>()
    const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name, place: -1 })) as [Named, Named, Named]
    for (const member of [a, b]) roster.add(member)
    expect(roster.delete(a)).toBe(true)
    roster.add(c)
    expect([...roster].map(({ name }) => name).sort()).toEqual(['b', 'c'])
    expect(roster.size).toBe(2)
  })

  it('lets a member go once, and not one that never came', () => {
    const roster = new Roster()
    const [here, stranger] = [{ place: -1 }, { place: -1 }]
    roster.add(here)
    expect(roster.delete(stranger)).toBe(false)
    expect([roster.delete(here), roster.delete(here)]).toEqual([true, false])
    expect(roster.size).toBe(0)
  })

  it('does not take a newcomer for the one whose place it has', () => {
    const roster = new Roster()
    const [gone, newcomer] = [{ place: -1 }, { place: -1 }]
    roster.add(gone)
    roster.delete(gone)
    roster.add(newcomer)
    expect(roster.delete(gone)).toBe(false)
    expect([...roster]).toEqual([newcomer])
  })

  it('goes on when members go and come while it is walked through', () => {
    const roster = new Roster()
    const members = Array.from({ length: 4 }, () => ({ place: -1 }))
    for (const member of members) roster.add(member)
    const seen = []
    for (const member of roster) {
      seen.push(member)
      roster.delete(member)
      const next = members[seen.length + 1]
      if (next !== undefined) roster.delete(next)
    }
    expect(seen).toEqual([members[0], members[1]])
    expect(roster.size).toBe(0)
  })
})

interface Named {
  readonly name: string
  place: number
}
