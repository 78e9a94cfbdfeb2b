// Where sessions of a listener go whose server depends on what the client says.

import type { ListenerConfig } from '../../config/config.ts'
import type { UpstreamChoice } from '../../engine/contract.ts'
import type { WelcomePolicy } from '../../engine/options.ts'
import { defaultRoute, Routes } from '../../routing/routes.ts'
import { welcomeBy } from '../session/welcome.ts'
import type { Pool } from './pool/pool.ts'
import type { UpstreamTarget } from './upstreams.ts'

export interface Destination {
  readonly target: UpstreamTarget
  /** Null: the target is the server. */
  readonly pool: Pool | null
  readonly route: string
}

export interface Destinations {
  /** What the engine of a session with this client needs to choose. */
  welcome(client: string): WelcomePolicy
  of(choice: UpstreamChoice): Destination
}

type PoolOf = (named: { readonly pool?: string }) => Pool | null

/** The servers of a listener: its only one's pool, if it is one, or what its routes lead to. */
export function destinationsOf(
  listener: Pick<ListenerConfig, 'routes' | 'upstream' | 'pool'>,
  poolOf: PoolOf,
): { readonly pool: Pool | null; readonly destinations: Destinations | null } {
  return { pool: poolOf(listener), destinations: routed(listener, poolOf) }
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
