// The matrix: every server with every client, in every way that the client can set up data connections.

import { ftpClients } from '../../support/clients/all.ts'
import { dataModes, type FtpClient, type Way } from '../../support/clients/client.ts'
import type { Family } from '../../support/netns.ts'
import { serverKinds } from '../../support/servers/all.ts'
import type { ServerKind } from '../../support/servers/server.ts'

/** How the client reaches the server: not through the proxy, or through a listener with this `upstreamMode`. */
export type Route = 'direct' | 'client' | 'passive' | 'active'

export const routes: readonly Route[] = ['direct', 'client', 'passive', 'active']
export type UpstreamMode = Exclude<Route, 'direct'>

export const upstreamModes: readonly UpstreamMode[] = ['client', 'passive', 'active']
export const families: readonly Family[] = ['ipv4', 'ipv6']

export interface Combination extends Way {
  readonly server: ServerKind
  readonly client: FtpClient
  readonly route: Route
}

export const allWays: readonly Way[] = families.flatMap((family) =>
  dataModes.map((mode) => ({ family, mode })),
)

export function waysOf(client: FtpClient): readonly Way[] {
  return allWays.filter((way) => client.cannotUse(way) === null)
}

/** `vsftpd curl ipv4 PASV direct`: stable, and sorts like the tables. */
export function keyOf({ server, client, family, mode, route }: Combination): string {
  return `${server} ${client.name} ${family} ${mode} ${route}`
}

/**
 * The combinations that also move 50 MiB: every client with every server once, so spread that every way and
 * every upstream mode has its turn.
 */
export const largeCombinations: ReadonlySet<string> = new Set(
  serverKinds.flatMap((server, s) =>
    ftpClients.map((client, c) => {
      const ways = waysOf(client)
      const way = ways[(s + c) % ways.length]
      const route = upstreamModes[(s + 2 * c + Math.floor((s + c) / ways.length)) % upstreamModes.length]
      if (way === undefined || route === undefined)
        throw new Error(`${client.name} has no way to transfer data`)
      return keyOf({ server, client, ...way, route })
    }),
  ),
)
