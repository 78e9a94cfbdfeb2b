// What a peer must ask of the kernel because Node does not: urgent data, and whether an end was a reset.

import type { Socket } from 'node:net'
import { type Libc, loadLibc, SOL_SOCKET } from '../../../src/kernel/libc.ts'
import { fdOf } from '../../../src/kernel/socket-options.ts'

/** Null without koffi, as on other systems than Linux. */
const libc: Libc | null = await loadLibc().catch(() => null)

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
