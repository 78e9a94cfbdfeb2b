// What the pools say about each other, and about the listeners that name them.

import { complaint, type RuleBreach } from './complaint.ts'
import type { RouteConfig } from './config.ts'
import { formatDuration } from './duration.ts'
import type { ListenerSections, Place } from './listener-rules.ts'
import type { ListenerSection } from './listener-schema.ts'
import { defaultFtpPort, formatListen, formatUpstream, upstreamIsListen } from './socket-address.ts'
import type { PoolSection } from './upstreams-schema.ts'

/** A pool with a mistake of its own is undefined. */
export type PoolSections = readonly (PoolSection | undefined)[]

export function poolBreaches(pools: PoolSections, places: readonly Place[]): RuleBreach[] {
  return pools.flatMap((pool, index) => {
    if (pool === undefined) return []
    const path = ['upstreams', index]
    const earlier = pools.findIndex((other) => other?.name === pool.name)
    const named =
      earlier === index
        ? []
        : [
            {
              path: [...path, 'name'],
              text: complaint(`is the name of upstreams[${earlier}] too`, {
                given: pool.name,
                allowed: 'a name of its own for each pool',
              }),
            },
          ]
    return [
      ...named,
      ...slowStartBreaches(pool, path),
      ...pool.servers.flatMap((_, at) =>
        serverBreaches(pool, at, [...path, 'servers', at, 'address'], places),
      ),
    ]
  })
}

/** These two do not go by weight, or must not by one that changes. */
function slowStartBreaches({ balance, slowStartMs }: PoolSection, path: RuleBreach['path']): RuleBreach[] {
  if (slowStartMs === undefined || (balance !== 'first' && balance !== 'clientHash')) return []
  const text = complaint(`has no use when balance is ${balance}`, {
    given: formatDuration(slowStartMs),
    allowed: 'balance: roundRobin or leastSessions',
  })
  return [{ path: [...path, 'slowStart'], text }]
}

/** Through a proxy we can connect, and not be connected to. */
export function viaBreaches(pools: PoolSections, listeners: ListenerSections): RuleBreach[] {
  return listeners.flatMap((listener, index) => {
    if (listener === undefined) return []
    const pool = poolsOf(listener, pools).find(({ via }) => via !== null)
    if (pool === undefined) return []
    const because = `has to be passive for pool ${pool.name}, whose servers are behind the proxy of via`
    const path = ['listeners', index]
    const { upstreamMode, source } = listener
    return [
      ...(upstreamMode === 'passive' || pool.upstreamMode !== undefined
        ? []
        : [
            {
              path: [...path, 'upstreamMode'],
              text: complaint(because, { given: upstreamMode, allowed: 'passive' }),
            },
          ]),
      ...(source === 'proxy'
        ? []
        : [
            {
              path: [...path, 'source'],
              text: complaint(`has no use for pool ${pool.name}: the proxy of via connects to its servers`, {
                given: source,
                allowed: 'proxy',
              }),
            },
          ]),
    ]
  })
}

function serverBreaches(
  { servers, via }: PoolSection,
  index: number,
  path: RuleBreach['path'],
  places: readonly Place[],
): RuleBreach[] {
  const server = servers[index]
  if (server === undefined) return []
  const isSrv = 'isSrv' in server
  const nameOf = (each: typeof server) => ('isSrv' in each ? each.host : formatUpstream(each))
  const given = nameOf(server)
  const srvPath = [...path.slice(0, -1), 'srv']
  const earlier = servers.findIndex((other) => nameOf(other) === given)
  if (earlier < index) {
    const allowed = 'each server once; weight gives it more'
    return [
      { path: isSrv ? srvPath : path, text: complaint(`is servers[${earlier}] too`, { given, allowed }) },
    ]
  }
  if (isSrv && via !== null) {
    const allowed = 'address, or no via'
    const reason = 'cannot be asked for where the servers are behind the proxy of via, which resolves names'
    return [{ path: srvPath, text: complaint(reason, { given, allowed }) }]
  }
  const own = places.find((place) => upstreamIsListen(server, place.listen))
  if (own === undefined) return []
  const reason = `leads back to ourselves: ${own.called} listens on ${formatListen(own.listen)}`
  return [{ path, text: complaint(reason, { given, allowed: 'another host or port' }) }]
}

export function poolWarnings(pools: PoolSections, listeners: ListenerSections): RuleBreach[] {
  return pools.flatMap((pool, index) => {
    const isUsed = listeners.some(
      (listener) =>
        listener === undefined ||
        [listener, ...(listener.routes ?? [])].some((each) => names(each, pool?.name)),
    )
    if (pool === undefined || isUsed) return []
    return [{ path: ['upstreams', index, 'name'], text: `is named by no listener (given ${pool.name})` }]
  })
}

/** Says which pool the upstream of a listener or a route is, if it is one: a name of a pool without a port is the pool. */
export function withPools(
  { routes, ...listener }: ListenerSection,
  pools: readonly PoolSection[],
): Omit<ListenerSection, 'routes'> & { readonly pool?: string; readonly routes?: readonly RouteConfig[] } {
  return {
    ...withPool(listener, pools),
    ...(routes && { routes: routes.map(({ isBare, ...route }) => withPool(route, pools)) }),
  }
}

export function withPool<T extends Pick<ListenerSection, 'upstream'>>(
  named: T,
  pools: readonly PoolSection[],
): T & { readonly pool?: string } {
  const pool = pools.find(({ name }) => names(named, name))
  return pool === undefined ? named : { ...named, pool: pool.name }
}

/** The pools that a listener and its routes name. */
export function poolsOf(
  listener: Pick<ListenerSection, 'upstream' | 'routes'>,
  pools: PoolSections,
): PoolSection[] {
  const named = [listener, ...(listener.routes ?? [])]
  return pools.flatMap((pool) =>
    pool !== undefined && named.some((one) => names(one, pool.name)) ? [pool] : [],
  )
}

function names({ upstream }: Pick<ListenerSection, 'upstream'>, pool: string | undefined): boolean {
  return upstream !== null && upstream.host === pool && upstream.port === defaultFtpPort
}
