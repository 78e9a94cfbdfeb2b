import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Connection } from '../connection.ts'
import { type ProxyHeader, readProxyHeader } from './header.ts'
import { HeldConnection } from './held-connection.ts'

/** A connection whose peer is who its header names. */
export interface Introduced {
  readonly connection: Connection
  /** Where the peer meant to go, canonical; null where the balancer speaks for itself. */
  readonly destination: Endpoint | null
}

export interface Receiving {
  /** Ends the connection; nobody is called back. */
  cancel(): void
}

/**
 * Waits for the PROXY header of a connection and calls back once, unless it is cancelled: with the connection behind it,
 * or with what is wrong; then the connection is reset.
 */
export function receiveProxyHeader(
  raw: Connection,
  { timeoutMs }: { readonly timeoutMs: number },
  done: (introduced: Introduced | null, problem: string) => void,
): Receiving {
  let header: ProxyHeader | null = null
  let isOver = false
  const finish = (problem: string) => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    if (header === null) raw.reset()
    done(
      header === null ? null : { connection: held, destination: header.ends?.destination ?? null },
      problem,
    )
  }
  const timer = setTimeout(() => finish(`no PROXY header came within ${timeoutMs} ms`), timeoutMs)
  const held = new HeldConnection(raw, {
    look(bytes) {
      if (isOver) return null
      const read = readProxyHeader(bytes)
      if (read.type === 'wrong') finish(`what came is no PROXY header: ${read.why}`)
      if (read.type !== 'whole') return null
      header = read.header
      return { remote: header.ends?.source ?? raw.remote, length: header.length }
    },
    introduced: () => finish(''),
    ended: () => finish('the connection ended before its PROXY header'),
  })
  return {
    cancel() {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      raw.destroy()
    },
  }
}
