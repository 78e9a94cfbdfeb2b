// What a server says that answers nothing, or not in the way it should.

import type { ProtocolError } from './contract.ts'
import type { Outbox } from './outbox.ts'

/** How many are recorded per session; all are passed on. */
const MAX_RECORDS = 100

export class Strays {
  readonly #outbox: Outbox
  #count = 0

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** `detail`: the line, or an empty string. */
  record(reason: ProtocolError, detail: string): void {
    this.#count += 1
    if (this.#count > MAX_RECORDS) return
    this.#outbox.record({ type: 'protocolError', side: 'server', reason, detail })
  }
}
