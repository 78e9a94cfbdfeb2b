// One process at a time has tables of a name: who started a second one would empty those of the first. The lock is an
// abstract socket, because its names, like the tables, belong to a network namespace, and because it ends with the process.
// @see unix(7) under "Abstract sockets"

import { connect, createServer, type Server } from 'node:net'
import { AlgError } from '../errors.ts'
import { type Libc, SOL_SOCKET } from './libc.ts'
import { fdOf } from './socket-options.ts'

export interface TableLock {
  /** Any number of times. */
  release(): void
}

/**
 * Reserves the tables of a name for this process.
 *
 * A name that is taken by a user who is neither root nor ours is no instance of ours, and does not keep us from starting.
 * Errors: RUNTIME_FAILED, with the process that has them.
 */
export async function lockTables(libc: Libc, table: string): Promise<TableLock> {
  const server = createServer((socket) => socket.destroy())
  const path = `\0ftp-alg/tables/${table}`.padEnd(SUN_PATH_BYTES, '\0')
  if (await listens(server, path)) return { release: () => void server.close() }
  const holder = await holderOf(libc, path)
  if (holder !== null && (holder.uid === 0 || holder.uid === process.getuid?.())) {
    const { pid } = holder
    throw new AlgError(
      'RUNTIME_FAILED',
      `another ftp-alg runs here with the tables ${table} (process ${pid}): stop it, or give one of the two a pinholes.table of its own, such as ftp_alg_two`,
      { context: { table, pid } },
    )
  }
  return { release: () => undefined }
}

interface Holder {
  readonly pid: number
  readonly uid: number
}

function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else
        reject(
          new AlgError('RUNTIME_FAILED', `cannot reserve our tables: ${error.message}`, { cause: error }),
        )
    })
    server.listen({ path, exclusive: true }, () => {
      server.unref()
      resolve(true)
    })
  })
}

/** Who listens there; null when the port is free again. */
function holderOf(libc: Libc, path: string): Promise<Holder | null> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('error', () => resolve(null))
    socket.once('connect', () => {
      const fd = fdOf(socket)
      // struct ucred: process, user, group.
      const credentials = new Uint8Array(12)
      const isKnown =
        fd !== null &&
        libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, Uint32Array.of(credentials.length)) === 0
      const [pid = 0, uid = -1] = new Int32Array(credentials.buffer)
      resolve(isKnown ? { pid, uid } : null)
      socket.destroy()
    })
  })
}

const SO_PEERCRED = 17
/** Node 20 fills the name up to this, later ones do not: filled here it is the same name for both. */
const SUN_PATH_BYTES = 108
