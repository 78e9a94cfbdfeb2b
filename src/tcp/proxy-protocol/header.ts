// The PROXY protocol, versions 1 and 2: what a balancer says of a connection before its first byte
// (haproxy.org/download/3.0/doc/proxy-protocol.txt).

import { canonicalAddress, familyOf, parseAddress } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import { addressBytes } from '../../kernel/sockaddr.ts'
import { type ClientTlsFacts, type Introduction, readTlvs, writeTlvs } from './tlv.ts'

export interface ProxyHeader {
  /** How many bytes it takes. */
  readonly length: number
  /** Who called whom, canonical; null where the balancer speaks for itself (LOCAL, UNKNOWN). */
  readonly ends: { readonly source: Endpoint; readonly destination: Endpoint } | null
  /** Absent: nothing. */
  readonly introduction?: Introduction
}

export type HeaderRead =
  | { readonly type: 'whole'; readonly header: ProxyHeader }
  /** So far it may become one. */
  | { readonly type: 'partial' }
  | { readonly type: 'wrong'; readonly why: string }

/** Reads the header that `bytes` begin with. */
export function readProxyHeader(bytes: Buffer): HeaderRead {
  const isFirst = (mark: Buffer) => {
    const count = Math.min(bytes.length, mark.length)
    return bytes.compare(mark, 0, count, 0, count) === 0
  }
  if (bytes.length === 0) return partial
  if (isFirst(SIGNATURE)) return bytes.length < FIXED_BYTES ? partial : readBinary(bytes)
  if (isFirst(TEXT_MARK)) return readText(bytes)
  return wrong('it is no PROXY header')
}

function readText(bytes: Buffer): HeaderRead {
  const end = bytes.subarray(0, MAX_TEXT_BYTES).indexOf('\r\n')
  if (end < 0) return bytes.length < MAX_TEXT_BYTES ? partial : wrong('its line does not end')
  const length = end + 2
  const [, protocol = '', ...rest] = bytes.toString('latin1', 0, end).split(' ')
  if (protocol === 'UNKNOWN') return { type: 'whole', header: { length, ends: null } }
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : null
  if (family === null || rest.length !== 4) return wrong('its line is malformed')
  const [from = '', to = '', fromPort = '', toPort = ''] = rest
  const addresses = [from, to].map(parseAddress)
  const ports = [fromPort, toPort].map((text) => (/^(0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : -1))
  const isOfFamily = addresses.every((address, index) => {
    return address !== null && (family === 6 ? (rest[index] ?? '').includes(':') : familyOf(address) === 4)
  })
  if (!isOfFamily) return wrong(`an address in it is not ${protocol}`)
  return endsOf(length, { addresses: addresses.map((address) => address ?? ''), ports })
}

function readBinary(bytes: Buffer): HeaderRead {
  const versionAndCommand = bytes.readUInt8(12)
  const familyAndProtocol = bytes.readUInt8(13)
  const length = FIXED_BYTES + bytes.readUInt16BE(14)
  if (versionAndCommand >> 4 !== 2) return wrong('its version is not 2')
  const command = versionAndCommand & 0xf
  if (command > 1) return wrong('its command is neither LOCAL nor PROXY')
  if (length > MAX_BINARY_BYTES) return wrong('it is too long')
  if (bytes.length < length) return partial
  if (command === 0 || familyAndProtocol === UNSPECIFIED)
    return { type: 'whole', header: { length, ends: null } }
  const addressBytes = familyAndProtocol === TCP4 ? 4 : familyAndProtocol === TCP6 ? 16 : 0
  if (addressBytes === 0) return wrong('it is about something else than TCP over IP')
  const portsAt = FIXED_BYTES + 2 * addressBytes
  if (length < portsAt + 4) return wrong('it is too short for its addresses')
  const introduction = readTlvs(bytes.subarray(portsAt + 4, length))
  if (introduction === null) return wrong('what it says beside the addresses is torn')
  const isSilent = introduction.serverName === null && introduction.tls === null
  const addressAt = (at: number) => textOf(bytes.subarray(at, at + addressBytes))
  return endsOf(length, {
    addresses: [addressAt(FIXED_BYTES), addressAt(FIXED_BYTES + addressBytes)],
    ports: [bytes.readUInt16BE(portsAt), bytes.readUInt16BE(portsAt + 2)],
    ...(isSilent ? {} : { introduction }),
  })
}

function endsOf(
  length: number,
  {
    addresses,
    ports,
    ...rest
  }: {
    readonly addresses: readonly string[]
    readonly ports: readonly number[]
    readonly introduction?: Introduction
  },
): HeaderRead {
  const [source, destination] = addresses.map((address, index) => {
    return { address: canonicalAddress(address), port: ports[index] ?? -1 }
  })
  if (source === undefined || destination === undefined) return wrong('an end is missing')
  if ([source, destination].some(({ port }) => port < 1 || port > 65_535))
    return wrong('a port in it is none')
  return { type: 'whole', header: { length, ends: { source, destination }, ...rest } }
}

/** An address as text, from its bytes in network order. */
function textOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16))
  return groups.join(':')
}

