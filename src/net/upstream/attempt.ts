// One attempt to connect to a server: by its addresses, one after the other.

import type { ViaConfig } from '../../config/config.ts'
import type { UpstreamFailure } from '../../engine/contract.ts'
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
  /** The proxy to go through; absent or null: directly. */
  readonly via?: ViaConfig | null
  /** Absent: as for everything. */
  readonly connectMs?: number | undefined
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
  readonly server: UpstreamServer
  /** How data connections to the server are made; null: directly. */
  readonly through: Through | null
}

export interface UpstreamServer extends Endpoint {
  /** Where a proxy resolves it; the address is the proxy's then. */
  readonly name?: string
}

/** A server behind a proxy. */
export interface Through {
  readonly via: ViaConfig
  /** As the proxy is told. */
  readonly host: string
}

/** Must not throw. An error that is no `AlgError` is a defect of ours. */
export type UpstreamDone = (error: Error | null, reached: UpstreamConnection | null) => void

export interface UpstreamAttempt {
  /** No callback is called any more; what was half connected is dropped. */
  cancel(): void
}

/** Connects to the first address of the target that answers. Errors: see `Upstreams.connect`. */
export function connectDirectly(
  options: UpstreamsOptions,
  { target, as, admits, connectMs = options.connectMs }: UpstreamCall,
  done: UpstreamDone,
): UpstreamAttempt {
  const { host, port } = target
  const { names } = options
  const attempt = new Attempt(options, { port, as, admits: admits ?? null, connectMs, done })
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

/** Whether it was the proxy of `via` that failed, and not the server. */
export function isOfProxy(reason: UpstreamFailure): boolean {
  return reason === 'proxy_unreachable' || reason === 'proxy_refused'
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
    case 'proxy_unreachable':
    case 'proxy_refused':
      return reason
    default:
      return 'unreachable'
  }
}

interface AttemptPlan {
  readonly as: Endpoint | null
  readonly admits: UpstreamCall['admits'] | null
  readonly port: number
  readonly connectMs: number
  readonly done: UpstreamDone
}

class Attempt implements UpstreamAttempt {
  readonly #options: UpstreamsOptions
  readonly #plan: AttemptPlan
  #addresses: readonly string[] = []
  #next = 0
  #connecting: Connecting | null = null
  #timer: NodeJS.Timeout | null = null
  #isOver = false

  constructor(options: UpstreamsOptions, plan: AttemptPlan) {
    this.#options = options
    this.#plan = plan
  }

  start(addresses: readonly string[]): void {
    const { as } = this.#plan
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
    if (this.#settle()) this.#plan.done(error, null)
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
    const { isOwnListener } = this.#options
    const { port, admits, connectMs } = this.#plan
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
    const { as } = this.#plan
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
      else if (this.#settle()) this.#plan.done(null, { connection, server, through: null })
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

  /** Null, with the attempt failed, where there is not even a socket. */
  #dial(to: Endpoint, done: Connected): Connecting | null {
    const { dialer } = this.#options
    const { as } = this.#plan
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

export function isSelf({ address, port }: Endpoint): AlgError {
  return new AlgError('UPSTREAM_IS_SELF', `${address} port ${port} is one of our own listeners`, {
    context: { reason: 'self' satisfies UpstreamFailure },
  })
}

export function unreachable(reason: UpstreamFailure, message: string, cause: unknown): AlgError {
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
