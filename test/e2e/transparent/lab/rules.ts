// The administrator's own firewall: drops by default, in `input` and in `forward`.

import type { Network } from '../../../support/netns.ts'

export interface AdministratorRules {
  /** Lines for both chains; the one about the mark unless said otherwise. */
  readonly both?: string
  readonly input?: string
  readonly forward?: string
  /** Sets, and whole chains such as masquerading. */
  readonly table?: string
}

/** The only line that ftp-alg needs in chains that drop by default. */
export const acceptMark = 'ct mark 0xf7 accept'

/** Packets that the chains drop are counted: `dropped` tells. */
export function dropByDefault(rules: AdministratorRules = {}): string {
  const { both = acceptMark, input = '', forward = '', table = '' } = rules
  return `table inet filter {
    counter dropped_input { }
    counter dropped_forward { }
    ${table}
    chain input {
      type filter hook input priority filter; policy drop;
      ct state established,related accept
      iifname lo accept
      icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
      ${both}
      ${input}
      counter name dropped_input
    }
    chain forward {
      type filter hook forward priority filter; policy drop;
      ct state established,related accept
      ${both}
      ${forward}
      counter name dropped_forward
    }
  }`
}

/** Packets that the administrator's chains dropped so far. */
export async function dropped({ gateway }: Network): Promise<number> {
  const counters = await gateway.run(['nft', 'list', 'counters', 'table', 'inet', 'filter'])
  return [...counters.stdout.matchAll(/packets (\d+)/g)].reduce(
    (total, [, count]) => total + Number(count),
    0,
  )
}
