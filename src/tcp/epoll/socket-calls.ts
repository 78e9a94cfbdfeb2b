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
  intOption,
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
  const sockaddr = encodeSockaddr(at)
  return libc.bind(fd, sockaddr, sockaddr.length) === 0
}

/** Our end as the system writes it. */
export function localOf(libc: Libc, fd: number): Endpoint | null {
  const sockaddr = new Uint8Array(SOCKADDR_BYTES)
  if (libc.getsockname(fd, sockaddr, Uint32Array.of(SOCKADDR_BYTES)) !== 0) return null
  const local = decodeSockaddr(sockaddr)
  const scope = local === null ? 0 : scopeOf(sockaddr)
  if (local === null || scope === 0) return local
  return { ...local, address: `${local.address}%${interfaceOf(scope)}` }
}

/** The error that a socket has met, once; 0 for none. */
export function pendingErrno(libc: Libc, fd: number): number {
  const errno = new Int32Array(1)
  libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, new Uint8Array(errno.buffer), Uint32Array.of(4))
  return errno[0] ?? 0
}

/**
 * What stands behind an end that was read: 0 for a FIN. The kernel tells an error once, and reads after that see an end; so
 * do those of a connection that was reset right behind its FIN.
 */
export function errnoBehindEnd(libc: Libc, fd: number, hasFinished: boolean): number {
  const errno = pendingErrno(libc, fd)
  // After FINs both ways a connection is closed well.
  return errno === 0 && !hasFinished && isClosed(libc, fd) ? ECONNRESET : errno
}

/** Whether the connection is over for the kernel: reset, timed out, or ended by both sides. */
function isClosed(libc: Libc, fd: number): boolean {
  // The first byte of `struct tcp_info`.
  const state = new Uint8Array(1)
  const isKnown = libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, state, Uint32Array.of(1)) === 0
  return isKnown && state[0] === TCP_CLOSE
}

/** Bytes that the kernel holds for the peer, sent or not, until it has acknowledged them. */
export function queuedBytes(libc: Libc, fd: number): number {
  const count = new Int32Array(1)
  return libc.ioctl(fd, SIOCOUTQ, new Uint8Array(count.buffer)) === 0 ? (count[0] ?? 0) : 0
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
  libc.setsockopt(fd, level, option, intOption(value), 4)
}

/** The name of an interface: `1` gives `lo`. The number, where there is no such interface any more. */
function interfaceOf(scope: number): string {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((each) => each.family === 'IPv6' && each.scopeid === scope) === true) return name
  }
  return String(scope)
}

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
