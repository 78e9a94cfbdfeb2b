// What a pool may have in place of its listeners' values: `upstreamTls`, `upstreamMode` and `upstreamVerbs`.

import { complaint, type RuleBreach } from './complaint.ts'
import type { ListenerSections } from './listener-rules.ts'
import type { ListenerSection } from './listener-schema.ts'
import { type PoolSections, poolsOf } from './pool-rules.ts'
import { settingsFor } from './pool-settings.ts'
import { upstreamTlsBreaches, upstreamTlsWarnings } from './tls-rules.ts'
import type { PoolSection } from './upstreams-schema.ts'
import { uselessVerbs } from './verb-rules.ts'

type Path = RuleBreach['path']

export function mannerBreaches(pools: PoolSections, listeners: ListenerSections): RuleBreach[] {
  return pools.flatMap((pool, index) => {
    if (pool === undefined) return []
    const path = ['upstreams', index]
    const naming = listeners.flatMap((each) =>
      each !== undefined && poolsOf(each, [pool]).length > 0 ? [each] : [],
    )
    return [
      ...(pool.upstreamTls == null ? [] : upstreamTlsBreaches(pool.upstreamTls, [...path, 'upstreamTls'])),
      ...followBreaches(pool, naming, path),
      ...modeBreaches(pool, path),
      ...pairBreaches(pool, naming, path),
    ]
  })
}

export function mannerWarnings(pools: PoolSections): RuleBreach[] {
  return pools.flatMap((pool, index) =>
    pool?.upstreamTls == null
      ? []
      : upstreamTlsWarnings(pool.upstreamTls, ['upstreams', index, 'upstreamTls']),
  )
}

function followBreaches(pool: PoolSection, naming: readonly ListenerSection[], path: Path): RuleBreach[] {
  const clear = naming.find(({ tls, passthrough }) => tls === undefined && passthrough === undefined)
  if (pool.upstreamTls?.mode !== 'as-client' || clear === undefined) return []
  const reason = `has no client with TLS to follow, since tls.mode of listener ${clear.name} is off`
  const text = complaint(reason, { given: 'as-client', allowed: 'off, optional, required or implicit' })
  return [{ path: [...path, 'upstreamTls', 'mode'], text }]
}

/** Through a proxy we can connect, and not be connected to. */
function modeBreaches({ via, upstreamMode }: PoolSection, path: Path): RuleBreach[] {
  if (via === null || upstreamMode === undefined || upstreamMode === 'passive') return []
  const text = complaint('has to be passive: its servers are behind the proxy of via', {
    given: upstreamMode,
    allowed: 'passive',
  })
  return [{ path: [...path, 'upstreamMode'], text }]
}

/** One of the two may be a listener's. */
function pairBreaches(pool: PoolSection, naming: readonly ListenerSection[], path: Path): RuleBreach[] {
  const { upstreamMode, upstreamVerbs } = pool
  if (upstreamVerbs !== undefined && upstreamMode !== undefined) {
    return uselessVerbs({ upstreamMode, upstreamVerbs }, [...path, 'upstreamVerbs'])
  }
  if (upstreamVerbs === undefined && upstreamMode === undefined) return []
  return naming
    .flatMap((listener) => {
      const applied = settingsFor(pool, listener)
      const both = { upstreamMode: applied.upstreamMode.value, upstreamVerbs: applied.upstreamVerbs.value }
      const key = upstreamVerbs === undefined ? 'upstreamMode' : 'upstreamVerbs'
      return uselessVerbs(both, [...path, key], ` of listener ${listener.name}`)
    })
    .slice(0, 1)
}
