// Two ways around what Node's cluster module makes of `server.listen` in a worker. Both use `_listen2`, which net.Server
// calls once it has its handle; the name is kept for programs that use it (lib/net.js, the same in Node 20 to 24).

import cluster from 'node:cluster'
import { createServer, type Server } from 'node:net'
import { fdOf } from '../../kernel/socket-options.ts'
import type { ConnectionError, ListenOptions } from '../connection.ts'

/**
 * Listens on a descriptor of this process, whatever process this is; `listening` or `error` follows. In a worker
 * `server.listen({ fd })` means the descriptor of that number in the supervisor, and `exclusive` is not looked at.
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

/** A bound descriptor that all workers have; it is the cluster module's to close. */
export interface SharedDescriptor {
  readonly fd: number
  readonly close: () => void
}

/**
 * Asks the supervisor for the socket at this address, which it binds for all workers, and does not let Node listen on it.
 * Calls back once, later; never where this is no worker.
 */
export function shareDescriptor(
  { at, backlog }: Pick<ListenOptions, 'at' | 'backlog'>,
  done: (error: ConnectionError | null, shared: SharedDescriptor | null) => void,
): SharedDescriptor['close'] {
  const server = createServer()
  let isClosed = false
  const close = () => {
    isClosed = true
    server.close()
  }
  server.once('error', (error: ConnectionError) => done(error, null))
  Reflect.set(server, '_listen2', () => {
    const fd = fdOf(server)
    if (isClosed) server.close()
    else if (fd === null) done(new Error('the supervisor gave no socket'), null)
    else done(null, { fd, close })
  })
  server.listen({ host: at.address, port: at.port, backlog })
  return close
}

/** Node's default. */
const BACKLOG = 511
