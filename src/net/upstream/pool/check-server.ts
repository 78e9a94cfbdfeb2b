// One check of a server: it is called as a session would be, as far as `health.expect` asks for, and told QUIT.

import type { HealthConfig, PoolConfig } from '../../../config/config.ts'
import { AlgError } from '../../../errors.ts'
import type { Connection } from '../../../tcp/connection.ts'
import { writeOwnHeader } from '../../../tcp/proxy-protocol/header.ts'
import { isOfProxy, type UpstreamTarget, upstreamFailureOf } from '../attempt.ts'
import { secureUpstream } from '../secure-upstream.ts'
import type { Upstreams } from '../upstreams.ts'
import { awaitGreeting } from './await-greeting.ts'
import { awaitLogin } from './await-login.ts'
import { readCheckPassword } from './check-password.ts'
import type { CheckTls } from './check-tls.ts'

export interface CheckCall {
  readonly upstreams: Upstreams
  readonly target: UpstreamTarget
  readonly pool: PoolConfig
  readonly health: HealthConfig
  /** Null: in clear. Released when the check is over. */
  readonly tls: CheckTls | null
}

/** `unknown`: nothing was learned of the server; `defect` is what is wrong with ourselves, or null. */
export type CheckResult =
  | { readonly type: 'passed' }
  | { readonly type: 'failed'; readonly problem: string }
  | { readonly type: 'unknown'; readonly defect: string | null }

/** Calls back once, after `health.timeoutMs` at the latest, also when it is cancelled; never before it has returned. */
export function checkServer(call: CheckCall, done: (result: CheckResult) => void): { cancel(): void } {
  const check = new Check(call, done)
  // What cannot even be begun has failed at once.
  setImmediate(() => check.start())
  return check
}

class Check {
  readonly #call: CheckCall
  readonly #done: (result: CheckResult) => void
  readonly #timer: NodeJS.Timeout
  #step: { cancel(): void } | null = null
  #isOver = false

  constructor(call: CheckCall, done: (result: CheckResult) => void) {
    const { timeoutMs } = call.health
    this.#call = call
    this.#done = done
    this.#timer = setTimeout(() => this.#giveUp(failed(`no answer within ${timeoutMs} ms`)), timeoutMs)
  }

  start(): void {
    if (this.#isOver) return
    const { upstreams, target, pool } = this.#call
    const { via, connectMs, proxyProtocol } = pool
    this.#step = upstreams.connect({ target, as: null, via, connectMs }, (error, reached) => {
      if (reached === null) {
        const isProxy = isOfProxy(upstreamFailureOf(error))
        this.#finish(isProxy ? UNKNOWN : failed(error?.message ?? 'it cannot be reached'))
        return
      }
      const { connection } = reached
      if (proxyProtocol !== 'off') {
        const header = writeOwnHeader(proxyProtocol)
        connection.writeBytes(header, header.length)
      }
      this.#reached(connection)
    })
  }

  cancel(): void {
    this.#giveUp(UNKNOWN)
  }

  #reached(connection: Connection): void {
    const { health, tls } = this.#call
    if (health.expect === 'connect') {
      connection.destroy()
      this.#finish(PASSED)
    } else if (tls === null) {
      this.#speak(connection, false)
    } else {
      this.#secure(connection, tls)
    }
  }

  #secure(connection: Connection, tls: CheckTls): void {
    const how = tls.isImplicit ? 'implicit' : 'explicit'
    this.#step = secureUpstream({ connection, tls: tls.server, how }, (result) => {
      if (result.type === 'failed') {
        this.#finish(failed(`no TLS with it: ${result.problem.detail}`))
      } else if (result.type === 'refused' && !tls.isOptional) {
        result.connection.destroy()
        this.#finish(failed(`it refuses TLS with ${result.reply.trim()}`))
      } else {
        this.#speak(result.connection, how === 'explicit')
      }
    })
  }

  #speak(connection: Connection, hasGreeted: boolean): void {
    const { health, pool } = this.#call
    const { expect, timeoutMs, user, passwordFile } = health
    const spoken = (held: Connection | null, problem: string) => {
      held?.close('QUIT\r\n')
      this.#finish(held === null ? failed(problem) : PASSED)
    }
    if (expect === 'login' && user !== undefined && passwordFile !== undefined) {
      const password = this.#password(pool.name, passwordFile)
      if (password === null) connection.destroy()
      else this.#step = awaitLogin(connection, { user, password, hasGreeted, timeoutMs }, spoken)
    } else if (hasGreeted) {
      spoken(connection, '')
    } else {
      this.#step = awaitGreeting(connection, { timeoutMs }, spoken)
    }
  }

  /** Null, with the check over, where it cannot be read any more: that is no server's fault. */
  #password(pool: string, file: string): string | null {
    try {
      return readCheckPassword(pool, file)
    } catch (error) {
      if (!(error instanceof AlgError)) throw error
      this.#finish({ type: 'unknown', defect: error.message })
      return null
    }
  }

  #giveUp(result: CheckResult): void {
    if (this.#isOver) return
    this.#step?.cancel()
    this.#finish(result)
  }

  #finish(result: CheckResult): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#call.tls?.release()
    this.#done(result)
  }
}

const PASSED: CheckResult = { type: 'passed' }
/** The proxy of `via` fails, or the check was cancelled. */
const UNKNOWN: CheckResult = { type: 'unknown', defect: null }

function failed(problem: string): CheckResult {
  return { type: 'failed', problem }
}
