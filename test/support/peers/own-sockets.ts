// Where a peer of a test's own makes its connections: here, or in a network namespace (test/e2e/transparent/lab/sockets.ts).

import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'

/** All sockets are half-open. */
export interface PeerSockets {
  /** Emits `connect` or `error`; `from` is an address of the peer's. */
  connect(to: Endpoint, from?: string): Socket
  /** Resolves when it listens; port 0 lets the system choose. */
  listen(at: Endpoint, accept: (socket: Socket) => void): Promise<Server>
}

export const ownSockets: PeerSockets = {
  connect: ({ address, port }, from) =>
    connect({
      host: address,
      port,
      ...(from === undefined ? {} : { localAddress: from }),
      allowHalfOpen: true,
    }),
  listen: async ({ address, port }, accept) => {
    const server = createServer({ allowHalfOpen: true }, accept)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: address, port }, resolve)
    })
    return server
  },
}

/** The first connection to come; the server then listens no more. */
export async function listenForOne(
  sockets: PeerSockets,
  address: string,
): Promise<{ readonly at: Endpoint; readonly accepted: Promise<Socket> }> {
  let arrived: (socket: Socket) => void = () => undefined
  const accepted = new Promise<Socket>((resolve) => {
    arrived = resolve
  })
  const server = await sockets.listen({ address, port: 0 }, (socket) => {
    server.close()
    arrived(socket)
  })
  return { at: boundTo(server), accepted }
}

export function boundTo(server: Server): Endpoint {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server is not bound')
  return bound
}
