import { AlgError } from '../errors.ts'
import type { PinholeRequest } from './backend.ts'
import type { PortPool } from './port-pool.ts'

/** Pinholes on one port are told apart by who comes: a pinhole for more than one peer has its port for itself. */
export function poolPeerOf({ expect, others }: Pick<PinholeRequest, 'expect' | 'others'>): string {
  return others.length === 0 ? expect : 'anybody'
}

/** The error for a port that the pool would not give. */
export function poolError(
  reason: 'exhausted' | 'share',
  { client, expect, from }: PinholeRequest,
  pool: PortPool,
): AlgError {
  const context = { client, expect, ports: pool.size, in_use: pool.inUse }
  return reason === 'exhausted'
    ? new AlgError('PORT_RANGE_EXHAUSTED', `all ${pool.size} ${from} data ports are taken for ${expect}`, {
        context,
      })
    : new AlgError('CLIENT_SHARE_EXHAUSTED', `${client} holds its share of the ${pool.size} data ports`, {
        context,
      })
}