export type ProxyVersion = 'v1' | 'v2'

/**
 * The header that says who called whom. The older form says UNKNOWN where they are not of one family; the newer one has what
 * is known of the client's TLS.
 */
export function writeProxyHeader(
  version: ProxyVersion,
  { source, destination }: { readonly source: Endpoint; readonly destination: Endpoint },
  tls: ClientTlsFacts | null = null,
): Buffer {
  const isOneFamily = familyOf(source.address) === familyOf(destination.address)
  if (version === 'v1') {
    const protocol = familyOf(source.address) === 4 ? 'TCP4' : 'TCP6'
    const ends = `${source.address} ${destination.address} ${source.port} ${destination.port}`
    return Buffer.from(isOneFamily ? `PROXY ${protocol} ${ends}\r\n` : 'PROXY UNKNOWN\r\n', 'latin1')
  }
  const family = familyOf(source.address)
  const isBoth4 = isOneFamily && family === 4
  // An IPv4 address can be written as IPv6, mapped.
  const addresses = [source, destination].map(({ address }) => bytesOf(address, isBoth4 ? 4 : 6))
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(source.port, 0)
  ports.writeUInt16BE(destination.port, 2)
  const body = Buffer.concat([...addresses, ports, ...(tls === null ? [] : [writeTlvs(tls)])])
  const head = Buffer.alloc(4)
  head.writeUInt8(0x21, 0)
  head.writeUInt8(isBoth4 ? TCP4 : TCP6, 1)
  head.writeUInt16BE(body.length, 2)
  return Buffer.concat([SIGNATURE, head, body])
}

/** The header of a connection of our own, such as a check: UNKNOWN, and LOCAL in the newer form. */
export function writeOwnHeader(version: ProxyVersion): Buffer {
  if (version === 'v1') return Buffer.from('PROXY UNKNOWN\r\n', 'latin1')
  return Buffer.concat([SIGNATURE, Buffer.from([0x20, UNSPECIFIED, 0, 0])])
}

function bytesOf(address: string, family: 4 | 6): Uint8Array {
  const bytes = addressBytes(address)
  return family === 6 && bytes.length === 4 ? Buffer.concat([MAPPED, bytes]) : bytes
}

function wrong(why: string): HeaderRead {
  return { type: 'wrong', why }
}

const partial: HeaderRead = { type: 'partial' }
const TEXT_MARK = Buffer.from('PROXY ', 'latin1')
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const MAPPED = Buffer.from('00000000000000000000ffff', 'hex')
const FIXED_BYTES = 16
/** As the specification has it, line end included. */
const MAX_TEXT_BYTES = 107
/** A client certificate may be among the rest. */
const MAX_BINARY_BYTES = 16_384
const UNSPECIFIED = 0x00
const TCP4 = 0x11
const TCP6 = 0x21
