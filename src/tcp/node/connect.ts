import { connect, type Socket } from 'node:net'
import type { Libc } from '../../kernel/libc.ts'
import type { ConnectCall, Connected, Connecting } from '../connection.ts'
import { connectFromPort } from './connect-from-port.ts'
import { NodeConnection } from './connection.ts'

/**
 * Connects. Nagle's algorithm stays on: towards a server one command is outstanding at a time, and data ends with a FIN,
 * which waits for nothing.
 */
export function connectNode(call: ConnectCall, done: Connected, libc: Libc | null): Connecting {
  const socket = socketFor(call)
  socket.pause()
  let isCancelled = false
  const failed = (error: NodeJS.ErrnoException) => {
    if (!isCancelled) done(error, null)
  }
  socket.once('error', failed)
  socket.once('connect', () => {
    socket.off('error', failed)
    if (!isCancelled) done(null, new NodeConnection(socket, libc))
  })
  return {
    cancel() {
      isCancelled = true
      socket.destroy()
    },
  }
}

function socketFor({ to, from }: ConnectCall): Socket {
  if (from !== null && from.port !== 0) return connectFromPort({ to, from })
  const local = from === null ? {} : { localAddress: from.address }
  return connect({ host: to.address, port: to.port, ...local, allowHalfOpen: true })
}
