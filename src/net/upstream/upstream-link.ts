// From a session to its server: connected, and secure where that is asked for, before anybody says a word.

import type { UpstreamFailure } from '../../engine/contract.ts'
import { AlgError } from '../../errors.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { Connection } from '../../tcp/connection.ts'
import type { TlsFailure } from '../../vocabulary.ts'
import type { SessionTls } from '../session/session-tls.ts'
import {
  type UpstreamAttempt,
  type UpstreamCall,
  type UpstreamConnection,
  type UpstreamServer,
  upstreamFailureOf,
} from './attempt.ts'
import { type SecureUpstreamResult, secureUpstream } from './secure-upstream.ts'
import type { Upstreams } from './upstreams.ts'

export interface UpstreamLinkCall extends UpstreamCall {
  readonly upstreams: Upstreams
  /** Null: in clear. */
  readonly tls: SessionTls | null
  /** From the connection to the end of its handshake, or to the greeting of a server of a pool. */
  readonly secureMs: number
  readonly observer: SessionObserver
  /** What the server is told before everything else; absent or null: nothing. */
  readonly header?: Uint8Array | null
}

/** One of them is called, once, unless the attempt is cancelled. */
export interface LinkEvents {
  linked(link: UpstreamLink): void
  failed(reason: UpstreamFailure): void
  /** A defect of ours; also one of the two above. */
  broke(error: unknown): void
}

export interface UpstreamLink {
  readonly connection: Connection
  readonly server: UpstreamServer
  /** What the server said before TLS began, or an empty text. */
  readonly greeting: string
  readonly isSecure: boolean
  /** See `UpstreamConnection`. */
  readonly through: UpstreamConnection['through']
}

/** Begins to connect. Cancelling an attempt that is over does nothing. */
export function linkUpstream(call: UpstreamLinkCall, events: LinkEvents): UpstreamAttempt {
  const { upstreams, target, observer, tls, header = null } = call
  const startedMs = performance.now()
  let isOver = false
  const settle = (error: Error | null, link: UpstreamLink | null) => {
    isOver = true
    if (link !== null) {
      observer.upstreamConnected({ server: link.server, durationMs: performance.now() - startedMs })
      events.linked(link)
    } else if (error instanceof AlgError) {
      const reason = upstreamFailureOf(error)
      observer.upstreamFailed({ server: `${target.host}:${target.port}`, reason, detail: error.message })
      events.failed(reason)
    } else {
      throw error
    }
  }
  const guarded =
    <Arguments extends readonly unknown[]>(step: (...given: Arguments) => void) =>
    (...given: Arguments) => {
      try {
        step(...given)
      } catch (error) {
        isOver = true
        events.broke(error)
      }
    }
  const finish = guarded(settle)
  const reach = guarded((error: Error | null, reached: UpstreamConnection | null) => {
    if (reached !== null && header !== null) reached.connection.writeBytes(header, header.length)
    if (reached === null) {
      settle(error, null)
    } else if (tls === null || !tls.securesServerFirst) {
      const { connection, server, through } = reached
      settle(null, { connection, server, through, greeting: '', isSecure: false })
    } else {
      attempt = secure({ ...call, tls }, reached, finish)
    }
  })
  let attempt = upstreams.connect(call, reach)
  return {
    cancel() {
      if (!isOver) attempt.cancel()
    },
  }
}

function secure(
  call: UpstreamLinkCall & { readonly tls: SessionTls },
  reached: UpstreamConnection,
  done: (error: AlgError | null, link: UpstreamLink | null) => void,
): UpstreamAttempt {
  const { upstreams, secureMs } = call
  const session = call.tls
  const { connection, server, through } = reached
  const startedMs = performance.now()
  const how = session.serverMode === 'implicit' ? 'implicit' : 'explicit'
  const securing = secureUpstream({ connection, tls: session.server, how }, (result) => {
    clearTimeout(timer)
    session.tellServer(result.type === 'failed' ? result.problem : null, startedMs)
    if (result.type === 'secure') {
      upstreams.remember(server, 'speaksTls')
      done(null, { ...result, server, through, isSecure: true })
    } else if (result.type === 'refused' && mayGoOn(session, upstreams, server)) {
      session.tellDowngrade(result.reply)
      done(null, { ...result, server, through, isSecure: false })
    } else {
      if (result.type === 'refused') result.connection.destroy()
      done(failed(result), null)
    }
  })
  const timer = setTimeout(() => {
    securing.cancel()
    const problem = { reason: 'timeout', detail: 'no TLS in time' } as const
    session.tellServer(problem, startedMs)
    done(failed({ type: 'failed', problem }), null)
  }, secureMs)
  return {
    cancel() {
      clearTimeout(timer)
      securing.cancel()
    },
  }
}

/** A server that was seen with TLS is never spoken to in clear again: an attacker may be in between. */
function mayGoOn({ serverMode }: SessionTls, upstreams: Upstreams, server: UpstreamServer): boolean {
  return serverMode === 'optional' && !upstreams.knownOf(server).includes('speaksTls')
}

function failed(result: Exclude<SecureUpstreamResult, { readonly type: 'secure' }>): AlgError {
  const [reason, detail]: [UpstreamFailure, string] =
    result.type === 'refused'
      ? ['tls_refused', result.reply.trim()]
      : [failureOf(result.problem.reason), result.problem.detail]
  return new AlgError('UPSTREAM_UNREACHABLE', `no TLS with the server: ${detail}`, { context: { reason } })
}

function failureOf(reason: TlsFailure): UpstreamFailure {
  return reason === 'certificate' || reason === 'host_name' || reason === 'pin'
    ? 'tls_certificate'
    : 'tls_failed'
}
