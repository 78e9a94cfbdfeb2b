// Two ways to connect in somebody else's name. A transparent socket is bound to that address; the answers find it by
// the rules and the route of tproxy. Without these (redirect) the kernel translates the address instead.

import { connect, type Socket } from 'node:net'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { Libc } from '../kernel/libc.ts'
import { connectFrom } from '../kernel/transparent.ts'
import type { DisguiseNext } from '../pinhole/backend.ts'

export interface ForeignCall {
  readonly to: Endpoint
  /** The address that the peer shall see. */
  readonly as: string
  /** See `Call`. */
  readonly avoidPort: number | undefined
}

/** Begins to connect, half-open allowed; may throw an `AlgError`. */
export type ConnectAs = (call: ForeignCall) => Socket

export function byTransparentSocket(libc: Libc): ConnectAs {
  return ({ to, as, avoidPort }) => {
    const foreign = { from: { address: as, port: 0 }, to, allowHalfOpen: true }
    return connectFrom(libc, avoidPort === undefined ? foreign : { ...foreign, avoidPort })
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
