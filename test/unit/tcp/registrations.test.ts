import { describe, expect, it } from 'vitest'
import { placeOf, Registrations, turnOf } from '../../../src/tcp/epoll/registrations.ts'

describe('registrations', () => {
  it('find who is told by the two words of a number', () => {
    const registrations = new Registrations<string>()
    const [a, b] = [registrations.add('a'), registrations.add('b')]
    expect([a, b].map((number) => registrations.at(placeOf(number), turnOf(number)))).toEqual(['a', 'b'])
    registrations.hand(b, 'c')
    expect(registrations.at(placeOf(b), turnOf(b))).toBe('c')
  })

  it('tell a late event of an earlier owner to nobody', () => {
    const registrations = new Registrations<string>()
    const gone = registrations.add('gone')
    registrations.delete(gone)
    const next = registrations.add('next')
    expect(placeOf(next)).toBe(placeOf(gone))
    expect(registrations.at(placeOf(gone), turnOf(gone))).toBeNull()
    registrations.delete(gone)
    registrations.hand(gone, 'late')
    expect(registrations.at(placeOf(next), turnOf(next))).toBe('next')
    expect(registrations.isEmpty).toBe(false)
  })

  it('are empty again when all are gone, each once', () => {
    const registrations = new Registrations<string>()
    const numbers = ['a', 'b', 'c'].map((name) => registrations.add(name))
    for (const number of [...numbers, ...numbers]) registrations.delete(number)
    expect(registrations.isEmpty).toBe(true)
  })
})
