// The few words that many rooms share. Types only, so that every room may read it.

/** Who moves the bytes of a data channel: a relay of ours, or the kernel by nftables. */
export type BackendName = 'relay' | 'nftables'

export type DataPath = 'relay' | 'kernel'

/** Why a client was sent away with 421 before it had a session. */
export type RejectReason = 'limit' | 'client_limit' | 'draining' | 'no_destination' | 'loop'

/** Why a connection to a data port of ours was reset. */
export type IntruderReason = 'wrong_peer' | 'late' | 'duplicate'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** A port pool's figures for metrics and the status page. */
export interface PoolUse {
  readonly pool: 'client' | 'server' | 'shared'
  readonly ports: number
  readonly inUse: number
  readonly quarantined: number
}
