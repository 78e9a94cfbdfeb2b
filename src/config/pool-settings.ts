// Which keys hold for sessions of a listener with the servers of a pool: the pool's own, and the listener's for the rest.

import type { ListenerConfig, PoolConfig, UpstreamMode, UpstreamTlsConfig, UpstreamVerb } from './config.ts'

type Naming = Pick<ListenerConfig, 'pool' | 'routes'>

/** Whose value it is. */
export interface Applied<T> {
  readonly value: T
  readonly from: 'pool' | 'listener'
}

export interface PoolSettings {
  readonly upstreamMode: Applied<UpstreamMode>
  readonly upstreamVerbs: Applied<readonly UpstreamVerb[]>
  /** Null: in clear. */
  readonly upstreamTls: Applied<UpstreamTlsConfig | null>
}

export function settingsFor(
  pool: Pick<PoolConfig, 'upstreamMode' | 'upstreamVerbs' | 'upstreamTls'>,
  listener: Pick<ListenerConfig, 'upstreamMode' | 'upstreamVerbs' | 'upstreamTls'>,
): PoolSettings {
  return {
    upstreamMode: applied(pool.upstreamMode, listener.upstreamMode),
    upstreamVerbs: applied(pool.upstreamVerbs, listener.upstreamVerbs),
    upstreamTls: applied(pool.upstreamTls, listener.upstreamTls ?? null),
  }
}

/** Those that a listener or a route of it leads to. */
export function poolsOf(listener: Naming, pools: readonly PoolConfig[]): readonly PoolConfig[] {
  const named = [listener, ...(listener.routes ?? [])].map(({ pool }) => pool)
  return pools.filter(({ name }) => named.includes(name))
}

/** TLS on either side, with any of its servers. */
export function usesTls(
  listener: Naming & Pick<ListenerConfig, 'tls' | 'upstreamTls'>,
  pools: readonly PoolConfig[],
): boolean {
  if (listener.tls !== undefined || listener.upstreamTls !== undefined) return true
  return poolsOf(listener, pools).some(({ upstreamTls }) => upstreamTls != null)
}

function applied<T>(own: T | undefined, listeners: T): Applied<T> {
  return own === undefined ? { value: listeners, from: 'listener' } : { value: own, from: 'pool' }
}
