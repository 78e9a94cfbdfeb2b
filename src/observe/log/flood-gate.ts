/** Lets the first lines of a kind through in every second and counts the rest. */
export interface FloodGate {
  /** False when this line must be left out; it was counted. */
  admits(kind: string): boolean
  /** Reports what is still counted and stops. */
  close(): void
}

export interface FloodGateOptions {
  /** Lines of one kind in one second. */
  readonly perSecond: number
  /** Called once a second for each kind that was over its share. */
  readonly report: (kind: string, suppressed: number) => void
}

/** Kinds that are counted apart; beyond that they share one count, so that a flood of kinds cannot fill memory. */
const MAX_KINDS = 256
const EVERYTHING_ELSE = 'other'

/**
 * A hostile peer must not fill the disk by being refused very often. The first lines of each kind are written, then
 * one line a second that says how many were not.
 */
export function createFloodGate({ perSecond, report }: FloodGateOptions): FloodGate {
  let seen = new Map<string, number>()
  let timer: NodeJS.Timeout | null = null

  const endSecond = () => {
    timer = null
    const ended = seen
    seen = new Map()
    for (const [kind, count] of ended) {
      if (count > perSecond) report(kind, count - perSecond)
    }
  }
  return {
    admits: (kind) => {
      timer ??= setTimeout(endSecond, 1000).unref()
      const key = seen.has(kind) || seen.size < MAX_KINDS ? kind : EVERYTHING_ELSE
      const count = (seen.get(key) ?? 0) + 1
      seen.set(key, count)
      return count <= perSecond
    },
    close: () => {
      if (timer !== null) clearTimeout(timer)
      endSecond()
    },
  }
}
