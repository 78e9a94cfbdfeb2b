import type { Outstanding } from './reply-queue.ts'

/** The reply under way. `own`: held until it is whole. `drop`: the client hears nothing of it. */
export interface ReplyUnderWay {
  readonly entry: Outstanding | null
  readonly fate: 'pass' | 'own' | 'drop'
  /** Of an owned one, as far as it came, every line with its own end. */
  text: string
}

/** What becomes of the reply to a command; null: it answers none. */
export function fateOf(entry: Outstanding | null): ReplyUnderWay['fate'] {
  if (entry === null) return 'pass'
  if (entry.isAnswered) return 'drop'
  if (entry.purpose === 'negotiation') return 'own'
  if (entry.purpose !== 'command') return 'drop'
  return entry.verb === 'FEAT' || entry.verb === 'AUTH' ? 'own' : 'pass'
}
