// A netlink socket that tells things by itself, read in Node's event loop.

import { Socket } from 'node:net'
import {
  AF_UNIX,
  EAGAIN,
  type Libc,
  MSG_DONTWAIT,
  O_CLOEXEC,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  syscallError,
} from './libc.ts'

export interface DatagramSocket {
  readonly socket: Socket
  /** Reads what waits, without waiting for the event loop; nothing while a datagram is being read. */
  readNow(): void
}

/**
 * Lets Node's event loop read a descriptor that it would not take; it owns the descriptor from now on. `new Socket({ fd })`
 * looks at the kind of descriptor and knows no netlink, so it is given one end of a socket pair, and the netlink socket
 * is then moved to that number before anything is read. One read gives one datagram, valid during the call; where
 * more wait they are read at once, or a busy loop, which reads each descriptor once a turn, would fall behind.
 *
 * Does not keep the process alive. ENOBUFS, when the kernel had more to tell than the buffer holds, is an `error`.
 */
export function readDatagrams(libc: Libc, fd: number, read: (datagram: DataView) => void): DatagramSocket {
  const pair = new Int32Array(2)
  if (libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) !== 0) {
    throw syscallError(libc, 'RUNTIME_FAILED', 'socketpair')
  }
  const [kept = -1, spare = -1] = pair
  const buffer = Buffer.allocUnsafeSlow(DATAGRAM_BYTES)
  const options = {
    fd: kept,
    writable: false,
    // Not documented, but what Node's own net.connect uses: do not read yet.
    manualStart: true,
    onread: {
      buffer,
      callback(length: number) {
        tell(length)
        readMore(DATAGRAMS_A_TURN - 1)
        return true
      },
    },
  }
  const socket = new Socket(options)
  let isReading = false
  const tell = (length: number) => {
    isReading = true
    try {
      read(new DataView(buffer.buffer, 0, length))
    } finally {
      isReading = false
    }
  }
  const readMore = (most: number) => {
    for (let more = 0; more < most && !socket.destroyed; more++) {
      const next = libc.recv(kept, buffer, DATAGRAM_BYTES, MSG_DONTWAIT)
      if (next > 0) {
        tell(next)
        continue
      }
      // ENOBUFS is reported only once.
      if (libc.errno() !== EAGAIN) socket.destroy(syscallError(libc, 'RUNTIME_FAILED', 'recv from netlink'))
      return
    }
  }
  const moved = libc.dup3(fd, kept, O_CLOEXEC)
  libc.close(fd)
  libc.close(spare)
  if (moved !== kept) throw syscallError(libc, 'RUNTIME_FAILED', 'dup3')
  socket.resume()
  socket.unref()
  const readNow = () => {
    // The buffer is in use.
    if (!isReading) readMore(DATAGRAMS_A_TURN)
  }
  return { socket, readNow }
}

const DATAGRAMS_A_TURN = 64
/** A conntrack event has about 300 bytes; logged packets come together, in up to 8 KiB. */
const DATAGRAM_BYTES = 16 * 1024
