// How the servers of a pool are spoken to, where that is not as its listener says.

import type { ListenerConfig, PoolConfig, UpstreamTlsConfig } from '../../config/config.ts'
import { poolsOf, settingsFor } from '../../config/pool-settings.ts'
import type { ServerTlsPolicy, UpstreamManner } from '../../engine/manner.ts'

/** By the name of the pool; those that have no keys of their own are missing. */
export function mannersOf(
  listener: ListenerConfig,
  pools: readonly PoolConfig[],
): ReadonlyMap<string, UpstreamManner> {
  return new Map(
    poolsOf(listener, pools).flatMap((pool) => {
      const { upstreamMode, upstreamVerbs, upstreamTls } = settingsFor(pool, listener)
      const isOwn = [upstreamMode, upstreamVerbs, upstreamTls].some(({ from }) => from === 'pool')
      if (!isOwn) return []
      const manner = {
        upstreamMode: upstreamMode.value,
        upstreamVerbs: upstreamVerbs.value,
        tls: upstreamTls.value === null ? null : serverTlsPolicy(upstreamTls.value),
      }
      return [[pool.name, manner]]
    }),
  )
}

export function serverTlsPolicy({
  mode,
  dataProtection,
}: Pick<UpstreamTlsConfig, 'mode' | 'dataProtection'>): ServerTlsPolicy {
  return { followsClient: mode === 'as-client', isImplicit: mode === 'implicit', dataProtection }
}
