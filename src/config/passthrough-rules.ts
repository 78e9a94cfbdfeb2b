// What makes no sense beside TLS that we cannot see into.

import { complaint, type RuleBreach } from './complaint.ts'
import type { ListenerSections } from './listener-rules.ts'
import type { ListenerSection } from './listener-schema.ts'
import { type PoolSections, poolsOf } from './pool-rules.ts'
import { defaultFtpPort, formatUpstream } from './socket-address.ts'

type Path = RuleBreach['path']

export function passthroughBreaches(listeners: ListenerSections, pools: PoolSections): RuleBreach[] {
  return listeners.flatMap((listener, index) => {
    if (listener?.passthrough === undefined) return []
    const path = ['listeners', index]
    return [
      ...contradictions(listener, path),
      ...(listener.passthrough === 'implicit' ? unreadable(listener, path) : []),
      ...throughProxies(listener, pools, path),
      ...ofPools(listener, pools, path),
    ]
  })
}

/** A server that greets in clear on its usual port. */
export function passthroughWarnings(listeners: ListenerSections): RuleBreach[] {
  return listeners.flatMap((listener, index) => {
    if (listener?.passthrough !== 'implicit') return []
    const { upstream } = listener
    if (upstream?.port !== defaultFtpPort) return []
    const text = `is on port ${defaultFtpPort}, where servers greet in clear, and tls.mode is passthrough-implicit: TLS from the first byte is usually on 990 (given ${formatUpstream(upstream)})`
    return [{ path: ['listeners', index, 'upstream'], text }]
  })
}

/** Pools whose checks wait for a greeting that comes inside TLS. */
export function greetingBreaches(listeners: ListenerSections, pools: PoolSections): RuleBreach[] {
  return pools.flatMap((pool, index) => {
    const expected = pool?.health?.expect ?? 'connect'
    if (pool === undefined || expected === 'connect') return []
    const silent = listeners.find(
      (listener) =>
        listener !== undefined &&
        (listener.passthrough === 'implicit' ||
          (pool.upstreamTls === undefined && listener.upstreamTls?.mode === 'implicit')) &&
        poolsOf(listener, [pool]).length > 0,
    )
    if (silent === undefined) return []
    const reason = `is never met: listener ${silent.name} speaks TLS with these servers from the first byte, and they greet inside it`
    const text = complaint(reason, { given: expected, allowed: 'connect, or upstreamTls in the pool' })
    return [{ path: ['upstreams', index, 'health', 'expect'], text }]
  })
}

function contradictions({ passthrough, upstreamTls, login, routes = [] }: ListenerSection, path: Path) {
  const mode = passthrough === 'implicit' ? 'passthrough-implicit' : 'passthrough'
  const breaches: RuleBreach[] = []
  const breach = (key: Path, reason: string, about: { readonly given: unknown; readonly allowed: string }) =>
    breaches.push({ path: [...path, ...key], text: complaint(reason, about) })
  if (upstreamTls !== undefined) {
    const reason = `has no use when tls.mode is ${mode}: TLS is between client and server alone`
    breach(['upstreamTls', 'mode'], reason, { given: upstreamTls.mode, allowed: 'off' })
  }
  if (login !== undefined) {
    const reason = `has no use when tls.mode is ${mode}: clients begin TLS with their server before they could name it`
    breach(['login'], reason, { given: login, allowed: 'nothing, or tls of our own' })
  }
  for (const [index, route] of routes.entries()) {
    for (const key of ['serverName', 'host', 'user'] as const) {
      if (route[key] === null) continue
      const reason = `cannot be known when tls.mode is ${mode}: the server is chosen before TLS begins, and nothing in TLS is read`
      breach(['routes', index, key], reason, {
        given: route[key],
        allowed: 'clients, the only condition here',
      })
    }
  }
  return breaches
}

/** Keys about what is said in clear, where nothing is. */
function unreadable(listener: ListenerSection, path: Path): RuleBreach[] {
  const { upstreamMode, upstreamVerbs, upstreamKeepAliveMs, activeSourcePort, advertise } = listener
  const given: readonly (readonly [Path, unknown, string] | false)[] = [
    upstreamMode !== 'client' && [['upstreamMode'], upstreamMode, 'client'],
    upstreamVerbs.length > 0 && [['upstreamVerbs'], upstreamVerbs, 'nothing'],
    upstreamKeepAliveMs !== null && [['upstreamKeepAlive'], `${upstreamKeepAliveMs}ms`, 'off'],
    activeSourcePort !== null && [['activeSourcePort'], activeSourcePort, 'any'],
    advertise.clients.length > 0 && [['advertise', 'clients'], advertise.clients, 'nothing'],
    advertise.servers.length > 0 && [['advertise', 'servers'], advertise.servers, 'nothing'],
  ]
  return given.flatMap((each) => {
    if (each === false) return []
    const [key, value, allowed] = each
    const reason = 'has no use when tls.mode is passthrough-implicit: no command or reply is read'
    return [{ path: [...path, ...key], text: complaint(reason, { given: value, allowed }) }]
  })
}

/** Keys of a pool in place of a listener's that it cannot have. */
function ofPools({ passthrough, ...listener }: ListenerSection, pools: PoolSections, path: Path) {
  return poolsOf(listener, pools).flatMap((pool) => {
    const keys = [
      pool.upstreamTls != null && 'upstreamTls',
      passthrough === 'implicit' && pool.upstreamMode !== undefined && 'upstreamMode',
      passthrough === 'implicit' && pool.upstreamVerbs !== undefined && 'upstreamVerbs',
    ]
    const key = keys.find((each) => each !== false)
    if (key === undefined) return []
    const reason = `leads to pool ${pool.name}, which has ${key}: TLS that passes through is between client and server alone`
    const allowed = `a pool without ${key}, or tls of our own`
    return [{ path: [...path, 'tls', 'mode'], text: complaint(reason, { given: pool.name, allowed }) }]
  })
}

/** Data connections would have to find their own way there. */
function throughProxies(listener: ListenerSection, pools: PoolSections, path: Path): RuleBreach[] {
  return poolsOf(listener, pools).flatMap((pool) => {
    if (pool.via === null) return []
    const reason = `leads to pool ${pool.name}, whose servers are behind the proxy of via: data connections inside TLS that passes through cannot go there`
    const allowed = 'a pool without via, or tls of our own'
    return [{ path: [...path, 'tls', 'mode'], text: complaint(reason, { given: pool.name, allowed }) }]
  })
}
