// Where a client wants to go: named by the configuration, or read from the connection that was intercepted.

import type { Socket } from 'node:net'
import type { ListenerConfig } from '../config/config.ts'
import { canonicalAddress } from '../ftp/addresses.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { Libc } from '../kernel/libc.ts'
import { originalDestination } from '../kernel/socket-options.ts'
import type { Route } from './listener.ts'

export interface RouteOptions {
  readonly listener: ListenerConfig
  /** Null where nothing is intercepted. */
  readonly libc: Libc | null
  /** Whether a connection to this endpoint would come back to ourselves. */
  readonly isOwnListener: (endpoint: Endpoint) => boolean
}

/**
 * The route of one accepted connection.
 *
 * `redirect`: what conntrack says it was before the rule changed it. `tproxy`: the address it arrived at. A destination
 * that is ourselves, or cannot be found, is refused: somebody connected to the interception port itself.
 */
export function routeOf(socket: Socket, { listener, libc, isOwnListener }: RouteOptions): Route {
  const { intercept, upstream } = listener
  if (intercept === 'none') {
    return upstream === null ? { refusal: 'no_destination' } : { target: upstream, assumed: null }
  }
  const destination = intercept === 'tproxy' ? arrivedAt(socket) : knownBefore(socket, libc)
  if (destination === null) return { refusal: 'no_destination' }
  if (isOwnListener(destination)) return { refusal: 'loop' }
  const target = upstream ?? { host: destination.address, port: destination.port }
  return { target, assumed: destination.address }
}

function arrivedAt({ localAddress, localPort }: Socket): Endpoint | null {
  if (localAddress === undefined || localPort === undefined) return null
  return { address: canonicalAddress(localAddress), port: localPort }
}

function knownBefore(socket: Socket, libc: Libc | null): Endpoint | null {
  return libc === null ? null : originalDestination(libc, socket)
}
