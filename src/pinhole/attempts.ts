import type { Intruder } from './relay/gate.ts'

/** A SYN without an answer comes again after 1, 2, 4 … 64 seconds. */
const SAME_WITHIN_MS = 70_000
/** Kept at once; the oldest give way. */
const KEPT_MAX = 10_000

export interface EachAttemptOptions {
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
  readonly intruded: (intruder: Intruder) => void
}

/**
 * Tells of each attempt once, however often its packet comes and whoever sees it: the kernel on its way in, or a port that
 * we listen on. Attempts are told apart by the stranger's address and port and by ours.
 */
export function deduplicateAttempts({ now, intruded }: EachAttemptOptions): (intruder: Intruder) => void {
  const lastMs = new Map<string, number>()
  return (intruder) => {
    const { from, port } = intruder
    const key = `${from.address}|${from.port}|${port}`
    const nowMs = now()
    const before = lastMs.get(key)
    lastMs.delete(key)
    lastMs.set(key, nowMs)
    const [oldest] = lastMs.keys()
    if (lastMs.size > KEPT_MAX && oldest !== undefined) lastMs.delete(oldest)
    if (before === undefined || nowMs - before > SAME_WITHIN_MS) intruded(intruder)
  }
}
