// Single connections inside a namespace, made by this process: a socket belongs to the namespace that its thread was
// in when it was made.

import { closeSync, openSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import type { Endpoint } from '../../../../src/ftp/endpoints.ts'
import { loadFfi } from '../../../../src/kernel/ffi.ts'
import { loadLibc } from '../../../../src/kernel/libc.ts'
import { openTransparentListener } from '../../../../src/kernel/transparent.ts'
import { connectFrom } from '../../../support/foreign-socket.ts'
import type { PeerSockets } from '../../../support/peers/own-sockets.ts'
import { within } from '../../../support/peers/patience.ts'
import { Wire } from '../../../support/peers/wire.ts'
import type { Place } from '../../../support/programs.ts'

const CLONE_NEWNET = 0x40000000

const libc = await loadLibc()
const setns: (fd: number, kind: number) => number = (await loadFfi())
  .load(null)
  .func('int setns(int fd, int kind)')

export interface Visit {
  /** The namespace. */
  readonly in: Place
  readonly to: Endpoint
  readonly from?: Endpoint
}

/** Begins to connect; whether anybody answers is another question. */
export function startConnecting({ in: place, to, from }: Visit): Socket {
  const source = from ?? { address: to.address.includes(':') ? '::' : '0.0.0.0', port: 0 }
  const socket = inNamespace(place, () => connectFrom(libc, { from: source, to }))
  socket.pause()
  socket.on('error', () => undefined)
  return socket
}

/** Connects; rejects when that is refused or nobody answers. */
export async function connectWire(visit: Visit): Promise<Wire> {
  const socket = startConnecting(visit)
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  await within(connected, { what: `a connection to ${visit.to.address} port ${visit.to.port}`, ms: 5_000 })
  return new Wire(socket)
}

/** Listens in a namespace until it is closed. */
export async function listenIn(
  place: Place,
  at: Endpoint,
  accept: (socket: Socket) => void,
): Promise<Server> {
  const { fd } = inNamespace(place, () => openTransparentListener(libc, at))
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, accept)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ fd }, resolve)
  })
  return server
}

/** What the peers of a test's own need to be on a host. */
export function socketsIn(place: Place): PeerSockets {
  return {
    connect: (to, from) =>
      startConnecting({ in: place, to, ...(from === undefined ? {} : { from: { address: from, port: 0 } }) }),
    listen: (at, accept) => listenIn(place, at, accept),
  }
}

/** Runs synchronous code with this thread inside a namespace. */
function inNamespace<Result>(place: Place, run: () => Result): Result {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  const away = openSync(`/run/netns/${place.name}`, 'r')
  try {
    if (setns(away, CLONE_NEWNET) !== 0) throw new Error(`cannot enter ${place.name}`)
    return run()
  } finally {
    if (setns(home, CLONE_NEWNET) !== 0) process.abort()
    closeSync(home)
    closeSync(away)
  }
}
