import type { RefusalView } from './shapes.ts'

export type Refusal = Pick<RefusalView, 'event' | 'reason' | 'client_ip'> &
  Partial<Omit<RefusalView, 'time' | 'count'>>

export interface RefusalRing {
  add(refusal: Refusal): void
  /** The last ones first. */
  list(): readonly RefusalView[]
}

/**
 * The last refusals, for the status page. One client that is refused again and again for one reason stays one entry
 * with a count, so that it cannot push the others out.
 */
export function createRefusalRing(capacity: number = 50): RefusalRing {
  const entries: { refusal: Refusal; at: number; count: number }[] = []
  return {
    add: (refusal) => {
      const index = entries.findIndex((entry) => isSame(entry.refusal, refusal))
      const before = index < 0 ? undefined : entries.splice(index, 1)[0]
      entries.push({ refusal, at: Date.now(), count: (before?.count ?? 0) + 1 })
      if (entries.length > capacity) entries.shift()
    },
    list: () =>
      entries.toReversed().map(({ refusal, at, count }) => ({
        time: new Date(at).toISOString(),
        event: refusal.event,
        reason: refusal.reason,
        client_ip: refusal.client_ip,
        listener: refusal.listener ?? null,
        session_id: refusal.session_id ?? null,
        command: refusal.command ?? null,
        reply_code: refusal.reply_code ?? null,
        detail: refusal.detail ?? null,
        count,
      })),
  }
}

function isSame(a: Refusal, b: Refusal): boolean {
  return a.client_ip === b.client_ip && a.reason === b.reason && a.event === b.event
}
