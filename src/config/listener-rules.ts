// What the listeners say about each other, and the keys of one listener about each other.

import { familyOf } from '../ftp/addresses.ts'
import { networkCovers } from './address.ts'
import { complaint, type RuleBreach } from './complaint.ts'
import type { ListenAddress } from './config.ts'
import type { ListenerSection } from './listener-schema.ts'
import { type PortRange, rangeHasPort } from './port-range.ts'
import { formatListen, formatUpstream, listensClash, upstreamIsListen } from './socket-address.ts'
import { tlsBreaches, tlsWarnings } from './tls-rules.ts'
import { verbBreaches } from './verb-rules.ts'

/** A listener with a mistake of its own is undefined. */
export type ListenerSections = readonly (ListenerSection | undefined)[]

/** Somewhere we listen, and how to call it. */
export interface Place {
  readonly path: RuleBreach['path']
  readonly called: string
  readonly listen: ListenAddress
}

export interface ListenerFindings {
  readonly breaches: readonly RuleBreach[]
  readonly warnings: readonly RuleBreach[]
}

/** `places` as `placesOf` gives them: a listener is compared with the admin server too. */
export function checkListeners(listeners: ListenerSections, places: readonly Place[]): ListenerFindings {
  const each = (check: (listener: ListenerSection, path: RuleBreach['path']) => RuleBreach[]) =>
    listeners.flatMap((listener, index) =>
      listener === undefined ? [] : check(listener, ['listeners', index]),
    )
  return {
    breaches: [
      ...each(destinationBreaches),
      ...each(tlsBreaches),
      ...each(verbBreaches),
      ...nameBreaches(listeners),
      ...clashBreaches(places),
      ...loopBreaches(listeners, places),
    ],
    warnings: [
      ...each(advertiseWarnings),
      ...each(tlsWarnings),

      ...catchWarnings(listeners),
    ],
  }
}

export function placesOf(listeners: ListenerSections, admin: { listen: ListenAddress } | null): Place[] {
  const places: Place[] = listeners.flatMap((listener, index) => {
    if (listener === undefined) return []
    const path = ['listeners', index, 'listen']
    return [{ path, called: `listener ${listener.name}`, listen: listener.listen }]
  })
  if (admin !== null) places.push({ path: ['admin', 'listen'], called: 'admin', listen: admin.listen })
  return places
}

function destinationBreaches(listener: ListenerSection, path: RuleBreach['path']): RuleBreach[] {
  const { intercept, upstream, routes = [], login, activeSourcePort, proxyProtocol } = listener
  const breaches: RuleBreach[] = []
  if (intercept === 'none' && upstream === null && routes.length === 0 && login === undefined) {
    const allowed = 'HOST or HOST:PORT, as in ftp.example.net:21'
    const text = complaint('is required when intercept is none', { given: null, allowed })
    breaches.push({ path: [...path, 'upstream'], text })
  }
  if (intercept !== 'none' && upstream !== null) {
    const reason = `has no use when intercept is ${intercept}: each connection brings its own destination`
    const text = complaint(reason, {
      given: formatUpstream(upstream),
      allowed: 'nothing, or intercept: none',
    })
    breaches.push({ path: [...path, 'upstream'], text })
  }
  if (intercept !== 'none' && activeSourcePort !== null) {
    const reason = `has no use when intercept is ${intercept}: clients are called from the port before their server’s`
    const text = complaint(reason, { given: activeSourcePort, allowed: 'any' })
    breaches.push({ path: [...path, 'activeSourcePort'], text })
  }
  if (intercept !== 'none' && proxyProtocol.from.length > 0) {
    const reason = `has no use when intercept is ${intercept}: what is intercepted comes from the clients themselves`
    const text = complaint(reason, { given: proxyProtocol.from.join(', '), allowed: 'nothing' })
    breaches.push({ path: [...path, 'proxyProtocol', 'from'], text })
  }
  return breaches
}

function nameBreaches(listeners: ListenerSections): RuleBreach[] {
  return listeners.flatMap((listener, index) => {
    const earlier = listeners.findIndex((other) => other?.name === listener?.name)
    if (listener === undefined || earlier === index) return []
    const reason = `is the name of listeners[${earlier}] too`
    const text = complaint(reason, { given: listener.name, allowed: 'a name of its own for each listener' })
    return [{ path: ['listeners', index, 'name'], text }]
  })
}

