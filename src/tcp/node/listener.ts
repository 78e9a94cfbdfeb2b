import { createServer, type Server } from 'node:net'
import { canonicalAddress } from '../../ftp/addresses.ts'
import type { Libc } from '../../kernel/libc.ts'
import type { Listening, ListenOptions } from '../connection.ts'
import { NodeConnection } from './connection.ts'
import { listenOnDescriptor } from './listen-on.ts'

/** Listens; tells `listens` later. */
export function listenNode(options: ListenOptions, libc: Libc | null): Listening {
  const { at, fd, backlog, noDelay, isExclusive, accepted, listens, failed } = options
  const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay }, (socket) => {
    // Gone before we looked.
    if (socket.remoteAddress !== undefined) accepted(new NodeConnection(socket, libc))
    else socket.on('error', () => undefined).destroy()
  })
  const refused = (error: NodeJS.ErrnoException) => listens(error, at)
  server.once('error', refused)
  server.once('listening', () => {
    server.off('error', refused)
    server.on('error', failed)
    const bound = server.address()
    const isIp = typeof bound === 'object' && bound !== null
    listens(null, isIp ? { address: canonicalAddress(bound.address), port: bound.port } : at)
  })
  if (fd === undefined) server.listen({ host: at.address, port: at.port, backlog, exclusive: isExclusive })
  else listenOnDescriptor(server, fd)
  return { close: () => void server.close() }
}
