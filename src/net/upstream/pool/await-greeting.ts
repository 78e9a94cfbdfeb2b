// A server is there once it greets: one that accepts and says nothing, or says 421, is not for a client.

import type { Connection } from '../../../tcp/connection.ts'
import { HeldConnection } from '../../../tcp/proxy-protocol/held-connection.ts'

export interface AwaitingGreeting {
  /** Ends the connection; nobody is called back. */
  cancel(): void
}

/** A greeting of more bytes is somebody else's business. */
const MAX_GREETING_BYTES = 65_536

/**
 * Calls back once, unless it is cancelled: with the connection, from which the greeting is still to be read, or with what
 * is wrong; then it is closed.
 */
export function awaitGreeting(
  raw: Connection,
  { timeoutMs }: { readonly timeoutMs: number },
  done: (connection: Connection | null, problem: string) => void,
): AwaitingGreeting {
  let isOver = false
  const finish = (problem: string) => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    if (problem !== '') raw.destroy()
    done(problem === '' ? held : null, problem)
  }
  const timer = setTimeout(() => finish(`no greeting within ${timeoutMs} ms`), timeoutMs)
  const held = new HeldConnection(raw, {
    look(bytes) {
      if (isOver) return null
      const line = finalLine(bytes.toString('latin1'))
      if (line === null && bytes.length < MAX_GREETING_BYTES) return null
      if (line !== null && !line.startsWith('2')) finish(`it greets with ${line}`)
      return { remote: raw.remote, length: 0 }
    },
    introduced: () => finish(''),
    ended: () => finish('it closed the connection before its greeting'),
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

/** The last line of the first reply that is final: 120 announces a delay. Null until it is there. */
function finalLine(text: string): string | null {
  const lines = text.split(/\r?\n/).slice(0, -1)
  return lines.find((line) => /^[2-5][0-9]{2}( |$)/.test(line)) ?? null
}
