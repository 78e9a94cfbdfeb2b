// What a session does to reach its server: whatever the engine chose, made an address and a pool.

import type { UpstreamChoice } from '../../engine/contract.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { UpstreamAttempt } from '../upstream/attempt.ts'
import { linkSession } from '../upstream/pool/pool-link.ts'
import type { LinkEvents } from '../upstream/upstream-link.ts'
import type { SessionTls } from './session-tls.ts'
import type { SessionStart } from './setting.ts'

export interface SessionCall extends SessionStart {
  /** Absent: the target that the session began with. */
  readonly to: UpstreamChoice | undefined
  /** In whose name the server is called; null: in our own. */
  readonly as: Endpoint | null
  readonly tls: SessionTls | null
}

/** TLS of a session where its listener has it. `clientSecured` is called where the server may depend on the name. */
export function openSessionTls(
  { setting, observer, target }: SessionStart,
  clientSecured: (serverName: string | null) => void,
): SessionTls | null {
  const chosen = setting.destinations === null ? {} : { clientSecured }
  return setting.tls?.open({ observer, host: target?.host ?? '', ...chosen }) ?? null
}

/** Begins to connect. */
export function callUpstream(call: SessionCall, events: LinkEvents): UpstreamAttempt {
  const { setting, observer, connection: client, as, tls, to } = call
  const { upstreams, limits, destinations } = setting
  const chosen = to === undefined ? null : (destinations?.of(to) ?? null)
  const { target, pool } = chosen ?? { target: call.target, pool: setting.pool }
  if (target === null) throw new Error('a session has no server to call')
  if (chosen !== null) {
    if (chosen.route !== null) observer.routed({ route: chosen.route })
    tls?.towards(target.host)
  }
  const admits = chosen?.admits === undefined ? {} : { admits: chosen.admits }
  const secureMs = limits.connectMs
  const greets = setting.passthrough !== 'implicit'
  return linkSession(
    { upstreams, pool, client, target, as, observer, tls, secureMs, greets, ...admits },
    events,
  )
}
