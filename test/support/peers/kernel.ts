// What a peer must ask of the kernel because Node does not: urgent data, whether an end was a reset, and a port that
// never answers.

import type { Socket } from 'node:net'
import {
  AF_INET,
  type Libc,
  loadLibc,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../src/kernel/libc.ts'
import { decodeSockaddr, encodeSockaddr, SOCKADDR_BYTES } from '../../../src/kernel/sockaddr.ts'
import { fdOf } from '../../../src/kernel/socket-options.ts'

/** Null without koffi, as on other systems than Linux. */
const libc: Libc | null = await loadLibc().catch(() => null)

/** Whether these calls work here; a test that needs them says so when it is skipped. */
export const hasLibc = libc !== null

const MSG_OOB = 1
const SO_ERROR = 4
const ECONNRESET = 104

/** send(2) with MSG_OOB: the last byte becomes TCP's urgent byte. */
export function sendUrgent(socket: Socket, bytes: Uint8Array): void {
  const fd = fdOf(socket)
  if (libc === null || fd === null) throw new Error('no libc (koffi), or the socket is closed')
  const sent = libc.send(fd, bytes, bytes.length, MSG_OOB)
  if (sent !== bytes.length) throw new Error(`send(MSG_OOB) gave ${sent}, errno ${libc.errno()}`)
}

/**
 * Whether the connection whose `end` was just emitted was in truth reset: libuv reports the end of the stream when
 * bytes stood unread before the RST, and leaves the error with the socket.
 */
export function hidesReset(socket: Socket): boolean {
  const fd = fdOf(socket)
  if (libc === null || fd === null) return false
  const error = new Uint8Array(4)
  if (libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, error, Uint32Array.of(4)) !== 0) return false
  return new DataView(error.buffer).getInt32(0, true) === ECONNRESET
}

/** Listens on a port of 127.0.0.1 with the smallest queue, and never accepts. Gives the port and what closes it. */
export function listenDeaf(): { readonly port: number; readonly close: () => void } {
  if (libc === null) throw new Error('no libc (koffi)')
  const fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
  const address = encodeSockaddr({ address: '127.0.0.1', port: 0 })
  if (libc.bind(fd, address, address.length) !== 0 || libc.listen(fd, 0) !== 0) {
    throw new Error(`bind or listen failed, errno ${libc.errno()}`)
  }
  const bound = new Uint8Array(SOCKADDR_BYTES)
  libc.getsockname(fd, bound, Uint32Array.of(SOCKADDR_BYTES))
  return { port: decodeSockaddr(bound)?.port ?? 0, close: () => void libc.close(fd) }
}
