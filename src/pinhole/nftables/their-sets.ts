// A set of the administrator's own, to which we add who is let through, for firewalls that go by sets and not by
// marks. We add and delete our own elements and touch nothing else.

import { AlgError } from '../../errors.ts'
import type { Nft } from '../../kernel/nft.ts'
import type { SetName } from '../../kernel/nft-elements.ts'
import type { TheirSets } from './elements.ts'

/**
 * Reads the name of a set as nft writes it.
 *
 * `'inet filter ftp_data'` gives `{ family: 'inet', table: 'filter', set: 'ftp_data' }`; anything else null.
 */
export function parseSetName(text: string): SetName | null {
  const match = /^(ip|ip6|inet) ([A-Za-z_][\w.-]{0,30}) ([A-Za-z_][\w.-]{0,30})$/.exec(text)
  const [, family, table, set] = match ?? []
  if (table === undefined || set === undefined) return null
  switch (family) {
    case 'ip':
    case 'ip6':
    case 'inet':
      return { family, table, set }
    default:
      return null
  }
}

/**
 * Checks that the sets can hold what we add:
 *
 * ```
 * set ftp_data  { type ipv4_addr . ipv4_addr . inet_service; flags timeout; }
 * set ftp_data6 { type ipv6_addr . ipv6_addr . inet_service; flags timeout; }
 * chain forward { … ip saddr . ip daddr . tcp dport @ftp_data accept … }
 * ```
 *
 * Errors: CONFIG_INVALID, saying which set and what is missing. Without the flag `timeout` our elements would
 * stay when we die.
 */
export function checkTheirSets(nft: Nft, { ip, ip6 }: TheirSets): void {
  if (ip !== null) checkSet(nft, ip, 'ipv4_addr')
  if (ip6 !== null) checkSet(nft, ip6, 'ipv6_addr')
}

function checkSet(nft: Nft, { family, table, set }: SetName, address: string): void {
  const name = `${family} ${table} ${set}`
  const wanted = `type ${address} . ${address} . inet_service; flags timeout`
  const found = describeSet(nft, name)
  const type = JSON.stringify(found?.type)
  const hasTimeout = Array.isArray(found?.flags) && found.flags.includes('timeout')
  if (type === JSON.stringify([address, address, 'inet_service']) && hasTimeout) return
  const given =
    found === null ? 'there is no such set' : `given type ${type}, flags ${JSON.stringify(found.flags)}`
  throw new AlgError('CONFIG_INVALID', `pinholes.admit: set ${name}: ${given}, allowed { ${wanted} }`, {
    context: { set: name },
  })
}

interface SetDescription {
  readonly type?: unknown
  readonly flags?: unknown
}

/** The `set` object that `nft -j list set` prints, or null when nft knows no such set. */
function describeSet(nft: Nft, name: string): SetDescription | null {
  const question = `list set ${name}`
  try {
    const { nftables } = nft.json(question) as {
      readonly nftables?: readonly { readonly set?: SetDescription }[]
    }
    return nftables?.find((entry) => entry.set !== undefined)?.set ?? null
  } catch {
    return null
  }
}
