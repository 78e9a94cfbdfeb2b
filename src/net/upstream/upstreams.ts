import type { UpstreamFact } from '../../engine/contract.ts'
import type { Connected, Connecting } from '../../tcp/connection.ts'
import {
  connectDirectly,
  type Through,
  type UpstreamAttempt,
  type UpstreamCall,
  type UpstreamDone,
  type UpstreamServer,
  type UpstreamsOptions,
} from './attempt.ts'
import { connectDataThrough, connectThrough } from './via/through.ts'

/** How long something learned about a server is believed: servers get upgraded. */
const FACT_TTL_MS = 3_600_000
const MAX_REMEMBERED = 1_000

/** Connects control channels to servers and remembers what each of them refused. */
export class Upstreams {
  readonly #options: UpstreamsOptions
  /** By server, see `keyOf`. */
  readonly #facts = new Map<string, Map<UpstreamFact, number>>()

  constructor(options: UpstreamsOptions) {
    this.#options = options
  }

  /**
   * Connects to the first address that answers and calls back once, unless it is cancelled.
   *
   * Errors: `AlgError` UPSTREAM_IS_SELF or UPSTREAM_UNREACHABLE, whose context has `reason` (an `UpstreamFailure`).
   */
  connect(call: UpstreamCall, done: UpstreamDone): UpstreamAttempt {
    const { via = null } = call
    return via === null
      ? connectDirectly(this.#options, call, done)
      : connectThrough(this.#options, { ...call, via }, done)
  }

  /** Begins a data connection to a port of a server behind a proxy. */
  connectData(call: { readonly through: Through; readonly port: number }, done: Connected): Connecting {
    return connectDataThrough(this.#options, call, done)
  }

  remember(server: UpstreamServer, fact: UpstreamFact): void {
    const key = keyOf(server)
    const facts = this.#facts.get(key) ?? new Map<UpstreamFact, number>()
    facts.set(fact, performance.now() + FACT_TTL_MS)
    // Insertion order makes the first key the oldest.
    this.#facts.delete(key)
    this.#facts.set(key, facts)
    const [oldest] = this.#facts.keys()
    if (this.#facts.size > MAX_REMEMBERED && oldest !== undefined) this.#facts.delete(oldest)
  }

  knownOf(server: UpstreamServer): UpstreamFact[] {
    const facts = this.#facts.get(keyOf(server))
    if (facts === undefined) return []
    const nowMs = performance.now()
    return [...facts].filter(([, untilMs]) => untilMs > nowMs).map(([fact]) => fact)
  }
}

function keyOf({ address, port, name }: UpstreamServer): string {
  return `${name ?? address}|${port}`
}
