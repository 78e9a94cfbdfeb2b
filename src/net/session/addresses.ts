import type { Side } from '../../engine/contract.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'

/** Who is who in one session. Canonical text but for `local`. */
export interface SessionAddresses {
  /** The control peer's address on a side: the only one that may come to a pinhole there. */
  readonly peer: (side: Side) => string
  /**
   * The address at which a side's peer knows us, as the system writes it: our own on that control connection, or with
   * interception the server's towards the client.
   */
  readonly local: (side: Side) => string
  /** What a side's peer is told, from where a pinhole is open. */
  readonly announce: (side: Side, at: Endpoint) => Endpoint
}
