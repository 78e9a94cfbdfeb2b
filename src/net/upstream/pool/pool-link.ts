// From a session to a server of its pool: to the next one when that cannot be had, before the client hears a word.

import type { UpstreamFailure } from '../../../engine/contract.ts'
import { canonicalAddress, familyOf } from '../../../ftp/addresses.ts'
import type { Endpoint } from '../../../ftp/endpoints.ts'
import type { Connection } from '../../../tcp/connection.ts'
import { writeProxyHeader } from '../../../tcp/proxy-protocol/header.ts'
import { isOfProxy, type UpstreamAttempt } from '../attempt.ts'
import { type LinkEvents, linkUpstream, type UpstreamLink, type UpstreamLinkCall } from '../upstream-link.ts'
import { awaitGreeting } from './await-greeting.ts'
import type { Pool } from './pool.ts'
import type { PoolServer } from './pool-server.ts'

export interface SessionLinkCall extends UpstreamLinkCall {
  /** Null: the target is the server. */
  readonly pool: Pool | null
  readonly client: Connection
  /** Before its client has said anything; else what it says is not for us to read. */
  readonly greets: boolean
}

/** Begins to connect, to the server or to one of a pool. Cancelling an attempt that is over does nothing. */
export function linkSession(call: SessionLinkCall, events: LinkEvents): UpstreamAttempt {
  return call.pool === null ? linkUpstream(call, events) : new PoolLink(call, call.pool, events)
}

class PoolLink implements UpstreamAttempt {
  readonly #call: SessionLinkCall
  readonly #pool: Pool
  readonly #events: LinkEvents
  readonly #tried = new Set<PoolServer>()
  #attempt: { cancel(): void } | null = null
  /** Gives back what the server under trial was reserved for. */
  #release: () => void = () => undefined
  #isOver = false

  constructor(call: SessionLinkCall, pool: Pool, events: LinkEvents) {
    this.#call = call
    this.#pool = pool
    this.#events = events
    // A service that DNS has said nothing of yet.
    this.#next(pool.servers.length === 0 ? 'resolve' : 'no_server')
  }

  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#attempt?.cancel()
    this.#release()
  }

  #next(lastReason: UpstreamFailure): void {
    if (this.#isOver) return
    const { client, tls } = this.#call
    const { address } = client.remote
    const { as } = this.#call
    const server = this.#pool.pick(address, this.#tried, as === null ? null : familyOf(as.address))
    if (server === null) {
      this.#isOver = true
      this.#events.failed(lastReason)
      return
    }
    if (this.#tried.size > 0) this.#pool.failedOver()
    this.#tried.add(server)
    this.#release = this.#pool.sessionBegan(server, address)
    tls?.towards(server.host, this.#pool.name)
    const { via, connectMs } = this.#pool.config
    this.#attempt = linkUpstream(
      { ...this.#call, target: server.target, via, connectMs, header: this.#header() },
      {
        linked: (link) => this.#linked(server, link),
        failed: (reason) => this.#failed(server, reason, reason),
        broke: (error) => this.#broke(error),
      },
    )
  }

  #linked(server: PoolServer, link: UpstreamLink): void {
    if (link.greeting !== '' || !this.#call.greets) {
      this.#serve(server, link)
      return
    }
    const { secureMs, observer } = this.#call
    const timeoutMs = this.#pool.config.health?.timeoutMs ?? secureMs
    this.#attempt = awaitGreeting(link.connection, { timeoutMs }, (connection, problem) => {
      if (connection !== null) {
        this.#serve(server, { ...link, connection })
        return
      }
      observer.upstreamFailed({ server: server.name, reason: 'no_greeting', detail: problem })
      this.#failed(server, 'no_greeting', problem)
    })
  }

  #serve(server: PoolServer, link: UpstreamLink): void {
    this.#isOver = true
    this.#pool.served(server)
    link.connection.whenClosed(this.#release)
    this.#events.linked(link)
  }

  #failed(server: PoolServer, reason: UpstreamFailure, why: string): void {
    this.#release()
    // The servers behind a proxy that fails are neither better nor worse than they were.
    if (isOfProxy(reason)) {
      this.#isOver = true
      this.#events.failed(reason)
      return
    }
    this.#pool.failed(server, why)
    // Never from within the attempt that failed.
    setImmediate(() => this.#next(reason))
  }

  #broke(error: unknown): void {
    this.#isOver = true
    this.#release()
    this.#events.broke(error)
  }

  #header(): Buffer | null {
    const { proxyProtocol } = this.#pool.config
    if (proxyProtocol === 'off') return null
    const { client, tls } = this.#call
    const ends = { source: client.remote, destination: reachedAt(client) }
    return writeProxyHeader(proxyProtocol, ends, tls?.clientFacts ?? null)
  }
}

/** Where the client connected, as far as we know. */
function reachedAt(client: Connection): Endpoint {
  const local = client.local()
  return local === null ? client.remote : { address: canonicalAddress(local.address), port: local.port }
}
