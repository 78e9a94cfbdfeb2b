// Where the servers of a pool are: a name that has several addresses is several servers.

import type { PoolServerConfig } from '../../../config/config.ts'
import { familyOf, parseAddress } from '../../../ftp/addresses.ts'
import type { Names, Watching } from '../names.ts'

/** One server of an entry of the configuration. */
export interface Place {
  /** As it is asked for by name; its certificate has to be for it. */
  readonly host: string
  /** Null: it is resolved when we connect, by us or by the proxy of `via`. */
  readonly address: string | null
  readonly port: number
  /** Times the weight of the entry. */
  readonly weight: number
  /** Those of a higher one serve while none of a lower one can. */
  readonly tier: number
}

/** Until more is known of an entry. */
export function unresolved({ host, port }: PoolServerConfig): readonly Place[] {
  return [{ host, address: parseAddress(host), port, weight: 1, tier: 0 }]
}

/** Follows the addresses of an entry; null where there is nothing to follow. */
export function followPlaces(
  server: PoolServerConfig,
  names: Names,
  moved: (places: readonly Place[]) => void,
): Watching | null {
  const { host, port } = server
  if (parseAddress(host) !== null) return null
  return names.watch(host, (addresses) => moved(placesOf({ host, port, weight: 1, tier: 0 }, addresses)))
}

/**
 * In an order that every process of ours gives them, whatever the one in which DNS does. `addresses` begin with one of the
 * family that the system prefers: those of the other serve while none of these can.
 */
function placesOf(of: Omit<Place, 'address'>, addresses: readonly string[]): readonly Place[] {
  const [first] = addresses
  const preferred = first === undefined ? null : familyOf(first)
  return [...new Set(addresses)].sort().map((address) => ({
    host: of.host,
    address,
    port: of.port,
    weight: of.weight,
    tier: of.tier + (familyOf(address) === preferred ? 0 : OTHER_FAMILY),
  }))
}

const OTHER_FAMILY = 0.5
