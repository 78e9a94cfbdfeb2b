// What the routes of a listener say about each other, and about the rest of it.

import { globMatcher } from '../routing/glob.ts'
import { defaultRoute, type RouteRule } from '../routing/routes.ts'
import { networkCovers } from './address.ts'
import { complaint, nearestWord, type RuleBreach } from './complaint.ts'
import type { ListenerFindings, ListenerSections, Place } from './listener-rules.ts'
import type { ListenerSection } from './listener-schema.ts'
import { formatListen, formatUpstream, upstreamIsListen } from './socket-address.ts'
import type { PoolSection } from './upstreams-schema.ts'

type Path = RuleBreach['path']
type Routes = NonNullable<ListenerSection['routes']>

/** A pool or a listener with a mistake of its own is undefined. */
export function checkRoutes(
  listeners: ListenerSections,
  places: readonly Place[],
  pools: readonly (PoolSection | undefined)[],
): ListenerFindings {
  const each = (check: (listener: ListenerSection, path: Path) => RuleBreach[]) =>
    listeners.flatMap((listener, index) =>
      listener === undefined ? [] : check(listener, ['listeners', index]),
    )
  return {
    breaches: each((listener, path) => [
      ...routeBreaches(listener, path, places),
      ...loginBreaches(listener, path),
      ...unknownPools(listener, path, pools),
    ]),
    warnings: each(routeWarnings),
  }
}

function routeBreaches(
  { intercept, tls, passthrough, proxyProtocol, routes = [] }: ListenerSection,
  path: Path,
  places: readonly Place[],
): RuleBreach[] {
  if (routes.length > 0 && intercept !== 'none') {
    const reason = `has no use when intercept is ${intercept}: each connection brings its own destination`
    const allowed = 'nothing, or intercept: none'
    return [{ path: [...path, 'routes'], text: complaint(reason, { given: routes, allowed }) }]
  }
  return routes.flatMap((route, index) => {
    const at = [...path, 'routes', index]
    return [
      ...nameBreaches(routes, index, [...at, 'name']),
      ...(route.serverName !== null &&
      tls === undefined &&
      passthrough === undefined &&
      proxyProtocol.from.length === 0
        ? [withoutTls(route, [...at, 'serverName'])]
        : []),
      ...loopBreaches(route, [...at, 'upstream'], places),
    ]
  })
}

/** An open proxy is refused (S25), and a client has one way to its server. */
function loginBreaches(
  { login, intercept, upstream, routes = [] }: ListenerSection,
  path: Path,
): RuleBreach[] {
  if (login === undefined) return []
  const at = [...path, 'login']
  const lists = [
    ['clients', '[10.0.0.0/8]'],
    ['destinations', "['*.example.net:21']"],
  ] as const
  const empty = lists.flatMap(([key, example]) => {
    if (login[key].length > 0) return []
    const reason = 'is empty: a proxy for everybody to everywhere is not allowed'
    const text = complaint(reason, { given: login[key], allowed: `a list such as ${example}` })
    return [{ path: [...at, key], text }]
  })
  const other = upstream !== null ? 'upstream' : routes.length > 0 ? 'routes' : null
  const reason =
    intercept !== 'none'
      ? `has no use when intercept is ${intercept}: each connection brings its own destination`
      : `contradicts ${other}: clients name their servers themselves`
  if (intercept === 'none' && other === null) return empty
  const allowed = 'a listener of its own for clients that name their server'
  return [...empty, { path: at, text: complaint(reason, { given: login, allowed }) }]
}

/** Of a listener with a route to a pool that does not exist. */
function unknownPools(
  { routes = [] }: ListenerSection,
  path: Path,
  pools: readonly (PoolSection | undefined)[],
): RuleBreach[] {
  const names = pools.flatMap((pool) => (pool === undefined ? [] : [pool.name]))
  if (names.length < pools.length) return []
  return routes.flatMap(({ isBare, upstream }, index) => {
    if (!isBare || names.includes(upstream.host)) return []
    const meant = nearestWord(upstream.host, names)
    const reason = `is the name of no pool${meant === null ? '' : `; did you mean ${meant}?`}`
    const allowed = [...names, 'HOST:PORT for a server'].join(', ')
    const text = complaint(reason, { given: upstream.host, allowed })
    return [{ path: [...path, 'routes', index, 'upstream'], text }]
  })
}

/** A route that another one before it takes everything from. */
function routeWarnings({ routes = [], upstream }: ListenerSection, path: Path): RuleBreach[] {
  const hidden = routes.flatMap((route, index) => {
    const earlier = routes.slice(0, index).find((other) => hides(other, route))
    if (earlier === undefined) return []
    const text = `is never used: the first route that matches wins, and ${earlier.name} matches all that it would (given ${route.name})`
    return [{ path: [...path, 'routes', index], text }]
  })
  const all = routes.find(isForAll)
  if (all === undefined || upstream === null) return hidden
  const text = `is never used: the route ${all.name} is for every client (given ${formatUpstream(upstream)})`
  return [...hidden, { path: [...path, 'upstream'], text }]
}

function nameBreaches(routes: Routes, index: number, path: Path): RuleBreach[] {
  const name = routes[index]?.name
  const earlier = routes.findIndex((other) => other.name === name)
  const allowed = 'a name of its own for each route'
  if (name === defaultRoute) {
    const reason = 'is what the listener’s own upstream is called'
    return [{ path, text: complaint(reason, { given: name, allowed }) }]
  }
  if (earlier === index) return []
  const reason = `is the name of routes[${earlier}] too`
  return [{ path, text: complaint(reason, { given: name, allowed }) }]
}

function withoutTls({ serverName }: RouteRule, path: Path): RuleBreach {
  const reason = 'needs TLS with clients, and tls.mode is off'
  const text = complaint(reason, {
    given: serverName,
    allowed: 'nothing, or tls with a mode and certificates',
  })
  return { path, text }
}

function loopBreaches({ upstream }: Routes[number], path: Path, places: readonly Place[]): RuleBreach[] {
  const own = places.find((place) => upstreamIsListen(upstream, place.listen))
  if (own === undefined) return []
  const reason = `leads back to ourselves: ${own.called} listens on ${formatListen(own.listen)}`
  const text = complaint(reason, { given: formatUpstream(upstream), allowed: 'another host or port' })
  return [{ path, text }]
}

/** Whether every client of `later` is one of `earlier`, as far as the texts tell. */
function hides(earlier: RouteRule, later: RouteRule): boolean {
  const coversClients =
    earlier.clients.length === 0 ||
    (later.clients.length > 0 &&
      later.clients.every((inner) => earlier.clients.some((outer) => networkCovers({ outer, inner }))))
  return (
    coversClients &&
    (['serverName', 'host', 'user'] as const).every((key) => covers(earlier[key], later[key]))
  )
}

/** Read as a text, a pattern matches another where each `*` of that one meets a `*` of its own: so do all of its texts. */
function covers(outer: string | null, inner: string | null): boolean {
  return outer === null || (inner !== null && globMatcher(outer)(inner))
}

function isForAll({ clients, serverName, host, user }: RouteRule): boolean {
  return clients.length === 0 && [serverName, host, user].every((pattern) => pattern === null)
}
