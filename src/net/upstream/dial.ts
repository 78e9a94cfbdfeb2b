import { canonicalAddress } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import { isOwnAddress } from '../../kernel/own-addresses.ts'
import type { Connected, Connecting } from '../../tcp/connection.ts'
import type { Tcp } from '../../tcp/tcp.ts'
import type { ConnectAs } from './connect-as.ts'

export interface Call {
  readonly to: Endpoint
  /** The address that the peer sees: ours or, with interception, another host's; null for the system's choice. */
  readonly from: string | null
  /** The source port that a peer expects, where it is available; 0 or absent for any. Counts only beside `from`. */
  readonly fromPort?: number
  /** A source port that must not be taken: the one the client itself uses on its connection to the same server. */
  readonly avoidPort?: number
}

export interface DialerOptions {
  readonly tcp: Tcp
  /** How to connect from an address that is not ours; null where that is not configured. */
  readonly connectAs: ConnectAs | null
}

/** Makes outgoing connections, from our own address or (through the kernel) from another. */
export class Dialer {
  readonly #options: DialerOptions

  constructor(options: DialerOptions) {
    this.#options = options
  }

  /**
   * Begins to connect.
   *
   * Errors thrown at once: `AlgError` PRIVILEGE_MISSING, RUNTIME_FAILED or PINHOLE_FAILED for an address that is not ours.
   */
  dial({ to, from, fromPort = 0, avoidPort }: Call, done: Connected): Connecting {
    const { tcp, connectAs } = this.#options
    if (from === null) return tcp.connect({ to, from: null }, done)
    const as = { address: from, port: fromPort }
    if (connectAs === null || isOwnAddress(canonicalAddress(from))) return tcp.connect({ to, from: as }, done)
    return connectAs({ to, as, avoidPort }, done)
  }
}
