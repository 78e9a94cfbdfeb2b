// A host's own record of who opened TCP connections to it and to whom it opened some, kept by its kernel.

import type { Family, Host } from '../../../support/netns.ts'

export interface Acquaintances {
  /** Addresses that connections came from. */
  readonly callers: readonly string[]
  /** Addresses that connections went to. */
  readonly called: readonly string[]
}

/** Rules for `Host.firewall`, with others of the host's own. Loading them again forgets everything. */
export function witnessRules(others = ''): string {
  const syn = 'tcp flags & (syn | ack) == syn'
  return `table inet witness {
    set callers_ipv4 { type ipv4_addr; flags dynamic; size 1024; }
    set callers_ipv6 { type ipv6_addr; flags dynamic; size 1024; }
    set called_ipv4 { type ipv4_addr; flags dynamic; size 1024; }
    set called_ipv6 { type ipv6_addr; flags dynamic; size 1024; }
    chain input {
      type filter hook input priority -300
      iifname != lo ${syn} add @callers_ipv4 { ip saddr }
      iifname != lo ${syn} add @callers_ipv6 { ip6 saddr }
    }
    chain output {
      type filter hook output priority -300
      oifname != lo ${syn} add @called_ipv4 { ip daddr }
      oifname != lo ${syn} add @called_ipv6 { ip6 daddr }
    }
  }
  ${others}`
}

export async function acquaintances(host: Host, family: Family): Promise<Acquaintances> {
  return {
    callers: await members(host, `callers_${family}`),
    called: await members(host, `called_${family}`),
  }
}

async function members(host: Host, set: string): Promise<readonly string[]> {
  const { stdout, stderr, exitCode } = await host.run(['nft', '-j', 'list', 'set', 'inet', 'witness', set])
  if (exitCode !== 0) throw new Error(`nft list set ${set}: ${stderr}`)
  const listed: { readonly nftables: readonly { readonly set?: { readonly elem?: readonly string[] } }[] } =
    JSON.parse(stdout)
  return [...(listed.nftables.find((entry) => entry.set !== undefined)?.set?.elem ?? [])].sort()
}
