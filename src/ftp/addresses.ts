// Addresses as text, always canonical, so that `===` compares them.

import ipaddr from 'ipaddr.js'

export type Family = 4 | 6

/** The family of a canonical address. `'10.0.0.5'` gives 4, `'2001:db8::1'` gives 6. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4
}

/** Of a canonical address. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^127\.[0-9.]+$/.test(address)
}

/**
 * Reads an address strictly and gives its canonical text, or null.
 *
 * `'2001:DB8::0:1'` gives `'2001:db8::1'`; an IPv4-mapped address is its IPv4 self: `'::ffff:10.0.0.5'` gives
 * `'10.0.0.5'`. Refused: leading zeros (`010.0.0.1`, also behind `::ffff:`), hex, fewer than four parts, and zone ids
 * (`fe80::1%eth0`).
 */
export function parseAddress(text: string): string | null {
  if (!text.includes(':')) return isFourPartDecimal(text) ? text : null
  // ipaddr.js would read `::1.2.3.4` as `::ffff:1.2.3.4`, and `::ffff:010.1.1.1` at all: a dotted tail is checked and
  // spelled in hex before it gets there.
  const tailStart = text.lastIndexOf(':') + 1
  const tail = text.slice(tailStart)
  const hex = tail.includes('.') ? `${text.slice(0, tailStart)}${spellInHex(tail) ?? '?'}` : text
  if (!/^[0-9A-Fa-f:]+$/.test(hex) || !ipaddr.IPv6.isValid(hex)) return null
  // process() unmaps ::ffff:a.b.c.d.
  return ipaddr.process(hex).toString()
}

/** Asked for each session and each line with an address. A leading zero is octal to some readers. */
function isFourPartDecimal(text: string): boolean {
  return fourPartDecimal.test(text)
}

const fourPartDecimal = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/** `'1.2.3.4'` gives `'102:304'`. */
function spellInHex(dotted: string): string | null {
  if (!isFourPartDecimal(dotted)) return null
  const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number)
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

/**
 * The canonical text of an address that the operating system gave us, zone removed.
 *
 * `'::ffff:127.0.0.1'` gives `'127.0.0.1'`, `'fe80::1%eth0'` gives `'fe80::1'`.
 */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7)
  const zone = address.indexOf('%')
  const bare = zone < 0 ? address : address.slice(0, zone)
  return parseAddress(bare) ?? bare
}

/**
 * What an address is for, in one word: only `unicast` can be connected to.
 *
 * `'127.0.0.1'` gives `'loopback'`, `'0.0.0.0'` `'unspecified'`, `'169.254.1.1'` `'linkLocal'`,
 * `'224.0.0.1'` `'multicast'`, `'255.255.255.255'` `'broadcast'`; private and public ones are `unicast`.
 */
export function reachOf(address: string): Reach {
  if (!address.includes(':')) return reachOfV4(address)
  const range = ipaddr.parse(address).range()
  switch (range) {
    case 'loopback':
    case 'unspecified':
    case 'linkLocal':
    case 'multicast':
    case 'broadcast':
      return range
    default:
      return 'unicast'
  }
}

export type Reach = 'unicast' | 'loopback' | 'unspecified' | 'linkLocal' | 'multicast' | 'broadcast'

/** Asked several times for each transfer: the library would take the address apart and try twenty ranges. */
function reachOfV4(address: string): Reach {
  const first = Number(address.slice(0, address.indexOf('.')))
  if (first === 0) return 'unspecified'
  if (first === 127) return 'loopback'
  if (first >= 224 && first <= 239) return 'multicast'
  if (address === '255.255.255.255') return 'broadcast'
  return address.startsWith('169.254.') ? 'linkLocal' : 'unicast'
}

/** A network to compare canonical addresses with; `null` matches every address. */
export type Network = { readonly family: Family; readonly matches: (address: string) => boolean } | null

/**
 * Reads `'10.0.0.0/8'`, `'2001:db8::/32'`, a single address or `'any'`.
 *
 * Throws an `Error` for anything else: configuration has been validated before.
 */
export function parseNetwork(text: string): Network {
  if (text === 'any') return null
  const [range, bits] = text.includes('/')
    ? ipaddr.parseCIDR(text)
    : [ipaddr.parse(text), text.includes(':') ? 128 : 32]
  if (range.kind() === 'ipv4') return networkV4(range.toString(), bits)
  return {
    family: 6,
    matches(address) {
      return familyOf(address) === 6 && ipaddr.parse(address).match(range, bits)
    },
  }
}

/** Asked for every session, and several times where there are routes: as `reachOfV4`. */
function networkV4(base: string, bits: number): Network {
  const size = 2 ** (32 - bits)
  const index = Math.floor(numberOfV4(base) / size)
  return {
    family: 4,
    matches: (address) => familyOf(address) === 4 && Math.floor(numberOfV4(address) / size) === index,
  }
}

/** `'10.0.0.1'` gives 167772161; NaN for what is no canonical address. */
function numberOfV4(address: string): number {
  let value = 0
  let part = address === '' ? Number.NaN : 0
  for (let at = 0; at < address.length; at += 1) {
    const code = address.charCodeAt(at)
    if (code === DOT) {
      value = value * 256 + part
      part = 0
    } else {
      part = part * 10 + (code - DIGIT_ZERO)
    }
  }
  return value * 256 + part
}

const DOT = 46
const DIGIT_ZERO = 48
