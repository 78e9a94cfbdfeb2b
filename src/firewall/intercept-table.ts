// The static rules that bring control connections to us. Pure: from configuration to nft's language. They stand
// in a table of their own, which the administrator loads and removes (`ftp-alg firewall`); the running process
// never touches it.

import type { Config, ListenerConfig } from '../config/config.ts'
import { familyOf } from '../ftp/addresses.ts'
import { ruleAddress } from '../kernel/sockaddr.ts'
import { DEFAULT_MARK, hexMark } from './mark.ts'
import { hasForeignSockets, interceptTableOf } from './table-names.ts'

/** The routing table, and the priority of the rule that leads to it. */
export const ROUTE_TABLE = 2121

export function markOf({ pinholes }: Config): number {
  return pinholes.mark ?? DEFAULT_MARK
}

/**
 * The table for every listener that intercepts or shows servers their clients (`source: client`), or null when none does.
 *
 * ```
 * table inet ftp_alg_intercept {
 *   # Connections to other machines' port 21 end at the listener "edge"; it asks conntrack where they went.
 *   chain by_redirect {
 *     type nat hook prerouting priority dstnat - 10; policy accept;
 *     tcp dport 21 fib daddr type != local ct mark set 0xf7 redirect to :2121
 *   }
 *   # Or the same with the destination left as it is.
 *   chain by_tproxy {
 *     type filter hook prerouting priority mangle; policy accept;
 *     ct direction reply return
 *     meta nfproto ipv4 tcp dport 21 fib daddr type != local tproxy ip to 127.0.0.1:2121 meta mark set 0xf7 ct mark set 0xf7 accept
 *   }
 *   # With tproxy and with source: client: what belongs to our sockets at other machines' addresses stays here.
 *   chain own_sockets {
 *     type filter hook prerouting priority dstnat + 5; policy accept;
 *     ct status dnat return
 *     meta l4proto tcp socket transparent 1 meta mark set 0xf7 ct mark set 0xf7
 *   }
 * }
 * ```
 */
export function interceptTable(config: Config): string | null {
  const redirects = config.listeners.filter(({ intercept }) => intercept === 'redirect')
  const tproxies = config.listeners.filter(({ intercept }) => intercept === 'tproxy')
  const hasForeign = config.listeners.some(hasForeignSockets)
  if (redirects.length === 0 && !hasForeign) return null
  const mark = hexMark(markOf(config))
  const lines = [`table ${interceptTableOf(config)} {`]
  if (redirects.length > 0) lines.push(...redirectChain(redirects, mark))
  if (tproxies.length > 0) lines.push(...tproxyChain(tproxies, mark))
  if (hasForeign) lines.push(...ownSocketsChain(mark))
  return `${[...lines, '}'].join('\n')}\n`
}

/**
 * Families in which sockets of ours have addresses that are not ours: the server's, or the client's. With redirect the
 * kernel translates instead (`pinhole/nftables/source-nat.ts`), and a gateway's other traffic pays nothing.
 */
export function foreignFamilies({ listeners }: Config): readonly (4 | 6)[] {
  const foreign = listeners.filter(hasForeignSockets)
  return ([4, 6] as const).filter((family) =>
    foreign.some((listener) => familiesOf(listener).includes(family)),
  )
}

/** `[::]` is for both families, every other address for its own. */
export function familiesOf({ listen }: ListenerConfig): readonly (4 | 6)[] {
  return listen.address === '::' ? [4, 6] : [familyOf(listen.address)]
}

function redirectChain(listeners: readonly ListenerConfig[], mark: string): readonly string[] {
  const rules = listeners.flatMap((listener) => {
    const { address, port } = listener.listen
    const families = familiesOf(listener)
    const to = isAny(address) ? `redirect to :${port}` : dnatTo(address, port)
    const family = families.length === 2 ? '' : `meta nfproto ipv${families[0]} `
    return [
      `    # listener ${listener.name}: ask conntrack (SO_ORIGINAL_DST) where the client wanted to go`,
      `    ${family}${caught(listener)} ct mark set ${mark} ${to}`,
    ]
  })
  return [
    '  # Connections to other machines end here. Before everybody’s dstnat, so that ours is the first word.',
    '  chain by_redirect {',
    '    type nat hook prerouting priority dstnat - 10; policy accept;',
    ...rules,
    '  }',
  ]
}

function tproxyChain(listeners: readonly ListenerConfig[], mark: string): readonly string[] {
  const marks = `meta mark set ${mark} ct mark set ${mark} accept`
  const rules = listeners.flatMap((listener) => [
    `    # listener ${listener.name}: the destination stays, the socket is ours`,
    ...familiesOf(listener).map((family) => {
      const ip = family === 4 ? 'ip' : 'ip6'
      const to = tproxyTo(listener.listen)
      return `    meta nfproto ipv${family} ${caught(listener)} tproxy ${ip} to ${to} ${marks}`
    }),
  ])
  return [
    '  chain by_tproxy {',
    '    type filter hook prerouting priority mangle; policy accept;',
    '    # answers are not caught: a server’s data may come from a port that is (2101 beside 2102)',
    '    ct direction reply return',
    ...rules,
    '  }',
  ]
}

/**
 * Connections to servers in the client's name; and those of clients when conntrack has forgotten them and takes the next
 * packet, one of ours, for the first. After all translation, so that the answer to a masqueraded connection of ours is
 * known by its inner address, and before routing. Connections with a translated destination end in ordinary sockets or
 * are forwarded: no look at our sockets for the bulk of the data.
 */
function ownSocketsChain(mark: string): readonly string[] {
  return [
    '  # What belongs to a socket of ours at another machine’s address stays here: connections to servers in the',
    '  # client’s name, and those of clients after conntrack has lost them.',
    '  chain own_sockets {',
    '    type filter hook prerouting priority dstnat + 5; policy accept;',
    '    ct status dnat return',
    `    meta l4proto tcp socket transparent 1 meta mark set ${mark} ct mark set ${mark}`,
    '  }',
  ]
}

/** `'iifname { "lan0" } tcp dport 21 fib daddr type != local'`: never what is meant for this machine. */
function caught({ matches }: ListenerConfig): string {
  const { ports, interfaces } = matches ?? { ports: [21], interfaces: [] }
  const from = interfaces.length === 0 ? '' : `iifname ${setOf(interfaces.map(quoted))} `
  return `${from}tcp dport ${setOf(ports.map(String))} fib daddr type != local`
}

function setOf(members: readonly string[]): string {
  return members.length === 1 ? (members[0] ?? '') : `{ ${members.join(', ')} }`
}

/** Throws for what cannot be the name of a Linux interface: nothing else may enter a rule (S31). */
function quoted(name: string): string {
  if (!/^[A-Za-z0-9_.:-]{1,15}$/.test(name)) throw new Error(`not an interface name: ${JSON.stringify(name)}`)
  return `"${name}"`
}

function isAny(address: string): boolean {
  return address === '::' || address === '0.0.0.0'
}

function dnatTo(address: string, port: number): string {
  const canonical = ruleAddress(address)
  return familyOf(canonical) === 6 ? `dnat ip6 to [${canonical}]:${port}` : `dnat ip to ${canonical}:${port}`
}

function tproxyTo({ address, port }: ListenerConfig['listen']): string {
  if (isAny(address)) return `:${port}`
  const canonical = ruleAddress(address)
  return familyOf(canonical) === 6 ? `[${canonical}]:${port}` : `${canonical}:${port}`
}
