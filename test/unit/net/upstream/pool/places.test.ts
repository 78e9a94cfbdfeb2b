import { expect, test, vi } from 'vitest'
import type { Names, Service } from '../../../../../src/net/upstream/names.ts'
import { followPlaces, type Place } from '../../../../../src/net/upstream/pool/places.ts'

const entry = { host: 'ftp.test', port: 21, weight: 1, backup: false, maxSessions: null }
const service = (host: string, changes: Partial<Service> = {}): Service => {
  return { host, addresses: ['192.0.2.1'], port: 21, priority: 1, weight: 0, ...changes }
}

/** What the pool hears when DNS has that. */
function placesOf(found: readonly string[] | readonly Service[], isSrv: boolean): readonly Place[] {
  const heard = vi.fn<(places: readonly Place[]) => void>()
  const follow = (_name: string, changed: (found: never) => void) => {
    changed(found as never)
    return { stop: () => undefined }
  }
  const names = { follow, followService: follow } as unknown as Names
  followPlaces({ ...entry, isSrv }, names, heard)
  return heard.mock.calls[0]?.[0] ?? []
}

const brief = (places: readonly Place[]) =>
  places.map(({ host, address, port, weight, tier }) => [host, address, port, weight, tier])

test('an address has nothing to follow', () => {
  const names = {} as Names
  expect(followPlaces({ ...entry, host: '192.0.2.1' }, names, () => undefined)).toBe(null)
})

test('addresses come in an order of their own, each once, and those of the other family after the preferred one', () => {
  expect(brief(placesOf(['2001:db8::2', '192.0.2.1', '2001:db8::1', '192.0.2.1'], false))).toEqual([
    ['ftp.test', '192.0.2.1', 21, 1, 0.5],
    ['ftp.test', '2001:db8::1', 21, 1, 0],
    ['ftp.test', '2001:db8::2', 21, 1, 0],
  ])
})

test('a service has the hosts, ports and weights of its records, later priorities behind the first', () => {
  const places = placesOf(
    [
      service('spare.test', { priority: 20, port: 2121 }),
      service('b.test', { priority: 10, weight: 1 }),
      service('a.test', { priority: 10, weight: 3, addresses: ['192.0.2.7', '192.0.2.8'] }),
      service('c.test', { priority: 10 }),
      service('last.test', { priority: 30, addresses: [] }),
    ],
    true,
  )
  expect(brief(places)).toEqual([
    ['a.test', '192.0.2.7', 21, 1.125, 0],
    ['a.test', '192.0.2.8', 21, 1.125, 0],
    ['b.test', '192.0.2.1', 21, 0.75, 0],
    ['c.test', '192.0.2.1', 21, 0.01, 0],
    ['spare.test', '192.0.2.1', 2121, 1, 1],
  ])
})
