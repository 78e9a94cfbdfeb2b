import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Connection } from '../connection.ts'
import { readProxyHeader } from './header.ts'
import { type Introducing, introduce } from './introduce.ts'
import type { Introduction } from './tlv.ts'

/** A connection whose peer is who its header names. */
export interface Introduced {
  readonly connection: Connection
  /** Where the peer meant to go, canonical; null where the balancer speaks for itself. */
  readonly destination: Endpoint | null
  /** What it says of the client beside that; null: nothing. */
  readonly introduction: Introduction | null
}

/**
 * Waits for the PROXY header of a connection and calls back once, unless it is cancelled: with the connection behind it,
 * or with what is wrong; then the connection is reset.
 */
export function receiveProxyHeader(
  raw: Connection,
  { timeoutMs }: { readonly timeoutMs: number },
  done: (introduced: Introduced | null, problem: string) => void,
): Introducing {
  let destination: Endpoint | null = null
  let introduction: Introduction | null = null
  return introduce(
    raw,
    {
      timeoutMs,
      late: `no PROXY header came within ${timeoutMs} ms`,
      ended: 'the connection ended before its PROXY header',
      look(bytes) {
        const read = readProxyHeader(bytes)
        if (read.type === 'wrong') return { problem: `what came is no PROXY header: ${read.why}` }
        if (read.type === 'partial') return null
        const { ends, length } = read.header
        destination = ends?.destination ?? null
        introduction = read.header.introduction ?? null
        return { remote: ends?.source ?? raw.remote, length }
      },
    },
    (connection, problem) => {
      if (connection === null) raw.reset()
      done(connection === null ? null : { connection, destination, introduction }, problem)
    },
  )
}
