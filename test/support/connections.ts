// Connections of the product's own, for tests that stand in for a session.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { loadLibc } from '../../src/kernel/libc.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { Introductions } from '../../src/tcp/proxy-protocol/introductions.ts'
import { Tcp } from '../../src/tcp/tcp.ts'

const libc = await loadLibc().catch(() => null)
if (libc === null) console.log('skipped: connections by epoll(7) need Linux and koffi')

/** Both makes, where this machine has them. */
export const makes: readonly { readonly make: 'epoll' | 'node'; readonly tcp: Tcp }[] = [
  { make: 'node', tcp: new Tcp({ libc, make: 'node' }) },
  ...(libc === null ? [] : [{ make: 'epoll' as const, tcp: new Tcp({ libc }) }]),
]

/** The better one. */
export const tcp = makes.at(-1)?.tcp ?? new Tcp({ libc: null })

/** Nobody comes through a balancer. */
export const introductions = new Introductions({ from: [], timeoutMs: 1_000 })

/** Sends back what comes, and FIN for FIN. */
export function echo(connection: Connection): void {
  connection.start({
    received(bytes, byteCount) {
      connection.writeBytes(bytes, byteCount)
      return connection.unsentBytes === 0
    },
    ended: () => connection.end(),
    drained: () => connection.resume(),
    closed: () => undefined,
  })
}

export interface Pair {
  /** As the product gets it: unread. */
  readonly connection: Connection
  /** The peer's end, paused; half-open is allowed. */
  readonly socket: Socket
}

/** Both ends of a new connection. */
export async function connectionPair(by: Tcp = tcp): Promise<Pair> {
  const { port, next, close } = await listenOnLoopback(by)
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  socket.pause()
  const connects = once(socket, 'connect')
  const connection = await next
  await connects
  close()
  return { connection, socket }
}

/** `next` is the first connection that comes. */
export function listenOnLoopback(
  by: Tcp = tcp,
): Promise<{ port: number; next: Promise<Connection>; close: () => void }> {
  return new Promise((resolve, reject) => {
    let accepted: (connection: Connection) => void = () => undefined
    const next = new Promise<Connection>((found) => {
      accepted = found
    })
    const listening = by.listen({
      at: { address: '127.0.0.1', port: 0 },
      backlog: 16,
      noDelay: false,
      isExclusive: true,
      accepted: (connection) => accepted(connection),
      // Called before `listen` has returned, perhaps.
      listens: (error, { port }) =>
        queueMicrotask(() => {
          if (error === null) resolve({ port, next, close: () => listening.close() })
          else reject(error)
        }),
      failed: reject,
    })
  })
}
