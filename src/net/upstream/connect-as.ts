// Two ways to open a connection whose source address is not ours: a transparent socket, or translation by conntrack.
//
// A transparent socket is bound to that address; the answers find it by the rules and the route of tproxy. Towards servers, in
// the client's name.
//
// Or the kernel translates our address; conntrack brings the answers back. Towards active clients, in the server's name and from its
// port 20, with redirect and tproxy alike: a transparent socket would have the very ends that a data connection has which the
// kernel forwards between these two. The kernel finds it when the answer to such a connection passes, even in TIME_WAIT, and
// drops that answer (ip_forward does not forward what belongs to a socket here).

import type { ListenerConfig } from '../../config/config.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { AddSourceNat } from '../../pinhole/backend.ts'
import type { Connected, Connecting } from '../../tcp/connection.ts'
import type { Tcp } from '../../tcp/tcp.ts'

export interface ForeignCall {
  readonly to: Endpoint
  /** The address and port that the peer sees; port 0 lets the system choose. */
  readonly as: Endpoint
  /** See `Call`. */
  readonly avoidPort: number | undefined
}

/** Begins to connect; may throw an `AlgError`. */
export type ConnectAs = (call: ForeignCall, done: Connected) => Connecting

/** For calls from any port. */
export function byTransparentSocket(tcp: Tcp): ConnectAs {
  return ({ to, as, avoidPort }, done) => tcp.connectForeign({ from: as, to, avoidPort }, done)
}

/** `avoidPort` is of no use here: the kernel finds a free port when it translates. */
function byTranslation(tcp: Tcp, sourceNat: AddSourceNat): ConnectAs {
  return ({ to, as }, done) => {
    const { from, release } = sourceNat({ to, as })
    const stands: Connected = (error, connection) => {
      release()
      done(error, connection)
    }
    return cancelling(tcp.connect({ to, from: { address: from, port: 0 } }, stands), release)
  }
}

/** Each call in its own way: an active client is the only one that is called from a certain port. */
function byPort({ certain, any }: { readonly certain: ConnectAs; readonly any: ConnectAs }): ConnectAs {
  return (call, done) => (call.as.port === 0 ? any : certain)(call, done)
}

/** How a listener's data connections are made in the name of the client or the server; null: in our own only. */
export function connectAsFor(
  { intercept, source }: Pick<ListenerConfig, 'intercept' | 'source'>,
  tcp: Tcp,
  sourceNat: AddSourceNat | null,
): ConnectAs | null {
  if (sourceNat === null) return null
  // Its active clients are called in our own name.
  if (intercept === 'none') return source === 'client' ? byTransparentSocket(tcp) : null
  const translated = byTranslation(tcp, sourceNat)
  return intercept === 'redirect'
    ? translated
    : byPort({ certain: translated, any: byTransparentSocket(tcp) })
}

function cancelling(connecting: Connecting, release: () => void): Connecting {
  return {
    cancel() {
      release()
      connecting.cancel()
    },
  }
}
