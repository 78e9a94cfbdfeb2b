// Looks after the servers of a pool: each is called now and then, whether clients come or not.

import type { HealthConfig, PoolConfig } from '../../../config/config.ts'
import { isOfProxy, upstreamFailureOf } from '../attempt.ts'
import type { Upstreams } from '../upstreams.ts'
import { awaitGreeting } from './await-greeting.ts'
import type { Pool, PoolServer } from './pool.ts'

/** So much of an interval is left to chance, so that many proxies do not call at once. */
const JITTER = 0.2

/** The proxy failed: of the server behind it nothing is known. */
const BY_PROXY = 'by proxy'

export class HealthChecks {
  readonly #upstreams: Upstreams
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #cancels = new Set<() => void>()
  #isStopped = false

  constructor(upstreams: Upstreams) {
    this.#upstreams = upstreams
  }

  /** Checks every server of the pool at once, then each in its own time, for as long as it belongs to the pool. */
  watch(pool: Pool): void {
    for (const server of pool.servers) void this.#check(pool, server)
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const cancel of this.#cancels) cancel()
  }

  async #check(pool: Pool, server: PoolServer): Promise<void> {
    const { health } = pool.config
    if (this.#isStopped || health === null || !pool.servers.includes(server)) return
    const problem = await this.#problemWith(server, pool.config, health)
    if (this.#isStopped || !pool.servers.includes(server)) return
    if (problem !== BY_PROXY) pool.checked(server, problem)
    const delayMs = health.intervalMs * (1 - JITTER / 2 + JITTER * Math.random())
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#check(pool, server)
    }, delayMs).unref()
    this.#timers.add(timer)
  }

  #problemWith(
    server: PoolServer,
    { via, connectMs }: PoolConfig,
    { expect, timeoutMs }: HealthConfig,
  ): Promise<string | null> {
    return new Promise((resolve) => {
      let step: { cancel(): void } | null = null
      const finish = (problem: string | null) => {
        this.#cancels.delete(cancel)
        clearTimeout(timer)
        resolve(problem)
      }
      const giveUp = (problem: string) => {
        step?.cancel()
        finish(problem)
      }
      const cancel = () => giveUp('the proxy stops')
      const timer = setTimeout(giveUp, timeoutMs, `no answer within ${timeoutMs} ms`)
      this.#cancels.add(cancel)
      const attempt = this.#upstreams.connect(
        { target: server, as: null, via, connectMs },
        (error, reached) => {
          if (reached === null) {
            finish(
              isOfProxy(upstreamFailureOf(error)) ? BY_PROXY : (error?.message ?? 'it cannot be reached'),
            )
          } else if (expect === 'connect') {
            reached.connection.destroy()
            finish(null)
          } else {
            step = awaitGreeting(reached.connection, { timeoutMs }, (connection, problem) => {
              connection?.close('QUIT\r\n')
              finish(connection === null ? problem : null)
            })
          }
        },
      )
      step ??= attempt
    })
  }
}
