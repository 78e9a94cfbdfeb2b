// Options and addresses of sockets that are ours alone.

import { networkInterfaces } from 'node:os'
import type { Endpoint } from '../../ftp/endpoints.ts'
import {
  ECONNRESET,
  type Libc,
  O_NONBLOCK,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../kernel/libc.ts'
import {
  decodeSockaddr,
  encodeSockaddr,
  SOCKADDR_BYTES,
  scopeOf,
  socketFamily,
} from '../../kernel/sockaddr.ts'

/** A non-blocking TCP socket for this kind of address, or -1. */
export function openSocket(libc: Libc, address: string): number {
  return libc.socket(socketFamily(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
}

/** Whether `bind(2)` succeeded. Connections that are over do not keep the port. */
export function bindTo(libc: Libc, fd: number, at: Endpoint): boolean {
  setOption(libc, fd, SOL_SOCKET, SO_REUSEADDR, 1)
  const name = encodeSockaddr(at)
  return libc.bind(fd, name, name.length) === 0
}

/** Our end as the system writes it. */
export function localOf(libc: Libc, fd: number): Endpoint | null {
  length[0] = SOCKADDR_BYTES
  if (libc.getsockname(fd, sockaddr, length) !== 0) return null
  const local = decodeSockaddr(sockaddr)
  const scope = local === null ? 0 : scopeOf(sockaddr)
  if (local === null || scope === 0) return local
  return { ...local, address: `${local.address}%${interfaceOf(scope)}` }
}

/** The error that a socket has met, once; 0 for none. */
export function pendingErrno(libc: Libc, fd: number): number {
  int[0] = 0
  length[0] = 4
  libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, intBytes, length)
  return int[0]
}

/**
 * What stands behind an end that was read: 0 for a FIN. The kernel tells an error once, and reads after that see an end; so
 * do those of a connection that was reset right behind its FIN.
 */
export function errnoBehindEnd(libc: Libc, fd: number, hasFinished: boolean): number {
  // Whatever has met an error is over; after FINs both ways a connection is closed well.
  if (!hasFinished && !isClosed(libc, fd)) return 0
  return pendingErrno(libc, fd) || (hasFinished ? 0 : ECONNRESET)
}

/** Whether the connection is over for the kernel: reset, timed out, or ended by both sides. */
function isClosed(libc: Libc, fd: number): boolean {
  // The first byte of `struct tcp_info`.
  length[0] = 1
  return libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, intBytes, length) === 0 && intBytes[0] === TCP_CLOSE
}

/** Bytes that the kernel holds for the peer, sent or not, until it has acknowledged them. */
export function queuedBytes(libc: Libc, fd: number): number {
  return libc.ioctl(fd, SIOCOUTQ, intBytes) === 0 ? (int[0] ?? 0) : 0
}

/** Accepted connections inherit it from their listener. */
export function sendAtOnce(libc: Libc, fd: number): void {
  setOption(libc, fd, IPPROTO_TCP, TCP_NODELAY, 1)
}

/** Accepted connections inherit it from their listener. */
export function keepUrgent(libc: Libc, fd: number): void {
  setOption(libc, fd, SOL_SOCKET, SO_OOBINLINE, 1)
}

/** The same intervals as Node's: ten probes, one a second, after the silence. */
export function askKeepAlive(libc: Libc, fd: number, silenceMs: number): void {
  setOption(libc, fd, SOL_SOCKET, SO_KEEPALIVE, 1)
  setOption(libc, fd, IPPROTO_TCP, TCP_KEEPIDLE, Math.max(1, Math.round(silenceMs / 1000)))
  setOption(libc, fd, IPPROTO_TCP, TCP_KEEPINTVL, 1)
  setOption(libc, fd, IPPROTO_TCP, TCP_KEEPCNT, 10)
}

/** The next `close(2)` sends RST. */
export function resetOnClose(libc: Libc, fd: number): void {
  // struct linger: on, for no time at all.
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, LINGER_NOT, LINGER_NOT.length)
}

export function makeNonBlocking(libc: Libc, fd: number): void {
  libc.fcntl(fd, F_SETFL, libc.fcntl(fd, F_GETFL, 0) | O_NONBLOCK)
}

export function shutDownWriting(libc: Libc, fd: number): void {
  libc.shutdown(fd, SHUT_WR)
}

function setOption(libc: Libc, fd: number, level: number, option: number, value: number): void {
  int[0] = value
  libc.setsockopt(fd, level, option, intBytes, 4)
}

/** The name of an interface: `1` gives `lo`. The number, where there is no such interface any more. */
function interfaceOf(scope: number): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((each) => each.family === 'IPv6' && each.scopeid === scope) === true) return name
  }
  return String(scope)
}

/** For one call at a time: nothing is kept of them. */
const int = new Int32Array(1)
const intBytes = new Uint8Array(int.buffer)
const length = new Uint32Array(1)
const sockaddr = new Uint8Array(SOCKADDR_BYTES)

const LINGER_NOT = new Uint8Array(Int32Array.of(1, 0).buffer)
const SHUT_WR = 1
const SIOCOUTQ = 0x5411
const F_GETFL = 3
const F_SETFL = 4
const SO_REUSEADDR = 2
const SO_ERROR = 4
const SO_KEEPALIVE = 9
const SO_OOBINLINE = 10
const SO_LINGER = 13
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const TCP_KEEPIDLE = 4
const TCP_KEEPINTVL = 5
const TCP_KEEPCNT = 6
const TCP_INFO = 11
/** A state, as `tcpi_state` has it. */
const TCP_CLOSE = 7
