// Socket options that Node does not offer, on the sockets that Node made.

import type { Server, Socket } from 'node:net'
import { familyOf } from '../ftp/addresses.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import { littleEndian } from './byte-order.ts'
import { ENOENT, type Libc, SOL_SOCKET, syscallError } from './libc.ts'
import { decodeSockaddr, intOption, SOCKADDR_BYTES } from './sockaddr.ts'

/**
 * The file descriptor under a socket or server, or null once it is closed.
 *
 * Node has no public way to it. `_handle.fd` is a getter of libuv's stream wrap, the same on Node 20 to 26;
 * this is the only place that knows.
 */
export function fdOf(socket: Socket | Server): number | null {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: unknown } | null }
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : null
}

/** An accepted connection. */
export interface Accepted {
  /** Null once it is closed. */
  readonly fd: number | null
  /** The peer, its address canonical. */
  readonly remote: Endpoint
}

/**
 * Where the client wanted to go before an nftables `redirect` or `dnat` rule brought the connection here.
 *
 * Without such a rule it is the address the client really connected to, which is one of ours. Null when
 * conntrack does not know the connection (no NAT in this namespace, `notrack`) or the socket is closed.
 * An IPv4 client on an IPv6 socket is looked up as IPv4.
 *
 * Errors: `AlgError` RUNTIME_FAILED for any failure but "not known".
 */
export function originalDestination(libc: Libc, { fd, remote }: Accepted): Endpoint | null {
  if (fd === null) return null
  const level = familyOf(remote.address) === 6 ? SOL_IPV6 : SOL_IP
  const sockaddr = new Uint8Array(SOCKADDR_BYTES)
  if (libc.getsockopt(fd, level, SO_ORIGINAL_DST, sockaddr, Uint32Array.of(SOCKADDR_BYTES)) !== 0) {
    if (notTracked.has(libc.errno())) return null
    throw syscallError(libc, 'RUNTIME_FAILED', 'getsockopt(SO_ORIGINAL_DST)')
  }
  return decodeSockaddr(sockaddr)
}

/**
 * Keeps urgent data in the stream. A Telnet Synch before ABOR ends in an urgent byte that would otherwise be
 * missing from what we read (RFC 959 §4.1.3). Returns false when the socket is closed already.
 */
export function keepUrgentInline(libc: Libc, socket: Socket): boolean {
  return setOption(libc, socket, { level: SOL_SOCKET, option: SO_OOBINLINE, value: 1, name: 'SO_OOBINLINE' })
}

/** Whether urgent data has come that was not read yet. */
export function hasUrgent(libc: Pick<Libc, 'poll'>, fd: number): boolean {
  pollFd.setInt32(0, fd, littleEndian)
  pollFd.setInt16(4, POLLPRI, littleEndian)
  const count = libc.poll(new Uint8Array(pollFd.buffer), 1, 0)
  return count > 0 && (pollFd.getInt16(6, littleEndian) & POLLPRI) !== 0
}

/** `struct pollfd`: the descriptor, what is asked for, what is so. */
const pollFd = new DataView(new ArrayBuffer(8))
const POLLPRI = 2

/** Gives the socket's packets a firewall mark, for policy routing. Needs CAP_NET_ADMIN. */
export function markPackets(libc: Libc, socket: Socket, mark: number): boolean {
  return setOption(libc, socket, { level: SOL_SOCKET, option: SO_MARK, value: mark, name: 'SO_MARK' })
}

export const SOL_IP = 0
export const SOL_IPV6 = 41

const SO_ORIGINAL_DST = 80
const SO_OOBINLINE = 10
const SO_MARK = 36

/** ENOENT: no conntrack entry. ENOPROTOOPT: conntrack is not loaded. ENOTCONN, EINVAL: the peer is gone. */
const notTracked: ReadonlySet<number> = new Set([ENOENT, 92, 107, 22])

interface IntOption {
  readonly level: number
  readonly option: number
  readonly value: number
  readonly name: string
}

function setOption(libc: Libc, socket: Socket, { level, option, value, name }: IntOption): boolean {
  const fd = fdOf(socket)
  if (fd === null) return false
  if (libc.setsockopt(fd, level, option, intOption(value), 4) !== 0) {
    throw syscallError(libc, 'RUNTIME_FAILED', `setsockopt(${name}, ${value})`)
  }
  return true
}
