import type { UpstreamFact, UpstreamFailure } from '../../engine/contract.ts'
import { AlgError } from '../../errors.ts'
import { familyOf, parseAddress } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import { isOwnAddress } from '../../kernel/own-addresses.ts'
import type { Connected, Connecting, Connection } from '../../tcp/connection.ts'
import type { Dialer } from './dial.ts'
import type { Names } from './names.ts'

export interface UpstreamTarget {
  readonly host: string
  readonly port: number
}

export interface UpstreamCall {
  readonly target: UpstreamTarget
  /** The client in whose name we connect, or null for ourselves. */
  readonly as: Endpoint | null
  /** Whether we may connect to an address of the target; absent: to any. The name is asked for afresh then. */
  readonly admits?: (at: Endpoint) => boolean
}

export interface UpstreamsOptions {
  readonly names: Names
  readonly dialer: Dialer
  /** Whether a connection to this endpoint would come back to ourselves. */
  readonly isOwnListener: (endpoint: Endpoint) => boolean
  readonly connectMs: number
}

export interface UpstreamConnection {
  readonly connection: Connection
  readonly server: Endpoint
}

/** Must not throw. An error that is no `AlgError` is a defect of ours. */
export type UpstreamDone = (error: Error | null, reached: UpstreamConnection | null) => void

export interface UpstreamAttempt {
  /** Nobody is called back any more; what was half connected is dropped. */
  cancel(): void
}

/** How long something learned about a server is believed: servers get upgraded. */
const FACT_TTL_MS = 3_600_000
const MAX_REMEMBERED = 1_000

/** Connects control channels to servers and remembers what each of them refused. */
export class Upstreams {
  readonly #options: UpstreamsOptions
  /** Key: `address|port`. */
  readonly #facts = new Map<string, Map<UpstreamFact, number>>()

  constructor(options: UpstreamsOptions) {
    this.#options = options
  }

