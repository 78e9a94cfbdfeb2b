import cluster from 'node:cluster'
import { createServer, type Server } from 'node:net'
import { canonicalAddress } from '../../ftp/addresses.ts'
import type { Libc } from '../../kernel/libc.ts'
import type { Listening, ListenOptions } from '../connection.ts'
import { NodeConnection, READS_ONCE_BYTES } from './connection.ts'

/** Listens; tells `listens` later. Does not take over a descriptor in a worker, where Node means one of the supervisor's. */
export function listenNode(options: ListenOptions, libc: Libc | null): Listening {
  const { at, fd, backlog, noDelay, isExclusive, accepted, lost, listens } = options
  const socketOptions = {
    allowHalfOpen: true,
    pauseOnConnect: true,
    noDelay,
    highWaterMark: READS_ONCE_BYTES,
  }
  const server: Server = createServer(socketOptions, (socket) => {
    if (socket.remoteAddress !== undefined) {
      accepted(new NodeConnection(socket, libc))
      return
    }
    // Reset before we looked, and the kernel does not tell Node whose it was.
    socket.on('error', () => undefined).destroy()
    lost?.(null)
  })
  let rest: NodeJS.Timeout | null = null
  /** Node tries again at once and fails again at once, as long as a connection waits. */
  const cannotAccept = (error: NodeJS.ErrnoException) => {
    if (rest === null) options.failed(error)
    else clearTimeout(rest)
    rest = setTimeout(() => {
      rest = null
      options.recovered?.()
    }, REST_MS)
    rest.unref()
  }
  const refused = (error: NodeJS.ErrnoException) => listens(error, at)
  server.once('error', refused)
  server.once('listening', () => {
    server.off('error', refused)
    server.on('error', cannotAccept)
    const bound = server.address()
    const isIp = typeof bound === 'object' && bound !== null
    listens(null, isIp ? { address: canonicalAddress(bound.address), port: bound.port } : at)
  })
  if (fd === undefined) server.listen({ host: at.address, port: at.port, backlog, exclusive: isExclusive })
  else if (cluster.isWorker) process.nextTick(refused, notInWorker())
  else server.listen({ fd })
  return {
    get isAccepting() {
      return rest === null
    },
    close() {
      if (rest !== null) clearTimeout(rest)
      rest = null
      server.close()
    },
  }
}

/** Without another failure for this long, it works again. */
const REST_MS = 500

function notInWorker(): NodeJS.ErrnoException {
  const text =
    'a worker takes over a socket that was opened for it only by epoll, which needs Linux and koffi'
  return Object.assign(new Error(text), { code: 'ENOTSUP' })
}
