// What a pool's checks need of its other keys, and of the listeners that name it.

import { complaint, type RuleBreach } from './complaint.ts'
import type { ListenerSections } from './listener-rules.ts'
import { type PoolSections, poolsOf } from './pool-rules.ts'
import type { PoolSection } from './upstreams-schema.ts'

export function checkBreaches(pools: PoolSections, listeners: ListenerSections): RuleBreach[] {
  return pools.flatMap((pool, index) => {
    if (pool?.health == null) return []
    const path = ['upstreams', index, 'health']
    return [...loginBreaches(pool.health, path), ...secrecyBreaches(pool, listeners, path)]
  })
}

function loginBreaches(
  { expect, ...login }: NonNullable<PoolSection['health']>,
  path: RuleBreach['path'],
): RuleBreach[] {
  return (['user', 'passwordFile'] as const).flatMap((key) => {
    const given = login[key]
    if ((expect === 'login') === (given !== undefined)) return []
    const text =
      expect === 'login'
        ? complaint('is needed when expect is login', {
            given: undefined,
            allowed: key === 'user' ? 'a user of the servers' : 'a file with the password of user',
          })
        : complaint(`has no use when expect is ${expect}`, { given, allowed: 'expect: login' })
    return [{ path: [...path, key], text }]
  })
}

/** A check's password goes where the clients' go: in clear only where the pool says that it has no TLS. */
function secrecyBreaches(
  pool: PoolSection,
  listeners: ListenerSections,
  path: RuleBreach['path'],
): RuleBreach[] {
  if (pool.health?.expect !== 'login') return []
  const { upstreamTls } = pool
  const mode = upstreamTls?.mode
  if (mode === 'as-client' || mode === 'optional') {
    const reason = `needs upstreamTls of the pool to be certain, which is ${mode}: there is no client in a check, and its password must not go in clear`
    const text = complaint(reason, {
      given: 'login',
      allowed: 'login with required, implicit or off; greeting',
    })
    return [{ path: [...path, 'expect'], text }]
  }
  const secure = listeners.find((each) => each?.upstreamTls !== undefined && poolsOf(each, [pool]).length > 0)
  if (upstreamTls !== undefined || secure === undefined) return []
  const reason = `would send the password in clear: listener ${secure.name} has upstreamTls and the pool has none of its own`
  const text = complaint(reason, { given: 'login', allowed: 'login with upstreamTls in the pool; greeting' })
  return [{ path: [...path, 'expect'], text }]
}
