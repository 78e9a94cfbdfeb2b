// Where the matrix takes place: each server has three addresses with a firewall rule each, so that no data
// connection but the intended kind can come about, and the proxy has a listener for each of them.

import type { Way } from '../../support/clients/client.ts'
import type { Family, Network } from '../../support/netns.ts'
import { serverKinds } from '../../support/servers/all.ts'
import type { ServerKind } from '../../support/servers/server.ts'
import { families, type UpstreamMode } from './combinations.ts'

/** What a server's firewall lets through at one of its addresses. */
export type Door = 'open' | 'passive' | 'active'

export const doors: readonly Door[] = ['open', 'passive', 'active']

/** The door that only the right kind of data connection fits through. */
export function doorFor(upstreamMode: UpstreamMode, { mode }: Pick<Way, 'mode'>): Door {
  if (upstreamMode !== 'client') return upstreamMode
  return mode === 'PASV' || mode === 'EPSV' ? 'passive' : 'active'
}

export interface Addressed {
  readonly kind: ServerKind
  readonly family: Family
  readonly door: Door
}

export function serverAddress(network: Network, { kind, family, door }: Addressed): string {
  const address = network.host(kind).addresses[family][doors.indexOf(door)]
  if (address === undefined) throw new Error(`${kind} has no address for ${door}`)
  return address
}

/** nftables rules of a server's host. They refuse at once, so that a wrong choice shows quickly. */
export function serverFirewall(network: Network, kind: ServerKind): string {
  const syn = 'tcp flags & (syn | ack) == syn'
  const at = (family: Family, door: Door) => serverAddress(network, { kind, family, door })
  return `table inet firewall {
    chain input {
      type filter hook input priority filter
      ip daddr ${at('ipv4', 'active')} ${syn} tcp dport != 21 reject with tcp reset
      ip6 daddr ${at('ipv6', 'active')} ${syn} tcp dport != 21 reject with tcp reset
    }
    chain output {
      type filter hook output priority filter
      ip saddr ${at('ipv4', 'passive')} ${syn} reject with tcp reset
      ip6 saddr ${at('ipv6', 'passive')} ${syn} reject with tcp reset
    }
  }`
}

interface Listener {
  readonly upstreamMode: UpstreamMode
  readonly door: Door
}

const listeners: readonly Listener[] = [
  { upstreamMode: 'client', door: 'passive' },
  { upstreamMode: 'client', door: 'active' },
  { upstreamMode: 'passive', door: 'passive' },
  { upstreamMode: 'active', door: 'active' },
]

/** The proxy's port in front of a server, the same in both families. */
export function listenerPort(kind: ServerKind, wanted: Listener): number {
  const index = listeners.findIndex(
    (one) => one.upstreamMode === wanted.upstreamMode && one.door === wanted.door,
  )
  if (index < 0) throw new Error(`no listener with upstreamMode ${wanted.upstreamMode} to ${wanted.door}`)
  return 2100 + 10 * serverKinds.indexOf(kind) + index
}

export function proxyConfiguration(network: Network): string {
  const entries = serverKinds.flatMap((kind) =>
    listeners.flatMap(({ upstreamMode, door }) =>
      families.map((family) => {
        const host = (address: string) => (family === 'ipv6' ? `[${address}]` : address)
        const own = host(network.gateway.inside[family])
        const upstream = host(serverAddress(network, { kind, family, door }))
        return `  - name: ${kind}-${upstreamMode}-${door}-${family}
    listen: "${own}:${listenerPort(kind, { upstreamMode, door })}"
    upstream: "${upstream}:21"
    upstreamMode: ${upstreamMode}`
      }),
    ),
  )
  return `listeners:\n${entries.join('\n')}
dataPorts: 30000-31999
limits: { sessionsPerClient: 1000 }
`
}
