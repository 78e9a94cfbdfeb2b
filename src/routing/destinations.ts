// Where clients of a forward proxy may go. A host is judged twice: as it was named, and again by the address that it has when
// we connect, so that a name cannot be turned to a forbidden address (DNS rebinding).

import { type Network, parseNetwork, reachOf } from '../ftp/addresses.ts'
import { globMatcher, type Matches } from './glob.ts'

export interface DestinationRule {
  /** A pattern of DNS names in lower case (`globMatcher`), or a network in canonical CIDR text. */
  readonly host: string
  readonly isNetwork: boolean
  readonly ports: { readonly first: number; readonly last: number }
}

interface Compiled {
  readonly network: Network | 'none'
  /** The first address of the network, where it is one. */
  readonly base: string
  readonly isSingle: boolean
  readonly matches: Matches | null
  readonly ports: DestinationRule['ports']
}

export class DestinationList {
  readonly #rules: readonly Compiled[]
  readonly #isOwnAddress: (address: string) => boolean

  constructor(rules: readonly DestinationRule[], isOwnAddress: (address: string) => boolean) {
    this.#isOwnAddress = isOwnAddress
    this.#rules = rules.map(compile)
  }

  /** As it was named: a name by the patterns of names, an address by the networks. `host` as `parseNamedHost` gives it. */
  admits({ host, port }: { readonly host: string; readonly port: number }): boolean {
    if (isAddress(host)) return this.admitsAddress({ address: host, port }) && this.#isListed(host, port)
    return this.#rules.some(({ matches, ports }) => matches?.(host) === true && isWithin(ports, port))
  }

  /**
   * As it is called, however it was named. Loopback and link-local addresses only where a network of such addresses is listed;
   * our own, and metadata services, only where they are listed by themselves: `0.0.0.0/0` and `10.0.0.0/8` are not meant so.
   */
  admitsAddress({ address, port }: { readonly address: string; readonly port: number }): boolean {
    const reach = reachOf(address)
    if (reach === 'unspecified' || reach === 'multicast' || reach === 'broadcast') return false
    const isNear = reach !== 'unicast' || metadataServices.has(address) || this.#isOwnAddress(address)
    if (!isNear) return true
    const isMeant = ({ base, isSingle }: Compiled) =>
      isSingle || (reach !== 'unicast' && reachOf(base) === reach)
    return this.#rules.some((rule) => isMeant(rule) && lists(rule, address, port))
  }

  #isListed(address: string, port: number): boolean {
    return this.#rules.some((rule) => lists(rule, address, port))
  }
}

function lists({ network, ports }: Compiled, address: string, port: number): boolean {
  return network !== 'none' && (network?.matches(address) ?? true) && isWithin(ports, port)
}

function compile({ host, isNetwork, ports }: DestinationRule): Compiled {
  const [base = '', prefix] = host.split('/')
  return {
    network: isNetwork ? parseNetwork(host) : 'none',
    base,
    isSingle: isNetwork && Number(prefix) === (base.includes(':') ? 128 : 32),
    matches: isNetwork ? null : globMatcher(host),
    ports,
  }
}

/** As the configuration has it: `'*.example.net:21'`, `'[2001:db8::/32]:1024-2000'`. */
export function formatDestination({ host, ports: { first, last } }: DestinationRule): string {
  const place = host.includes(':') ? `[${host}]` : host
  return `${place}:${first === last ? first : `${first}-${last}`}`
}

/** Of clouds, beside 169.254.169.254: Alibaba, Azure, Oracle, and Amazon over IPv6. */
const metadataServices: ReadonlySet<string> = new Set([
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
])

function isAddress(host: string): boolean {
  return host.includes(':') || /^[0-9.]+$/.test(host)
}

function isWithin({ first, last }: DestinationRule['ports'], port: number): boolean {
  return port >= first && port <= last
}
