import { createSocket } from 'node:dgram'
import { getServers, setServers } from 'node:dns'
import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Advertiser } from '../../../../src/net/session/advertise.ts'
import { Names } from '../../../../src/net/upstream/names.ts'
import { within } from '../../../support/peers/patience.ts'

const servers = getServers()
afterEach(() => askAt(servers))

/** Which DNS servers are asked; modules that imported `resolve4` have to hear of it. */
function askAt(addresses: readonly string[]): void {
  setServers(addresses)
  syncBuiltinESMExports()
}

function names() {
  const logged: { event: string; fields: unknown }[] = []
  const log = (event: string, fields: unknown = {}) => {
    logged.push({ event, fields })
  }
  return { names: new Names({ log }), logged }
}

describe('names', () => {
  it('are their own address when they are one', async () => {
    const { names: book } = names()
    expect(await book.resolve('2001:DB8::0:1')).toEqual(['2001:db8::1'])
    expect(book.known('192.0.2.1', 4)).toBe('192.0.2.1')
    expect(book.known('192.0.2.1', 6)).toBe(null)
  })

  it('resolve as the system says, and are known from then on', async () => {
    const { names: book } = names()
    expect(book.known('localhost', 4)).toBe(null)
    expect(await book.resolve('localhost')).toContain('127.0.0.1')
    expect(book.known('localhost', 4)).toBe('127.0.0.1')
  })

  it('do not wait for a DNS server that never says how long they last', async () => {
    const silent = createSocket('udp4')
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve))
    askAt([`127.0.0.1:${silent.address().port}`])
    try {
      const { names: book } = names()
      const resolved = within(book.resolve('localhost'), { what: 'the address', ms: 3_000 })
      expect(await resolved).toContain('127.0.0.1')
    } finally {
      silent.close()
    }
  })

  it('that do not resolve reject, and say so again', async () => {
    const { names: book } = names()
    await expect(book.resolve('nowhere.invalid')).rejects.toMatchObject({ code: 'ENOTFOUND' })
    await expect(book.resolve('nowhere.invalid')).rejects.toMatchObject({ code: 'ENOTFOUND' })
    expect(book.known('nowhere.invalid', 4)).toBe(null)
  })

  it('that are followed are asked for again, and keep what is known of them when they stop resolving', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const answers: (readonly string[] | null)[] = [
      ['192.0.2.2', '192.0.2.1'],
      // The order in which DNS has them means nothing.
      ['192.0.2.1', '192.0.2.2'],
      null,
      null,
      ['192.0.2.3'],
    ]
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation((async () => {
      const [answer = null] = answers.splice(0, 1)
      if (answer === null) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
      return answer.map((address) => ({ address, family: 4 }))
    }) as never)
    vi.spyOn(dns, 'resolve4').mockImplementation((async () => [{ address: '192.0.2.1', ttl: 7 }]) as never)
    vi.spyOn(dns, 'resolve6').mockRejectedValue(new Error('none'))
    syncBuiltinESMExports()
    const { names: book, logged } = names()
    const seen: (readonly string[])[] = []
    const following = book.follow('pods.test', (addresses) => seen.push(addresses))
    try {
      await vi.advanceTimersByTimeAsync(6_900)
      expect(answers).toHaveLength(4)
      await vi.advanceTimersByTimeAsync(200)
      expect(answers).toHaveLength(3)
      // What does not resolve is asked for after five seconds.
      for (const waitMs of [7_000, 5_000, 5_000]) await vi.advanceTimersByTimeAsync(waitMs)
      expect(answers).toHaveLength(0)
      expect(seen).toEqual([['192.0.2.2', '192.0.2.1'], ['192.0.2.3']])
      expect(logged.map(({ event }) => event)).toEqual(['names.fail', 'names.change'])
      expect(logged[0]?.fields).toMatchObject({ host: 'pods.test', addresses: ['192.0.2.2', '192.0.2.1'] })
      following.stop()
      const { length } = lookup.mock.calls
      await vi.advanceTimersByTimeAsync(60_000)
      expect(lookup).toHaveBeenCalledTimes(length)
    } finally {
      following.stop()
      vi.useRealTimers()
      vi.restoreAllMocks()
      syncBuiltinESMExports()
    }
  })
})

describe('what is advertised', () => {
  it('is the address of the first rule that fits and has one of the family', async () => {
    const { names: book } = names()
    await book.resolve('localhost')
    const advertiser = new Advertiser(
      [
        { to: '10.0.0.0/8', address: '2001:db8::1' },
        { to: '10.1.0.0/16', address: '10.1.0.1' },
        { to: '2001:db8::/32', address: '2001:db8::9' },
        { to: '192.0.2.0/24', address: 'localhost' },
        { to: '198.51.100.0/24', address: 'nowhere.invalid' },
        { to: '203.0.113.0/24', address: 'own' },
        { to: 'any', address: '203.0.113.1' },
      ],
      book,
    )
    const told = (peer: string) => advertiser.addressFor({ peer, own: 'own' })
    expect(told('10.1.2.3')).toBe('10.1.0.1')
    expect(told('10.2.3.4')).toBe('203.0.113.1')
    expect(told('2001:db8::5')).toBe('2001:db8::9')
    expect(told('2001:db9::5')).toBe('own')
    expect(told('192.0.2.7')).toBe('127.0.0.1')
    expect(told('198.51.100.7')).toBe('203.0.113.1')
    expect(told('203.0.113.7')).toBe('own')
  })

  it('is our own address without rules', () => {
    const { names: book } = names()
    expect(new Advertiser([], book).addressFor({ peer: '10.0.0.1', own: '10.9.9.9' })).toBe('10.9.9.9')
  })
})
