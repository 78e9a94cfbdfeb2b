// Our own tables, one for each family. They hold pinholes and nothing else: what brings control connections to us
// stands in another table (cli/firewall) that we never touch while running.

import { type Family, parseNetwork } from '../ftp/addresses.ts'
import { LOGGED_BYTES } from '../kernel/attempt-watch.ts'
import type { SetName } from '../kernel/nft-elements.ts'
import { hexMark } from './mark.ts'
import { DEFAULT_TABLE } from './table-names.ts'

/** The sets of one family; all three have the same key: peer address, local address, local port. */
export interface PinholeSets {
  readonly once: SetName
  /** Where anybody of the listed networks may come. */
  readonly wide: SetName
  readonly forward: SetName
  readonly source: SetName
  /** Like `source`, with a port. */
  readonly call: SetName
}

/** The sets of a table, in both families. */
export function pinholeSets(table: string = DEFAULT_TABLE): Readonly<Record<Family, PinholeSets>> {
  const setsOf = (family: 'ip' | 'ip6'): PinholeSets => {
    const named = (set: string): SetName => ({ family, table, set })
    return {
      once: named('once'),
      wide: named('wide'),
      forward: named('forward'),
      source: named('source'),
      call: named('call'),
    }
  }
  return { 4: setsOf('ip'), 6: setsOf('ip6') }
}

/**
 * The table of a family, emptied if it was there: one transaction that leaves nothing of an earlier run and never
 * a moment without NAT hooks, on which connections of that run depend.
 *
 * ```
 * add table ip ftp_alg
 * delete table ip ftp_alg
 * table ip ftp_alg {
 *   # Who may still come: the answer to a connection takes its element away, so a pinhole works once. An attempt that
 *   # nobody answered leaves it, and the peer's next one is let in too. How many came tells what became of them.
 *   set once     { type ipv4_addr . ipv4_addr . inet_service; size 131072; flags dynamic,timeout; counter; }
 *   # Where another host of the listed networks may come in that peer's place: policy.dataPeers, policy.fxp. We listen there
 *   # ourselves, and let in one.
 *   set wide     { type ipv4_addr . inet_service; size 131072; flags timeout; }
 *   set others   { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/8 }; }
 *   # Where the kernel sends it, and whose address the target sees. Absent for what we relay ourselves.
 *   map forward  { type ipv4_addr . ipv4_addr . inet_service : ipv4_addr . inet_service; size 131072; flags timeout; }
 *   map source   { type ipv4_addr . ipv4_addr . inet_service : ipv4_addr; size 131072; flags timeout; }
 *   # As whom we call ourselves: an active client is called by the server's port 20.
 *   map call     { type ipv4_addr . ipv4_addr . inet_service : ipv4_addr . inet_service; size 131072; flags timeout; }
 *   # Before anybody's dstnat. The mark is conntrack's: a packet mark may belong to policy routing.
 *   chain claim {
 *     type filter hook prerouting priority -110; policy accept;
 *     # Every packet of the gateway comes here: one question for those of connections that stand.
 *     ct status assured accept
 *     tcp flags & (fin | syn | rst | ack) == syn | ack ct mark 0xf7 delete @once { ct original ip saddr . ct original ip daddr . ct original proto-dst }
 *     ct state != new accept
 *     # An attempt on its way again, that everybody let through the first time.
 *     ct status confirmed accept
 *     tcp flags & (fin | syn | rst | ack) == syn ip saddr . ip daddr . tcp dport @once ct mark set 0xf7
 *     tcp flags & (fin | syn | rst | ack) == syn ip saddr @others ip daddr . tcp dport @wide ct mark set 0xf7
 *     # Strangers: what wants to one of our data ports and was not claimed is told to us, and goes its way to your rules.
 *     tcp dport { 30000-30999 } tcp flags & (fin | syn | rst | ack) == syn ct mark != 0xf7 iifname != "lo" fib daddr type local limit rate 1000/second burst 1000 packets log group 30000 snaplen 128
 *   }
 *   # The same for what we answer ourselves, and for what we connect from an address that is not ours (redirect, active
 *   # clients): see source-nat.ts.
 *   chain depart {
 *     type filter hook output priority -110; policy accept;
 *     ct status assured accept
 *     tcp flags & (fin | syn | rst | ack) == syn | ack ct mark 0xf7 delete @once { ct original ip saddr . ct original ip daddr . ct original proto-dst }
 *     ct state new tcp flags & (fin | syn | rst | ack) == syn ip saddr . ip daddr . tcp dport @once ct mark set 0xf7
 *   }
 *   chain pre {
 *     type nat hook prerouting priority -105; policy accept;
 *     ct mark 0xf7 dnat ip to ip saddr . ip daddr . tcp dport map @forward
 *   }
 *   chain post {
 *     type nat hook postrouting priority 95; policy accept;
 *     ct mark 0xf7 meta l4proto tcp snat ip to ct original ip saddr . ct original ip daddr . ct original proto-dst map @source
 *     ct mark 0xf7 meta l4proto tcp snat ip to ct original ip saddr . ct original ip daddr . ct original proto-dst map @call
 *   }
 *   # Nothing jumps here. A rule that asks for bytes makes the kernel count them (nf_conntrack_acct).
 *   chain count {
 *     ct bytes 0
 *   }
 * }
 * ```
 */
