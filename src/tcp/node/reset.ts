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
