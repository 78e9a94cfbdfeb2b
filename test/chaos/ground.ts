// Where the peers are: addresses of loopback, or hosts in namespaces beside a gateway.

import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { openTransparentListener } from '../../src/kernel/transparent.ts'
import type { Lab } from '../support/kernel-netns.ts'
import type { Endpoint } from '../support/peers/scripted-server.ts'
import type { PeerSide } from './plan.ts'

export interface Listening extends Endpoint {
  close(): void
}

export interface Ground {
  /** The address of the client with this number. */
  client(host: number): string
  readonly server: string
  /** Connected, paused, half-open capable. Rejects when it is refused. */
  connect(side: PeerSide, from: string, to: Endpoint): Promise<Socket>
  /** `port` 0 lets the system choose. */
  listen(side: PeerSide, at: Endpoint, accepted: (socket: Socket) => void): Promise<Listening>
}

const accepting = { allowHalfOpen: true, pauseOnConnect: true }

export const loopback: Ground = {
  client: (host) => `127.0.0.${host}`,
  server: '127.0.0.101',
  connect: (_, from, { address, port }) =>
    connected(connect({ host: address, port, localAddress: from, allowHalfOpen: true })),
  listen: async (_, at, accepted) => {
    const server = createServer(accepting, accepted)
    return listening(server, () => server.listen({ host: at.address, port: at.port, backlog: 511 }))
  },
}

/** The client and the server are hosts of a lab, whose gateway is where this process is. */
export function namespaces(lab: Lab): Ground {
  return {
    client: () => lab.address('client'),
    server: lab.address('server'),
    connect: (side, from, to) => connected(lab.connect(side, to, { address: from })),
    listen: async (side, at, accepted) => {
      const { fd } = lab.within(side, () => openTransparentListener(lab.libc, at))
      const server = createServer(accepting, accepted)
      return listening(server, () => server.listen({ fd }))
    },
  }
}

async function connected(socket: Socket): Promise<Socket> {
  socket.pause()
  await once(socket, 'connect')
  return socket
}

async function listening(server: Server, listen: () => void): Promise<Listening> {
  const listens = once(server, 'listening')
  listen()
  await listens
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the listener is not bound')
  return { address: bound.address, port: bound.port, close: () => server.close() }
}
