// Every decision about an endpoint that a peer named, in one place and without state: what a security reviewer
// reads first.

import { familyOf, parseNetwork, reachOf } from '../ftp/addresses.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { RefusalReason } from './contract.ts'

export interface Policy {
  /** A PORT or EPRT that names another host: refused, or taken to mean the client itself. */
  readonly bounce: 'refuse' | 'use-control-peer'
  /** What the address in a 227 is worth. */
  readonly pasvAddress: 'control-peer' | 'must-match' | readonly string[]
  /** No data connection goes to a port below this, on either side. */
  readonly minPort: number
  /** Networks whose hosts a client may name in PORT or EPRT: third-party transfers (FXP). */
  readonly fxp: readonly string[]
  /** Refusals until the session is closed with 421. */
  readonly maxRefusals: number
  readonly maxLineBytes: number
}

export type Verdict =
  | { readonly ok: true; readonly endpoint: Endpoint }
  | { readonly ok: false; readonly reason: RefusalReason; readonly code: number; readonly text: string }

/**
 * May we connect to what a client named in PORT or EPRT?
 *
 * Another host than the client itself is a bounce attack (501) unless it is listed for FXP, a port below `minPort` is one on the client's own
 * services (504).
 * @see RFC 2577 §2, §3
 */
export function judgeClientEndpoint({
  named,
  client,
  policy,
  isOwnAddress,
}: {
  readonly named: Endpoint
  readonly client: string
  readonly policy: Policy
  readonly isOwnAddress: (address: string) => boolean
}): Verdict {
  const isListed = named.address !== client && isThirdParty(named.address, policy.fxp, isOwnAddress)
  if (named.address !== client && !isListed && policy.bounce === 'refuse') {
    return refuse('bounce', 501, 'The address must be your own.')
  }
  if (named.port < policy.minPort) {
    return refuse('privileged_port', 504, `Ports below ${policy.minPort} are not allowed.`)
  }
  return { ok: true, endpoint: { address: isListed ? named.address : client, port: named.port } }
}

/** A host of one of these networks, which is another machine than ours. */
function isThirdParty(
  address: string,
  networks: readonly string[],
  isOwnAddress: (address: string) => boolean,
): boolean {
  if (networks.length === 0 || reachOf(address) !== 'unicast' || isOwnAddress(address)) return false
  return networks.some((network) => parseNetwork(network)?.matches(address) ?? true)
}

/**
 * Where may we connect after a server's 227 or 229? `named` is null for 229, which carries no address.
 *
 * The address of a 227 is ignored by default: only the control peer is ever connected to.
 * @see RFC 2577 §3, CVE-2020-8284 for what believing it does
 */
export function judgeServerEndpoint({
  named,
  port,
  server,
  policy,
  isOwnAddress,
}: {
  readonly named: string | null
  readonly port: number
  readonly server: Endpoint
  readonly policy: Policy
  readonly isOwnAddress: (address: string) => boolean
}): Verdict {
  if (port < policy.minPort || port === server.port || port === FTP_PORT) {
    return refuse('pasv_port', 425, 'The server named a port that is not allowed.')
  }
  const { pasvAddress } = policy
  if (named === null || named === server.address || pasvAddress === 'control-peer') {
    return { ok: true, endpoint: { address: server.address, port } }
  }
  const isListed = pasvAddress !== 'must-match' && isThirdParty(named, pasvAddress, isOwnAddress)
  return isListed
    ? { ok: true, endpoint: { address: named, port } }
    : refuse('pasv_address', 425, 'The server named an address that is not allowed.')
}

/** RFC 2428 network protocol number of a canonical address: `'1'` for IPv4, `'2'` for IPv6. */
export function protocolNumber(address: string): '1' | '2' {
  return familyOf(address) === 6 ? '2' : '1'
}

const FTP_PORT = 21

function refuse(reason: RefusalReason, code: number, text: string): Verdict {
  return { ok: false, reason, code, text: `${code} ${text}` }
}