export function pinholeTable(
  family: Family,
  mark: number,
  { table = DEFAULT_TABLE, counts = true, strangers = null, others = [] }: TableOptions = {},
): string {
  const ip = family === 4 ? 'ip' : 'ip6'
  const address = family === 4 ? 'ipv4_addr' : 'ipv6_addr'
  const key = `${address} . ${address} . inet_service`
  const packet = `${ip} saddr . ${ip} daddr . tcp dport`
  const original = `ct original ${ip} saddr . ct original ${ip} daddr . ct original proto-dst`
  const ours = `ct mark ${hexMark(mark)}`
  const claim = `${FIRST_PACKET} ${packet} @once ct mark set ${hexMark(mark)}`
  const take = `${ANSWER} ${ours} delete @once { ${original} }`
  const networks = others.filter((network) => parseNetwork(network)?.family === family)
  const listed = networks.length > 0
  const wide = `\n    ${FIRST_PACKET} ${ip} saddr @others ${ip} daddr . tcp dport @wide ct mark set ${hexMark(mark)}`
  const tell = strangers === null ? '' : `\n    ${strangersRule(mark, strangers)}`
  return `add table ${ip} ${table}
delete table ${ip} ${table}
table ${ip} ${table} {
  set once { type ${key}; size ${SIZE}; flags dynamic,timeout; counter; }
  set wide { type ${address} . inet_service; size ${SIZE}; flags timeout; }${listed ? othersSet(address, networks) : ''}
  map forward { type ${key} : ${address} . inet_service; size ${SIZE}; flags timeout; }
  map source { type ${key} : ${address}; size ${SIZE}; flags timeout; }
  map call { type ${key} : ${address} . inet_service; size ${SIZE}; flags timeout; }
  chain claim {
    type filter hook prerouting priority -110; policy accept;
    ct status assured accept
    ${take}
    ct state != new accept
    ct status confirmed accept
    ${claim}${listed ? wide : ''}${tell}
  }
  chain depart {
    type filter hook output priority -110; policy accept;
    ct status assured accept
    ${take}
    ct state new ${claim}
  }
  chain pre {
    type nat hook prerouting priority -105; policy accept;
    ${ours} dnat ${ip} to ${packet} map @forward
  }
  chain post {
    type nat hook postrouting priority 95; policy accept;
    ${ours} meta l4proto tcp snat ${ip} to ${original} map @source
    ${ours} meta l4proto tcp snat ${ip} to ${original} map @call
  }
${counts ? COUNT_CHAIN : ''}}
`
}

/** Both families in one transaction. */
export function pinholeTables(mark: number, options?: TableOptions): string {
  return pinholeTable(4, mark, options) + pinholeTable(6, mark, options)
}

/**
 * The commands that list the rules of both families, without what is in the sets. One by one: with several in one run,
 * libnftables 1.0.6 knows only the first chain.
 */
export function listPinholeRules(table: string): readonly string[] {
  const chains = ['claim', 'depart', 'pre', 'post']
  return ['ip', 'ip6'].flatMap((ip) => chains.map((chain) => `list chain ${ip} ${table} ${chain}`))
}

export interface TableOptions {
  readonly table?: string
  /** False leaves out what switches on accounting: the kernel does that even when it is only asked (`nft -c`). */
  readonly counts?: boolean
  /** Networks, canonical, that may come to a data port in its peer's place. */
  readonly others?: readonly string[]
  /** Connection attempts that took no element are told to this group; null or absent: not at all. */
  readonly strangers?: StrangersRule | null
}

export interface StrangersRule {
  /** Of nfnetlink_log, 1 to 65535. */
  readonly group: number
  /** Inclusive, at least one. */
  readonly ports: readonly { readonly first: number; readonly last: number }[]
  /** Pinholes stand at other machines' addresses too, as they do with interception. */
  readonly everywhere: boolean
}

function othersSet(type: string, networks: readonly string[]): string {
  const elements = networks.join(', ')
  return `\n  set others { type ${type}; flags interval; auto-merge; elements = { ${elements} }; }`
}

/** A flood costs us no more than a thousand packets a second. What this machine says to itself is its own affair. */
function strangersRule(mark: number, { group, ports, everywhere }: StrangersRule): string {
  const ranges = ports.map(({ first, last }) => `${first}-${last}`).join(', ')
  return [
    `tcp dport { ${ranges} } ${FIRST_PACKET}`,
    `ct mark != ${hexMark(mark)} iifname != "lo"`,
    ...(everywhere ? [] : ['fib daddr type local']),
    `limit rate 1000/second burst 1000 packets log group ${group} snaplen ${LOGGED_BYTES}`,
  ].join(' ')
}

const FIRST_PACKET = 'tcp flags & (fin | syn | rst | ack) == syn'
const ANSWER = 'tcp flags & (fin | syn | rst | ack) == syn | ack'

const COUNT_CHAIN = `  chain count {
    ct bytes 0
  }
`

/** Elements a set may hold; each pinhole is one in each set. */
const SIZE = 131_072
