// The one socket that all workers listen on. Node's cluster module shares it, and would accept on it too; so `_listen2`, which
// net.Server calls once it has its handle, is replaced. The name is kept for programs that use it (lib/net.js, the same in
// Node 20 to 24).

import { createServer } from 'node:net'
import { fdOf } from '../../kernel/socket-options.ts'
import type { ConnectionError, ListenOptions } from '../connection.ts'

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
