// Two ways to connect in somebody else's name. A transparent socket is bound to that address; the answers find it by
// the rules and the route of tproxy. Without these (redirect) the kernel translates the address instead.

import { connect, type Socket } from 'node:net'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { Libc } from '../kernel/libc.ts'
import { connectFrom } from '../kernel/transparent.ts'
import type { DisguiseNext } from '../pinhole/backend.ts'
import { RecentKeys } from '../timing/recent-keys.ts'

export interface ForeignCall {
  readonly to: Endpoint
  /** The address and port that the peer shall see; port 0 lets the system choose. */
  readonly as: Endpoint
  /** See `Call`. */
  readonly avoidPort: number | undefined
}

/** Begins to connect, half-open allowed; may throw an `AlgError`. */
export type ConnectAs = (call: ForeignCall) => Socket

/** A port below 1024 that we may not have (CAP_NET_BIND_SERVICE) is left to the system. */
export function byTransparentSocket(libc: Libc): ConnectAs {
  const connectAs: ConnectAs = ({ to, as, avoidPort }) => {
    const foreign = { from: as, to, allowHalfOpen: true }
    return connectFrom(libc, avoidPort === undefined ? foreign : { ...foreign, avoidPort })
  }
  return (call) => {
    try {
      return connectAs(call)
    } catch (error) {
      if (call.as.port === 0) throw error
      return connectAs({ ...call, as: { ...call.as, port: 0 } })
    }
  }
}

/** `avoidPort` is of no use here: the kernel finds a free port when it translates. */
export function byTranslation(disguise: DisguiseNext): ConnectAs {
  return ({ to, as }) => {
    const { from, over } = disguise({ to, as })
    const call = { host: to.address, port: to.port, localAddress: from, allowHalfOpen: true }
    return connect(call).once('connect', over).once('close', over)
  }
}

/**
 * Asks for a certain port only where the same two endpoints are not connected, nor were lately: a client that names one
 * port again and again would be refused until the system has forgotten the connection before.
 */
export function withRestingPorts(connectAs: ConnectAs, now: () => number): ConnectAs {
  const connected = new Set<string>()
  /** Until the system has forgotten them. */
  const resting = new RecentKeys({ forMs: REST_MS, now })
  return (call) => {
    const { to, as } = call
    if (as.port === 0) return connectAs(call)
    const key = `${to.address}|${to.port}|${as.address}`
    if (connected.has(key) || resting.has(key)) return connectAs({ ...call, as: { ...as, port: 0 } })
    const socket = connectAs(call)
    connected.add(key)
    return socket.once('close', () => {
      connected.delete(key)
      resting.add(key)
    })
  }
}

/** conntrack remembers a closed connection for 120 s, a socket's TIME_WAIT is 60 s. */
const REST_MS = 120_000
