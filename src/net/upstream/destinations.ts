// Where sessions of a listener go whose server depends on what the client says.

import type { ListenerConfig, LoginConfig } from '../../config/config.ts'
import type { UpstreamChoice } from '../../engine/contract.ts'
import type { WelcomePolicy } from '../../engine/options.ts'
import { isOwnAddress } from '../../kernel/own-addresses.ts'
import { DestinationList, formatDestination } from '../../routing/destinations.ts'
import { defaultRoute, Routes } from '../../routing/routes.ts'
import { welcomeBy, welcomeByLogin } from '../session/welcome.ts'
import type { UpstreamCall, UpstreamTarget } from './attempt.ts'
import type { Pool } from './pool/pool.ts'

export interface Destination {
  readonly target: UpstreamTarget
  /** Null: the target is the server. */
  readonly pool: Pool | null
  /** Null: the client named the server itself. */
  readonly route: string | null
  readonly admits?: UpstreamCall['admits']
}

export interface Destinations {
  /** What the engine of a session with this client needs to choose. */
  welcome(client: string): WelcomePolicy
  of(choice: UpstreamChoice): Destination
}

type PoolOf = (named: { readonly pool?: string }) => Pool | null

/** The servers of a listener: its only one's pool, if it is one, or what its routes lead to. */
export function destinationsOf(
  listener: Pick<ListenerConfig, 'routes' | 'upstream' | 'pool' | 'login'>,
  poolOf: PoolOf,
): { readonly pool: Pool | null; readonly destinations: Destinations | null } {
  const { login } = listener
  const destinations = login === undefined ? routed(listener, poolOf) : named(login)
  return { pool: poolOf(listener), destinations }
}

function named({ clients, destinations }: LoginConfig): Destinations {
  const list = new DestinationList(destinations, isOwnAddress)
  const notation = `login ${destinations.map(formatDestination).join(' ')}`
  return {
    welcome: (client) => welcomeByLogin({ clients, list, notation }, client),
    of(choice) {
      if ('route' in choice) throw new Error('a session without routes was sent along one')
      return { target: choice, pool: null, route: null, admits: (at) => list.admitsAddress(at) }
    },
  }
}

function routed(
  { routes = [], upstream, pool }: Pick<ListenerConfig, 'routes' | 'upstream' | 'pool'>,
  poolOf: PoolOf,
): Destinations | null {
  if (routes.length === 0) return null
  const table = new Routes(routes, { hasDefault: upstream !== null })
  const own =
    upstream === null ? [] : [{ name: defaultRoute, upstream, ...(pool === undefined ? {} : { pool }) }]
  const byName = new Map(
    [...routes, ...own].map((route): [string, Destination] => {
      return [route.name, { target: route.upstream, pool: poolOf(route), route: route.name }]
    }),
  )
  return {
    welcome: (client) => welcomeBy(table, client),
    of(choice) {
      const found = 'route' in choice ? byName.get(choice.route) : undefined
      if (found === undefined) throw new Error('a session was sent along a route that does not exist')
      return found
    },
  }
}
