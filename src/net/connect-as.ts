// Two ways to connect in somebody else's name. A transparent socket is bound to that address; the answers find it by
// the rules and the route of tproxy. Without these (redirect) the kernel translates the address instead.

import type { Endpoint } from '../ftp/endpoints.ts'
import type { DisguiseNext } from '../pinhole/backend.ts'
import type { Connected, Connecting } from '../tcp/connection.ts'
import type { Tcp } from '../tcp/tcp.ts'
import { RecentKeys } from '../timing/recent-keys.ts'

export interface ForeignCall {
  readonly to: Endpoint
  /** The address and port that the peer shall see; port 0 lets the system choose. */
  readonly as: Endpoint
  /** See `Call`. */
  readonly avoidPort: number | undefined
}

/** Begins to connect; may throw an `AlgError`. */
export type ConnectAs = (call: ForeignCall, done: Connected) => Connecting

/** A port below 1024 that we may not have (CAP_NET_BIND_SERVICE) is left to the system. */
export function byTransparentSocket(tcp: Tcp): ConnectAs {
  const connectAs: ConnectAs = ({ to, as, avoidPort }, done) =>
    tcp.connectForeign({ from: as, to, avoidPort }, done)
  return (call, done) => {
    try {
      return connectAs(call, done)
    } catch (error) {
      if (call.as.port === 0) throw error
      return connectAs({ ...call, as: { ...call.as, port: 0 } }, done)
    }
  }
}

/** `avoidPort` is of no use here: the kernel finds a free port when it translates. */
export function byTranslation(tcp: Tcp, disguise: DisguiseNext): ConnectAs {
  return ({ to, as }, done) => {
    const { from, over } = disguise({ to, as })
    const stands: Connected = (error, connection) => {
      over()
      done(error, connection)
    }
    return cancelling(tcp.connect({ to, from: { address: from, port: 0 } }, stands), over)
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
  return (call, done) => {
    const { to, as } = call
    if (as.port === 0) return connectAs(call, done)
    const key = `${to.address}|${to.port}|${as.address}`
    if (connected.has(key) || resting.has(key)) return connectAs({ ...call, as: { ...as, port: 0 } }, done)
    const over = () => {
      connected.delete(key)
      resting.add(key)
    }
    const stands: Connected = (error, connection) => {
      if (connection === null) over()
      else connection.whenClosed(over)
      done(error, connection)
    }
    const connecting = connectAs(call, stands)
    connected.add(key)
    return cancelling(connecting, over)
  }
}

function cancelling(connecting: Connecting, over: () => void): Connecting {
  return {
    cancel() {
      over()
      connecting.cancel()
    },
  }
}

/** conntrack remembers a closed connection for 120 s, a socket's TIME_WAIT is 60 s. */
const REST_MS = 120_000
