// Who a client is: whoever connects, or, of a balancer's connection, the one that its PROXY header names.

import { type Network, parseNetwork } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Connection } from '../connection.ts'
import type { Introducing } from './introduce.ts'
import { receiveProxyHeader } from './receive.ts'
import type { Introduction } from './tlv.ts'

/** A client that is known, or a connection that has said nothing of the kind; that is closed already. */
export type Met =
  | {
      readonly connection: Connection
      readonly from: Endpoint
      /** Where the client meant to go, as a balancer's header says. */
      readonly destination: Endpoint | null
      /** What the balancer says of the client beside that; null: nothing. */
      readonly introduction: Introduction | null
      readonly problem: null
    }
  | {
      readonly connection: null
      readonly from: Endpoint
      readonly destination: null
      readonly introduction: null
      readonly problem: string
    }

/** Connections that may wait for their headers at once; a balancer sends them with the connection. */
const MAX_WAITING = 1_024

export class Introductions {
  readonly #from: readonly Network[]
  readonly #timeoutMs: number
  readonly #waiting = new Set<Introducing>()

  /** `from`: the balancers, as networks; `timeoutMs`: how long one waits for its header. */
  constructor({ from, timeoutMs }: { readonly from: readonly string[]; readonly timeoutMs: number }) {
    this.#from = from.map(parseNetwork)
    this.#timeoutMs = timeoutMs
  }

  /** Calls back once it is known who the client is: at once where no header is expected. */
  meet(raw: Connection, met: (met: Met) => void): void {
    const { remote } = raw
    if (!this.#from.some((network) => network?.matches(remote.address) ?? true)) {
      met({ connection: raw, from: remote, destination: null, introduction: null, problem: null })
      return
    }
    const unknown = (problem: string) =>
      met({ connection: null, from: remote, destination: null, introduction: null, problem })
    if (this.#waiting.size >= MAX_WAITING) {
      raw.reset()
      unknown(`${MAX_WAITING} connections wait for their PROXY headers already`)
      return
    }
    const receiving = receiveProxyHeader(raw, { timeoutMs: this.#timeoutMs }, (introduced, problem) => {
      this.#waiting.delete(receiving)
      if (introduced === null) {
        unknown(problem)
        return
      }
      const { connection, destination, introduction } = introduced
      met({ connection, from: connection.remote, destination, introduction, problem: null })
    })
    this.#waiting.add(receiving)
  }

  /** Ends those that are not known yet. */
  cancelAll(): void {
    for (const receiving of this.#waiting) receiving.cancel()
    this.#waiting.clear()
  }
}
