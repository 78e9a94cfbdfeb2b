// Where the servers of a pool are: a name that has several addresses is several servers.

import type { PoolServerConfig } from '../../../config/config.ts'
import { familyOf, parseAddress } from '../../../ftp/addresses.ts'
import type { Following } from '../follow.ts'
import type { Names, Service } from '../names.ts'

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
export function unresolved({ host, port, isSrv }: PoolServerConfig): readonly Place[] {
  if (isSrv === true) return []
  return [{ host, address: parseAddress(host), port, weight: 1, tier: 0 }]
}

/** Follows the addresses of an entry; null where there is nothing to follow. */
export function followPlaces(
  server: PoolServerConfig,
  names: Names,
  moved: (places: readonly Place[]) => void,
): Following | null {
  const { host, port } = server
  if (server.isSrv === true) return names.followService(host, (services) => moved(placesOfService(services)))
  if (parseAddress(host) !== null) return null
  return names.follow(host, (addresses) => moved(placesOf({ host, port, weight: 1, tier: 0 }, addresses)))
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

/**
 * Servers of a higher priority serve while none of a lower one can. Weights are what they are beside each other: 1 on
 * average. One of weight 0 beside others gets next to nothing (RFC 2782).
 */
function placesOfService(services: readonly Service[]): readonly Place[] {
  const priorities = [...new Set(services.map(({ priority }) => priority))].sort((one, other) => one - other)
  return priorities.flatMap((priority, tier) => {
    const those = services.filter((service) => service.priority === priority)
    const average = those.reduce((sum, { weight }) => sum + weight, 0) / those.length
    return those
      .map((service) => ({ service, text: `${service.host}:${service.port}` }))
      .sort((one, other) => (one.text < other.text ? -1 : 1))
      .flatMap(({ service: { host, port, weight, addresses } }) => {
        const part = average === 0 ? 1 : Math.max(weight / average, LEAST_WEIGHT)
        const shared = Math.max(new Set(addresses).size, 1)
        return placesOf({ host, port, weight: part / shared, tier }, addresses)
      })
  })
}

const OTHER_FAMILY = 0.5
const LEAST_WEIGHT = 0.01
