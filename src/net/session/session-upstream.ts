// What a session does to reach its server: whatever the engine chose, made an address and a pool.

import type { UpstreamChoice } from '../../engine/contract.ts'
import type { UpstreamManner } from '../../engine/manner.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { UpstreamAttempt } from '../upstream/attempt.ts'
import { linkSession } from '../upstream/pool/pool-link.ts'
import type { LinkEvents, UpstreamLink } from '../upstream/upstream-link.ts'
import type { SessionTls } from './session-tls.ts'
import type { SessionStart } from './setting.ts'

export interface SessionCall extends SessionStart {
  /** Absent: the target that the session began with. */
  readonly to: UpstreamChoice | undefined
  /** In whose name the server is called; null: in our own. */
  readonly as: Endpoint | null
  readonly tls: SessionTls | null
}

export interface SessionLinkEvents extends Omit<LinkEvents, 'linked'> {
  /** `manner`: see `upstreamConnected`. */
  linked(link: UpstreamLink, manner: UpstreamManner | null): void
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
export function callUpstream(call: SessionCall, events: SessionLinkEvents): UpstreamAttempt {
  const { setting, observer, connection: client, as, tls, to } = call
  const { upstreams, limits, destinations } = setting
  const chosen = to === undefined ? null : (destinations?.of(to) ?? null)
  const { target, pool } = chosen ?? { target: call.target, pool: setting.pool }
  if (target === null) throw new Error('a session has no server to call')
  if (chosen !== null) {
    if (chosen.route !== null) observer.routed({ route: chosen.route })
    tls?.towards(target.host, pool?.name ?? null)
  }
  const admits = chosen?.admits === undefined ? {} : { admits: chosen.admits }
  const secureMs = limits.connectMs
  const greets = setting.passthrough !== 'implicit'
  const manner = pool === null ? null : (setting.manners.get(pool.name) ?? null)
  return linkSession(
    { upstreams, pool, client, target, as, observer, tls, secureMs, greets, ...admits },
    {
      linked: (link) => events.linked(link, manner),
      failed: (reason) => events.failed(reason),
      broke: (error) => events.broke(error),
    },
  )
}
