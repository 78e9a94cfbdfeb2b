// Where a client wants to go: named by the configuration, or read from the connection that was intercepted.

import type { ListenerConfig } from '../../config/config.ts'
import { canonicalAddress } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Libc } from '../../kernel/libc.ts'
import { isOwnAddress } from '../../kernel/own-addresses.ts'
import { originalDestination } from '../../kernel/socket-options.ts'
import type { Restore } from '../../pinhole/backend.ts'
import type { Connection } from '../../tcp/connection.ts'
import type { Route } from './listener.ts'
import { Translation } from './translation.ts'

export interface RouteOptions {
  readonly listener: ListenerConfig
  /** Null where nothing is intercepted. */
  readonly libc: Libc | null
  /** Null where the kernel translates nothing. */
  readonly restore: Restore | null
  /** Whether a connection to this endpoint would come back to ourselves. */
  readonly isOwnListener: (endpoint: Endpoint) => boolean
}

/**
 * The route of one accepted connection.
 *
 * `redirect`: what conntrack says it was before the rule changed it. `tproxy`: the address it arrived at. A destination
 * that is ourselves, or cannot be found, is refused: the client connected to the interception port itself.
 */
export function routeOf(connection: Connection, options: RouteOptions): Route {
  const { listener, libc, restore, isOwnListener } = options
  const { intercept, upstream, routes = [], login } = listener
  if (intercept === 'none') {
    if (routes.length > 0 || login !== undefined)
      return { target: null, interceptedDestination: null, translation: null }
    return upstream === null
      ? { refusal: 'no_destination' }
      : { target: upstream, interceptedDestination: null, translation: null }
  }
  const destination = intercept === 'tproxy' ? arrivedAt(connection) : knownBefore(connection, libc)
  if (destination === null) return { refusal: 'no_destination' }
  if (isOwnListener(destination)) return { refusal: 'loop' }
  const target = upstream ?? { host: destination.address, port: destination.port }
  const isTranslated = intercept === 'redirect' && libc !== null && restore !== null
  const translation = isTranslated
    ? new Translation({ libc, connection, wanted: destination, restore })
    : null
  return { target, interceptedDestination: destination.address, translation }
}

function arrivedAt(connection: Connection): Endpoint | null {
  const local = connection.local()
  return local === null ? null : { address: canonicalAddress(local.address), port: local.port }
}

function knownBefore(connection: Connection, libc: Libc | null): Endpoint | null {
  return libc === null ? null : originalDestination(libc, connection)
}

/** Whether a connection to an endpoint would come to that listener: a wildcard is reached at every address of the machine. */
export function reaches(bound: Endpoint, { address, port }: Endpoint): boolean {
  if (bound.port !== port) return false
  const isWildcard = bound.address === '0.0.0.0' || bound.address === '::'
  return bound.address === address || (isWildcard && isOwnAddress(address))
}
