import type { AuditRecord, CloseReason, Effect, Side } from './contract.ts'

/** Collects the effects of one event, in order. The decision to close is one of them: the first reason wins. */
export class Outbox {
  #effects: Effect[] = []
  #closeReason: CloseReason | null = null
  /** What the client has heard last was half a line of the server's. */
  #isMidLine = false

  push(effect: Effect): void {
    this.#effects.push(effect)
  }

  /** `text` already has its line end. Nothing follows a last reply. */
  send(side: Side, text: string): void {
    if (this.#closeReason !== null) return
    this.#effects.push({ type: 'send', side, text })
    if (side === 'client' && !text.startsWith(IAC)) this.#isMidLine = !text.endsWith('\n')
  }

  /** A reply line of our own: `reply('425 No data ports are free.')`. */
  reply(line: string): void {
    const begin = this.#isMidLine ? '\r\n' : ''
    this.#isMidLine = false
    this.#effects.push({ type: 'send', side: 'client', text: `${begin}${line}\r\n` })
  }

  record(record: AuditRecord): void {
    this.#effects.push({ type: 'record', record })
  }

  /** The session ends with this event; a first reason may come with a last reply. */
  close(reason: CloseReason, reply?: string): void {
    if (this.#closeReason !== null) return
    this.#closeReason = reason
    if (reply !== undefined) this.reply(reply)
  }

  /** Set once the session is to end; nothing more is read or sent on then. */
  get closeReason(): CloseReason | null {
    return this.#closeReason
  }

  /** What has been collected since the last call. */
  take(): Effect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }
}

/** Telnet's own words are no part of a line. */
const IAC = '\xff'
