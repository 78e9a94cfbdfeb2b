import cluster from 'node:cluster'
import type { Server } from 'node:net'

/**
 * Listens on a descriptor of this process, whatever process this is; `listening` or `error` follows.
 *
 * In a worker `server.listen({ fd })` means the descriptor of that number in the supervisor, and its option `exclusive` is
 * not looked at. `_listen2` is what Node calls where there are no workers; its name is kept for programs that use it
 * (lib/net.js, the same in Node 20 to 24).
 */
export function listenOnDescriptor(server: Server, fd: number): void {
  if (!cluster.isWorker) {
    server.listen({ fd })
    return
  }
  const listenHere: unknown = Reflect.get(server, '_listen2')
  if (typeof listenHere !== 'function') {
    throw new Error(`Node ${process.version} has no server._listen2: workers cannot listen on descriptors`)
  }
  Reflect.apply(listenHere, server, [null, null, null, BACKLOG, fd])
}

/** Node's default. */
const BACKLOG = 511
