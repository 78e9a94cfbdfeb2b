// A server is there once it greets: one that accepts and says nothing, or says 421, is not for a client.

import type { Connection } from '../../../tcp/connection.ts'
import { type Introducing, introduce } from '../../../tcp/proxy-protocol/introduce.ts'

/** A longer greeting is passed on as it is. */
const MAX_GREETING_BYTES = 65_536

/**
 * Calls back once, unless it is cancelled: with the connection, from which the greeting is still to be read, or with what
 * is wrong; then it is closed.
 */
export function awaitGreeting(
  raw: Connection,
  { timeoutMs }: { readonly timeoutMs: number },
  done: (connection: Connection | null, problem: string) => void,
): Introducing {
  return introduce(
    raw,
    {
      timeoutMs,
      late: `no greeting within ${timeoutMs} ms`,
      ended: 'it closed the connection before its greeting',
      look(bytes) {
        const line = finalLine(bytes.toString('latin1'))
        if (line === null && bytes.length < MAX_GREETING_BYTES) return null
        if (line !== null && !line.startsWith('2')) return { problem: `it greets with ${line}` }
        return { remote: raw.remote, length: 0 }
      },
    },
    (connection, problem) => {
      if (connection === null) raw.destroy()
      done(connection, problem)
    },
  )
}

/** The last line of the first reply that is final: 120 announces a delay. Null until it is there. */
function finalLine(text: string): string | null {
  const lines = text.split(/\r?\n/).slice(0, -1)
  return lines.find((line) => /^[2-5][0-9]{2}( |$)/.test(line)) ?? null
}
