// Resets that Node neither sees nor sends by itself. A reset must stay one: turned into a FIN, half a file looks whole.

import type { Socket } from 'node:net'

/**
 * Sends RST and closes, at whatever moment.
 *
 * While a FIN is under way libuv refuses to reset (EINVAL) and Node then forgets the handle without closing it: no
 * RST, no `close` event, a file descriptor lost. So the FIN goes first.
 */
export function resetSocket(socket: Socket): void {
  const isShutting = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (isShutting && !socket.destroyed) socket.once('finish', () => socket.resetAndDestroy())
  else socket.resetAndDestroy()
}

/**
 * Whether a connection whose `end` was just read had been reset. Only known while our own side is open: afterwards
 * the kernel forgets a connection that ended properly too.
 *
 * When bytes stand unread before the RST, libuv reads them and reports the end of the stream, not the error
 * (`uv__stream_io` on POLLHUP after a partial read). The kernel knows better: a reset connection has no peer.
 */
export function wasReset(socket: Socket): boolean {
  if (socket.writableEnded) return false
  const handle: unknown = Reflect.get(socket, '_handle')
  return hasGetPeerName(handle) && handle.getpeername({}) !== 0
}

function hasGetPeerName(handle: unknown): handle is { getpeername(into: object): number } {
  return typeof handle === 'object' && handle !== null && 'getpeername' in handle
}
