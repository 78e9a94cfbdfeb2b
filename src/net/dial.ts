import { connect, type Socket } from 'node:net'
import { canonicalAddress } from '../ftp/addresses.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { Libc } from '../kernel/libc.ts'
import { keepUrgentInline } from '../kernel/socket-options.ts'
import type { ConnectAs } from './connect-as.ts'
import { connectFromPort } from './connect-from-port.ts'
import { isOwnAddress } from './own-addresses.ts'

export interface Call {
  readonly to: Endpoint
  /** The address the peer shall see, ours or (with interception) somebody else's; null for the system's choice. */
  readonly from: string | null
  /** The source port that a peer expects, if it is to be had; 0 or absent for any. Counts only beside `from`. */
  readonly fromPort?: number
  /** A source port that must not be taken: the one the client itself uses on its connection to the same server. */
  readonly avoidPort?: number
}

export interface DialerOptions {
  /** What only Linux can do, or null without koffi. */
  readonly libc: Libc | null
  /** How to connect from an address that is not ours; null where nobody asks for that. */
  readonly connectAs: ConnectAs | null
}

/** Makes outgoing connections, in our own name or (through the kernel) in somebody else's. */
export class Dialer {
  readonly #libc: Libc | null
  readonly #connectAs: ConnectAs | null

  constructor({ libc, connectAs }: DialerOptions) {
    this.#libc = libc
    this.#connectAs = connectAs
  }

  /**
   * Begins to connect; wait for `connect` or `error`. The socket is paused and allows half-open. Nagle's algorithm stays
   * on: towards a server one command is outstanding at a time, and data ends with a FIN, which waits for nothing.
   *
   * Errors thrown at once: `AlgError` PRIVILEGE_MISSING, RUNTIME_FAILED or PINHOLE_FAILED for an address that is not ours.
   */
  dial({ to, from, fromPort = 0, avoidPort }: Call): Socket {
    const connectAs = this.#connectAs
    if (connectAs !== null && from !== null && !isOwnAddress(canonicalAddress(from))) {
      const socket = connectAs({ to, as: { address: from, port: fromPort }, avoidPort })
      socket.pause()
      return socket
    }
    if (from !== null && fromPort !== 0) {
      const socket = connectFromPort({ to, from: { address: from, port: fromPort } })
      socket.pause()
      return socket
    }
    const socket = connect({
      host: to.address,
      port: to.port,
      ...(from === null ? {} : { localAddress: from }),
      allowHalfOpen: true,
    })
    socket.pause()
    return socket
  }

  /** Keeps the urgent byte of a Telnet Synch in the stream, where the kernel can be asked to. */
  keepUrgent(socket: Socket): void {
    if (this.#libc !== null) keepUrgentInline(this.#libc, socket)
  }
}
