import type { Connection } from '../connection.ts'
import { HeldConnection, type Introduction } from './held-connection.ts'

export interface Introducing {
  /** Ends the connection; no callback is called. */
  cancel(): void
}

export interface IntroduceOptions {
  readonly timeoutMs: number
  /** What is wrong when no header has come in time, and when the connection ends before. */
  readonly late: string
  readonly ended: string
  /** Looks at the first bytes each time there are more; null where they do not tell yet. */
  readonly look: (bytes: Buffer) => Introduction | { readonly problem: string } | null
}

/**
 * Waits for the first bytes of a connection and calls back once, unless it is cancelled: with the connection to be handed on,
 * or with what is wrong; then the connection is the caller's to close.
 */
export function introduce(
  raw: Connection,
  { timeoutMs, late, ended, look }: IntroduceOptions,
  done: (held: Connection | null, problem: string) => void,
): Introducing {
  let isOver = false
  /** True the first time. */
  const settle = () => {
    if (isOver) return false
    isOver = true
    clearTimeout(timer)
    return true
  }
  const fail = (problem: string) => {
    if (settle()) done(null, problem)
  }
  const timer = setTimeout(fail, timeoutMs, late)
  const held = new HeldConnection(raw, {
    look(bytes) {
      const seen = isOver ? null : look(bytes)
      if (seen === null || !('problem' in seen)) return seen
      fail(seen.problem)
      return null
    },
    introduced: () => {
      if (settle()) done(held, '')
    },
    ended: () => fail(ended),
  })
  return {
    cancel() {
      if (settle()) raw.destroy()
    },
  }
}
