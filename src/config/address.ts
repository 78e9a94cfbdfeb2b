// Literal addresses, networks and host names. Text that leaves here is canonical, as `ftp/addresses.ts` makes it
// for everything that peers say, so that `===` compares the two.

import ipaddr from 'ipaddr.js'
import { parseAddress as readAddress, parseNetwork as readNetwork } from '../ftp/addresses.ts'
import { accept, type Parsed, refuse, type TextForm } from './complaint.ts'

export const networkForm: TextForm<string> = {
  name: 'network',
  allowed: 'a network such as 10.0.0.0/8 or 2001:db8::/32, or one address',
  pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$',
  parse: parseNetwork,
}

/** The first half of an advertise rule: whom it is for. */
export const audienceForm: TextForm<string> = {
  name: 'network or any',
  allowed: 'any, a network such as 10.0.0.0/8 or 2001:db8::/32, or one address',
  pattern: '^(any|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$',
  parse: (text) => (text === 'any' ? accept('any') : parseNetwork(text)),
}

export const hostForm: TextForm<string> = {
  name: 'address or DNS name',
  allowed: 'an address that peers can connect to, such as 203.0.113.7 or 2001:db8::7, or a DNS name',
  pattern: '^[0-9A-Za-z_.:-]+$',
  parse: parseHost,
}

/**
 * Reads a literal address into canonical text. `'2001:DB8:0::7'` gives `'2001:db8::7'`, `'::ffff:10.0.0.1'` gives
 * `'10.0.0.1'`.
 *
 * Refuses what `ftp/addresses.ts` refuses, with a word about zone ids.
 */
export function parseAddress(text: string): Parsed<string> {
  if (text.includes('%')) return refuse('has a zone id, which means something on one machine only')
  const canonical = readAddress(text)
  return canonical === null ? refuse(notAnAddress) : accept(canonical)
}

const notAnAddress = 'is not an IP address'

/**
 * Reads a network in CIDR notation, or one address, into canonical CIDR text. `'10.1.2.3'` gives
 * `'10.1.2.3/32'`. Refuses bits below the mask: `10.1.2.3/8` is a slip as often as it means `10.0.0.0/8`.
 */
export function parseNetwork(text: string): Parsed<string> {
  const [, base = '', bits] = /^([^/]*)(?:\/(.*))?$/.exec(text) ?? []
  const address = parseAddress(base)
  if (!address.ok) return refuse(address.reason === notAnAddress ? 'is not a network' : address.reason)
  const width = address.value.includes(':') ? 128 : 32
  if (bits === undefined) return accept(`${address.value}/${width}`)
  if (!/^(0|[1-9][0-9]{0,2})$/.test(bits)) return refuse('has a prefix length that is not a number')
  // A mapped network counts its prefix in 128 bits: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const prefix = Number(bits) - (width === 32 && base.includes(':') ? 96 : 0)
  if (prefix < 0 || prefix > width) return refuse('has a prefix length out of range')
  const network = networkOf({ address: address.value, prefix })
  if (network !== address.value) return refuse(`has bits below its mask; did you mean ${network}/${prefix}?`)
  return accept(`${network}/${prefix}`)
}

/** Is every address of the network `inner` also in `outer`? Both as `parseNetwork` gives them, or `any`. */
export function networkCovers({ outer, inner }: { readonly outer: string; readonly inner: string }): boolean {
  const network = readNetwork(outer)
  if (network === null) return true
  const [address = '', prefix] = inner.split('/')
  return inner !== 'any' && Number(prefix) >= Number(outer.split('/')[1]) && network.matches(address)
}

/** Reads what a peer can connect to: an address, or a DNS name in lower case. */
export function parseHost(text: string): Parsed<string> {
  const address = parseAddress(text)
  if (address.ok) {
    const kind = ipaddr.parse(address.value).range()
    if (unreachableKinds.has(kind)) return refuse(`is ${kind}: nobody can connect to it`)
    return address
  }
  if (text.includes('%')) return address
  return isHostName(text) ? accept(text.toLowerCase()) : refuse('is neither an IP address nor a DNS name')
}

const unreachableKinds: ReadonlySet<string> = new Set(['unspecified', 'multicast', 'broadcast'])

/**
 * RFC 1123 §2.1 names, with the underscore that container networks use and an optional final dot. A last
 * label of digits only is a misspelt IPv4 address: `10.1.1`, `010.1.1.1`, `300.1.1.1`.
 */
function isHostName(text: string): boolean {
  const labels = text.replace(/\.$/, '').split('.')
  return (
    text.length <= 254 &&
    labels.every((label) => /^[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?$/.test(label)) &&
    !/^([0-9]+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? '')
  )
}

function networkOf({ address, prefix }: { readonly address: string; readonly prefix: number }): string {
  return address.includes(':')
    ? ipaddr.IPv6.networkAddressFromCIDR(`${address}/${prefix}`).toRFC5952String()
    : ipaddr.IPv4.networkAddressFromCIDR(`${address}/${prefix}`).toString()
}
