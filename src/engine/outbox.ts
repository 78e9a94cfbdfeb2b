import type { AuditRecord, Effect, RefusalReason, Side } from './contract.ts'

/** Collects the effects of one event, in order. */
export class Outbox {
  #effects: Effect[] = []

  push(effect: Effect): void {
    this.#effects.push(effect)
  }

  /** `text` already has its line end. */
  send(side: Side, text: string): void {
    this.#effects.push({ type: 'send', side, text })
  }

  /** A reply line of our own: `reply('425 No data ports are free.')`. */
  reply(line: string): void {
    this.#effects.push({ type: 'send', side: 'client', text: `${line}\r\n` })
  }

  record(record: AuditRecord): void {
    this.#effects.push({ type: 'record', record })
  }

  /** Records that a command is answered by us; the reply itself is sent by the caller. */
  refusal(refused: { verb: string; reason: RefusalReason; code: number; detail: string }): void {
    this.#effects.push({ type: 'record', record: { type: 'refusal', ...refused } })
  }

  /** What has been collected since the last call. */
  take(): Effect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }
}
