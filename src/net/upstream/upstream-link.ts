// From a session to its server: connected, and secure where that is asked for, before anybody says a word.

import type { UpstreamFailure } from '../../engine/contract.ts'
import { AlgError } from '../../errors.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { Connection } from '../../tcp/connection.ts'
import type { TlsFailure } from '../../vocabulary.ts'
import type { SessionTls } from '../session/session-tls.ts'
import { type SecureUpstreamResult, secureUpstream } from './secure-upstream.ts'
import {
  type UpstreamAttempt,
  type UpstreamCall,
  type UpstreamConnection,
  type Upstreams,
  upstreamFailureOf,
} from './upstreams.ts'

export interface UpstreamLinkCall extends UpstreamCall {
  readonly upstreams: Upstreams
  /** Null: in clear. */
  readonly tls: SessionTls | null
  /** From the connection to the end of its handshake. */
  readonly secureMs: number
  readonly observer: SessionObserver
}

export interface UpstreamLink {
  readonly connection: Connection
  readonly server: Endpoint
  /** What the server said before TLS began, or an empty text. */
  readonly greeting: string
  readonly isSecure: boolean
}

/** Calls back once, unless it is cancelled, with the link or why there is none. */
export function linkUpstream(
  call: UpstreamLinkCall,
  done: (link: UpstreamLink | null, reason: UpstreamFailure) => void,
): UpstreamAttempt {
  const { upstreams, target, observer, tls } = call
  const startedMs = performance.now()
  const finish = (error: AlgError | null, link: UpstreamLink | null) => {
    const reason = upstreamFailureOf(error)
    if (link === null) {
      const server = `${target.host}:${target.port}`
      observer.upstreamFailed({ server, reason, detail: error?.message ?? '' })
    } else {
      observer.upstreamConnected({ server: link.server, durationMs: performance.now() - startedMs })
    }
    done(link, reason)
  }
  let attempt = upstreams.connect(call, (error, reached) => {
    if (reached === null) finish(error, null)
    else if (tls === null || !tls.securesServerFirst)
      finish(null, { ...reached, greeting: '', isSecure: false })
    else attempt = secure({ ...call, tls }, reached, finish)
  })
  return { cancel: () => attempt.cancel() }
}

function secure(
  call: UpstreamLinkCall & { readonly tls: SessionTls },
  reached: UpstreamConnection,
  done: (error: AlgError | null, link: UpstreamLink | null) => void,
): UpstreamAttempt {
  const { upstreams, secureMs } = call
  const session = call.tls
  const { connection, server } = reached
  const startedMs = performance.now()
  const how = session.serverMode === 'implicit' ? 'implicit' : 'explicit'
  const securing = secureUpstream({ connection, tls: session.server, how }, (result) => {
    clearTimeout(timer)
    session.tellServer(result.type === 'failed' ? result.problem : null, startedMs)
    if (result.type === 'secure') {
      upstreams.remember(server, 'speaksTls')
      done(null, { ...result, server, isSecure: true })
    } else if (result.type === 'refused' && mayGoOn(session, upstreams, server)) {
      session.tellDowngrade(result.reply)
      done(null, { ...result, server, isSecure: false })
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

/** A server that was seen with TLS is never spoken to in clear again: somebody is in between. */
function mayGoOn({ serverMode }: SessionTls, upstreams: Upstreams, server: Endpoint): boolean {
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
