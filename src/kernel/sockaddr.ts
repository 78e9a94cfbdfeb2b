// struct sockaddr_in and sockaddr_in6, and addresses as bytes. Whatever enters the kernel from here was parsed
// and written again from its bytes (S31).

import ipaddr from 'ipaddr.js'
import { canonicalAddress, familyOf } from '../ftp/addresses.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import { littleEndian } from './byte-order.ts'
import { AF_INET, AF_INET6 } from './libc.ts'

/** Bytes of the longest address structure, `sockaddr_in6`. */
export const SOCKADDR_BYTES = 28

/**
 * The 4 or 16 bytes of an address: `'10.0.0.5'` gives `0a 00 00 05`.
 *
 * Throws a plain `Error` for anything that is not strictly an address: it should have been parsed long before.
 */
export function addressBytes(address: string): Uint8Array {
  const bytes = cheapV4(address) ?? parsedBytes(address)
  if (bytes === null) throw new Error(`not an IP address: ${JSON.stringify(address)}`)
  return bytes
}

/** The canonical text of 4 or 16 bytes; an IPv4-mapped address is written as IPv4. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
  return canonicalAddress(ipaddr.fromByteArray([...bytes]).toString())
}

/** An address as it may stand in a rule: parsed and written again, so that it can be nothing but an address. */
export function ruleAddress(address: string): string {
  return addressText(addressBytes(address))
}

/** Port 0 lets the system choose. */
export function encodeSockaddr({ address, port }: Endpoint): Uint8Array {
  const bytes = addressBytes(address)
  const six = bytes.length === 16
  const sockaddr = new Uint8Array(six ? SOCKADDR_BYTES : 16)
  sockaddr[littleEndian ? 0 : 1] = six ? AF_INET6 : AF_INET
  sockaddr[2] = port >> 8
  sockaddr[3] = port & 0xff
  sockaddr.set(bytes, six ? 8 : 4)
  return sockaddr
}

/** Null for another family than IPv4 and IPv6. */
export function decodeSockaddr(sockaddr: Uint8Array): Endpoint | null {
  const port = ((sockaddr[2] ?? 0) << 8) | (sockaddr[3] ?? 0)
  switch (familyIn(sockaddr)) {
    case AF_INET:
      // Each connection is decoded: no view of the bytes is made for it.
      return { address: `${sockaddr[4]}.${sockaddr[5]}.${sockaddr[6]}.${sockaddr[7]}`, port }
    case AF_INET6:
      return { address: addressText(sockaddr.subarray(8, 24)), port }
    default:
      return null
  }
}

/** The interface of a link-local address, by number; 0 for every other address. */
export function scopeOf(sockaddr: Uint8Array): number {
  if (familyIn(sockaddr) !== AF_INET6) return 0
  const view = new DataView(sockaddr.buffer, sockaddr.byteOffset, sockaddr.byteLength)
  return view.getUint32(24, littleEndian)
}

function familyIn(sockaddr: Uint8Array): number {
  return (sockaddr[littleEndian ? 0 : 1] ?? 0) | ((sockaddr[littleEndian ? 1 : 0] ?? 0) << 8)
}

/** AF_INET or AF_INET6, as the address needs it. */
export function socketFamily(address: string): number {
  return familyOf(address) === 6 ? AF_INET6 : AF_INET
}

/** An `int` option value in the machine's byte order. */
export function intOption(value: number): Uint8Array {
  return new Uint8Array(new Int32Array([value]).buffer)
}

/** Four decimal bytes without the cost of a library, or null for anything else. */
function cheapV4(address: string): Uint8Array | null {
  const bytes = new Uint8Array(4)
  let part = 0
  let value = -1
  for (let at = 0; at <= address.length; at += 1) {
    const code = at === address.length ? 46 : address.charCodeAt(at)
    if (code >= 48 && code <= 57) {
      // A leading zero is octal to some readers: refused.
      if (value === 0) return null
      value = Math.max(value, 0) * 10 + code - 48
      if (value > 255) return null
    } else if (code === 46 && value >= 0 && part < 4) {
      bytes[part] = value
      part += 1
      value = -1
    } else {
      return null
    }
  }
  return part === 4 ? bytes : null
}

function parsedBytes(address: string): Uint8Array | null {
  if (!address.includes(':') || address.includes('%') || !ipaddr.IPv6.isValid(address)) return null
  return Uint8Array.from(ipaddr.IPv6.parse(address).toByteArray())
}
