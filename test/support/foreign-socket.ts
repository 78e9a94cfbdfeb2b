import { Socket } from 'node:net'
import { canonicalAddress } from '../../src/ftp/addresses.ts'
import type { Libc } from '../../src/kernel/libc.ts'
import { fdOf } from '../../src/kernel/socket-options.ts'
import { bindForeign, type ForeignBind } from '../../src/kernel/transparent.ts'

/** One of Node's sockets that connects from an address that need not be ours; half-open is allowed. */
export function connectFrom(libc: Libc, call: ForeignBind): Socket {
  // `manualStart`: reading begins when the connection is up, not on the bare descriptor.
  const options = { fd: bindForeign(libc, call), manualStart: true, allowHalfOpen: true }
  return new Socket(options).connect({ host: call.to.address, port: call.to.port })
}

/** An accepted socket as `originalDestination` wants it. */
export function acceptedBy(socket: Socket) {
  const remote = { address: canonicalAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 }
  return { fd: fdOf(socket), remote }
}