function clashBreaches(places: readonly Place[]): RuleBreach[] {
  return places.flatMap((place, index) => {
    const other = places.slice(0, index).find((earlier) => listensClash(earlier.listen, place.listen))
    if (other === undefined) return []
    const reason = `clashes with ${other.called} on ${formatListen(other.listen)}`
    const text = complaint(reason, {
      given: formatListen(place.listen),
      allowed: 'an address and port of its own',
    })
    return [{ path: place.path, text }]
  })
}

function loopBreaches(listeners: ListenerSections, places: readonly Place[]): RuleBreach[] {
  return listeners.flatMap((listener, index) => {
    const upstream = listener?.upstream ?? null
    if (upstream === null) return []
    const own = places.find((place) => upstreamIsListen(upstream, place.listen))
    if (own === undefined) return []
    const reason = `leads back to ourselves: ${own.called} listens on ${formatListen(own.listen)}`
    const text = complaint(reason, { given: formatUpstream(upstream), allowed: 'another host or port' })
    return [{ path: ['listeners', index, 'upstream'], text }]
  })
}

/** A port that we listen on cannot be called from. */
export function sourcePortBreaches(
  listeners: ListenerSections,
  places: readonly Place[],
  dataPorts: readonly PortRange[],
): RuleBreach[] {
  return listeners.flatMap((listener, index) => {
    const port = listener?.activeSourcePort ?? null
    if (port === null) return []
    const place = places.find(({ listen }) => listen.port === port)
    const isData = dataPorts.some((range) => rangeHasPort(range, port))
    if (place === undefined && !isData) return []
    const reason =
      place === undefined ? 'is one of dataPorts' : `is the port on which ${place.called} listens`
    const text = complaint(reason, { given: port, allowed: 'a port on which we do not listen, or any' })
    return [{ path: ['listeners', index, 'activeSourcePort'], text }]
  })
}

function advertiseWarnings(listener: ListenerSection, path: RuleBreach['path']): RuleBreach[] {
  const { clients, servers } = listener.advertise
  return [
    ...hiddenRules(clients, [...path, 'advertise', 'clients']),
    ...hiddenRules(servers, [...path, 'advertise', 'servers']),
  ]
}

function hiddenRules(rules: readonly { readonly to: string }[], path: RuleBreach['path']): RuleBreach[] {
  return rules.flatMap((rule, index) => {
    const earlier = rules.slice(0, index).find(({ to }) => networkCovers({ outer: to, inner: rule.to }))
    if (earlier === undefined) return []
    const text = `is never used: the first rule that matches wins, and an earlier one is for ${earlier.to} (given ${rule.to})`
    return [{ path: [...path, index, 'to'], text }]
  })
}

/** Of two rules for one connection only the first is ever used. */
function catchWarnings(listeners: ListenerSections): RuleBreach[] {
  return listeners.flatMap((listener, index) => {
    if (listener === undefined || listener.intercept === 'none') return []
    const earlier = listeners
      .slice(0, index)
      .find((other) => other !== undefined && catchBoth(other, listener))
    if (earlier === undefined) return []
    const text = `takes connections that listener ${earlier.name} takes too (given ports ${listener.matches.ports.join(', ')})`
    return [{ path: ['listeners', index, 'matches'], text }]
  })
}

function catchBoth(one: ListenerSection, other: ListenerSection): boolean {
  const isCommon = <T>(these: readonly T[], those: readonly T[]) => these.some((item) => those.includes(item))
  const [from, alsoFrom] = [one.matches.interfaces, other.matches.interfaces]
  return (
    one.intercept !== 'none' &&
    isCommon(one.matches.ports, other.matches.ports) &&
    (from.length === 0 || alsoFrom.length === 0 || isCommon(from, alsoFrom)) &&
    isCommon(familiesOf(one), familiesOf(other))
  )
}

/** `[::]` stands for both families. */
function familiesOf({ listen }: ListenerSection): readonly (4 | 6)[] {
  return listen.address === '::' ? [4, 6] : [familyOf(listen.address)]
}
