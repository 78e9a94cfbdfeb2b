import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Keeps at most `max` connections. When one more comes, the oldest goes that is not being answered: whoever holds
 * connections without asking anything must not keep a probe out.
 */
export function limitConnections(server: Server, max: number): void {
  /** Oldest first, each with how many of its requests are being answered. */
  const connections = new Map<Socket, number>()
  server.on('connection', (socket) => {
    if (connections.size >= max) victimOf(connections)?.destroy()
    connections.set(socket, 0)
    socket.once('close', () => connections.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    connections.set(socket, (connections.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (connections.get(socket) ?? 0) - 1
      if (connections.has(socket)) connections.set(socket, left)
    })
  })
}

function victimOf(connections: ReadonlyMap<Socket, number>): Socket | undefined {
  for (const [socket, answering] of connections) if (answering === 0 && !socket.destroyed) return socket
  return [...connections.keys()].find((socket) => !socket.destroyed)
}