  /**
   * Connects to the first address that answers and calls back once, unless it is cancelled.
   *
   * Errors: `AlgError` UPSTREAM_IS_SELF or UPSTREAM_UNREACHABLE, whose context has `reason` (an `UpstreamFailure`).
   */
  connect({ target, as, admits }: UpstreamCall, done: UpstreamDone): UpstreamAttempt {
    const { host, port } = target
    const { names } = this.#options
    const attempt = new Attempt(this.#options, { port, as, admits: admits ?? null, done })
    const literal = parseAddress(host)
    if (literal !== null) {
      attempt.start([literal])
    } else {
      // Names that clients choose are not kept.
      const resolving = admits === undefined ? names.resolve(host) : names.resolveAfresh(host)
      resolving.then(
        (addresses) => attempt.start(addresses),
        (error: unknown) =>
          attempt.fail(unreachable('resolve', `${host} does not resolve: ${messageOf(error)}`, error)),
      )
    }
    return attempt
  }

  remember({ address, port }: Endpoint, fact: UpstreamFact): void {
    const key = `${address}|${port}`
    const facts = this.#facts.get(key) ?? new Map<UpstreamFact, number>()
    facts.set(fact, performance.now() + FACT_TTL_MS)
    // Insertion order makes the first key the oldest.
    this.#facts.delete(key)
    this.#facts.set(key, facts)
    const [oldest] = this.#facts.keys()
    if (this.#facts.size > MAX_REMEMBERED && oldest !== undefined) this.#facts.delete(oldest)
  }

  knownOf({ address, port }: Endpoint): UpstreamFact[] {
    const facts = this.#facts.get(`${address}|${port}`)
    if (facts === undefined) return []
    const nowMs = performance.now()
    return [...facts].filter(([, untilMs]) => untilMs > nowMs).map(([fact]) => fact)
  }
}

/** The failure as a label, from the context of what `connect` throws. */
export function upstreamFailureOf(error: unknown): UpstreamFailure {
  const reason = error instanceof AlgError ? error.context.reason : undefined
  switch (reason) {
    case 'refused':
    case 'timeout':
    case 'resolve':
    case 'self':
    case 'tls_refused':
    case 'tls_failed':
    case 'tls_certificate':
    case 'forbidden':
      return reason
    default:
      return 'unreachable'
  }
}

interface AttemptWish {
  readonly as: Endpoint | null
  readonly admits: UpstreamCall['admits'] | null
  readonly port: number
  readonly done: UpstreamDone
}

class Attempt implements UpstreamAttempt {
  readonly #options: UpstreamsOptions
  readonly #wish: AttemptWish
  #addresses: readonly string[] = []
  #next = 0
  #connecting: Connecting | null = null
  #timer: NodeJS.Timeout | null = null
  #isOver = false

  constructor(options: UpstreamsOptions, wish: AttemptWish) {
    this.#options = options
    this.#wish = wish
  }

  start(addresses: readonly string[]): void {
    const { as } = this.#wish
    const family = as === null ? null : familyOf(as.address)
    this.#addresses = addresses.filter((address) => family === null || familyOf(address) === family)
    const isUnseen = this.#addresses.length === 0 && addresses.length > 0
    this.#tryNext(
      isUnseen
        ? unreachable(
            'unreachable',
            `${addresses.join(', ')}: no IPv${family} address, and the server sees the client’s (source: client)`,
            null,
          )
        : null,
    )
  }

  cancel(): void {
    this.#settle()
    this.#connecting?.cancel()
  }

  fail(error: Error): void {
    if (this.#settle()) this.#wish.done(error, null)
  }

  /** `lastError` is what the attempt ends with when no address is left. */
  #tryNext(lastError: AlgError | null): void {
    if (this.#isOver) return
    try {
      this.#tryAddress(lastError)
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #tryAddress(lastError: AlgError | null): void {
    const { isOwnListener, connectMs } = this.#options
    const { port, admits } = this.#wish
    const address = this.#addresses[this.#next]
    this.#next += 1
    if (address === undefined) {
      this.fail(lastError ?? unreachable('resolve', 'the name has no address', null))
      return
    }
    const server = { address, port }
    if (isOwnListener(server)) {
      this.fail(isSelf(server))
      return
    }
    if (admits?.(server) === false) {
      this.#tryNext(unreachable('forbidden', `${address} port ${port} is not an allowed destination`, null))
      return
    }
    const { as } = this.#wish
    if (as !== null && !isOwnAddress(as.address) && isOwnAddress(address)) {
      this.#tryNext(
        unreachable(
          'unreachable',
          `${address} is this machine: its answers to a client do not pass the rules (source: client)`,
          null,
        ),
      )
      return
    }
    const failed = (error: Error) => {
      if (this.#timer !== null) clearTimeout(this.#timer)
      this.#tryNext(unreachable(reasonOf(error), `${address} port ${port}: ${error.message}`, error))
    }
    const connecting = this.#dial(server, (error, connection) => {
      if (connection === null) failed(error ?? new Error('no connection'))
      else if (this.#settle()) this.#wish.done(null, { connection, server })
    })
    if (connecting === null) return
    this.#connecting = connecting
    const giveUp = () => {
      if (this.#isOver || this.#connecting !== connecting) return
      connecting.cancel()
      failed(Object.assign(new Error(`no answer within ${connectMs} ms`), { code: 'ETIMEDOUT' }))
    }
    // After one turn of reading: a process that was stopped has yet to hear that it is connected.
    this.#timer = setTimeout(() => setImmediate(giveUp), connectMs)
  }

  /** Null, with the attempt failed, where not even a socket can be had. */
  #dial(to: Endpoint, done: Connected): Connecting | null {
    const { dialer } = this.#options
    const { as } = this.#wish
    try {
      if (as === null) return dialer.dial({ to, from: null }, done)
      return dialer.dial({ to, from: as.address, avoidPort: as.port }, done)
    } catch (error) {
      this.fail(unreachable('unreachable', messageOf(error), error))
      return null
    }
  }

  /** True the first time. */
  #settle(): boolean {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#isOver) return false
    this.#isOver = true
    return true
  }
}

function isSelf({ address, port }: Endpoint): AlgError {
  return new AlgError('UPSTREAM_IS_SELF', `${address} port ${port} is one of our own listeners`, {
    context: { reason: 'self' satisfies UpstreamFailure },
  })
}

function unreachable(reason: UpstreamFailure, message: string, cause: unknown): AlgError {
  return new AlgError('UPSTREAM_UNREACHABLE', message, { context: { reason }, cause })
}

function reasonOf(error: unknown): UpstreamFailure {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  if (code === 'ECONNREFUSED') return 'refused'
  return code === 'ETIMEDOUT' ? 'timeout' : 'unreachable'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
