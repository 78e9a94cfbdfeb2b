// Sockets at addresses that are not ours (IP_TRANSPARENT): to listen where a client expects the server, and to
// connect as the client itself. Packets towards such addresses reach us only through the rules that
// `ftp-alg firewall` prints.

import type { Endpoint } from '../ftp/endpoints.ts'
import { type Libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET, syscallError } from './libc.ts'
import { decodeSockaddr, encodeSockaddr, intOption, SOCKADDR_BYTES, socketFamily } from './sockaddr.ts'
import { SOL_IP, SOL_IPV6 } from './socket-options.ts'

/** A socket that listens already: connections queue from now on, whoever accepts them. */
export interface TransparentListener {
  /** For `server.listen({ fd })`, which takes it over; otherwise close it. */
  readonly fd: number
  /** With the port the system chose when 0 was asked for. */
  readonly at: Endpoint
}

export interface TransparentListenOptions {
  /**
   * Other processes of this user may listen here too if they say the same (SO_REUSEPORT); the kernel deals connections out
   * among them. Default false.
   */
  readonly isShared?: boolean
}

/**
 * Listens at any address, ours or not.
 *
 * `[::]` takes IPv4 too, as in Node. Errors: PRIVILEGE_MISSING without CAP_NET_ADMIN, LISTEN_FAILED with errno.
 *
 * ```ts
 * const { fd } = openTransparentListener(libc, { address: '127.0.0.1', port: 2121 })
 * server.listen({ fd })   // accepted.localAddress and .localPort are the original destination
 * ```
 */
export function openTransparentListener(
  libc: Libc,
  at: Endpoint,
  { isShared = false }: TransparentListenOptions = {},
): TransparentListener {
  const what = `${at.address} port ${at.port}`
  const fd = openSocket(libc, at.address)
  return orClose(libc, fd, () => {
    setInt(libc, fd, SOL_SOCKET, SO_REUSEADDR, 'SO_REUSEADDR')
    if (isShared) setInt(libc, fd, SOL_SOCKET, SO_REUSEPORT, 'SO_REUSEPORT')
    setTransparent(libc, fd, at.address)
    const sockaddr = encodeSockaddr(at)
    if (libc.bind(fd, sockaddr, sockaddr.length) !== 0)
      throw syscallError(libc, 'LISTEN_FAILED', `bind to ${what}`)
    if (libc.listen(fd, BACKLOG) !== 0) throw syscallError(libc, 'LISTEN_FAILED', `listen on ${what}`)
    return { fd, at: boundTo(libc, fd) ?? at }
  })
}

export interface ForeignBind {
  /** Whose address the peer sees. Port 0 lets the system choose one. */
  readonly from: Endpoint
  readonly to: Endpoint
  /** A port the system must not choose: the one `from.address` itself uses on its own connection to `to`. */
  readonly avoidPort?: number | undefined
}

/**
 * A non-blocking socket bound to an address that need not be ours, typically the client's, ready to be connected. The
 * answer comes back to us only where the rules and the route of `ftp-alg firewall` for tproxy are in place; without them
 * the connection times out.
 *
 * A chosen port may serve many peers at once. A port left to the system must differ from
 * the client's own: an intercepted connection and ours would be one and the same to conntrack. The kernel gives
 * odd ports to `bind` and even ones to `connect`, so it is bound here at once, and `avoidPort` is the certainty
 * for clients that are no Linux machines.
 *
 * Errors: PRIVILEGE_MISSING, RUNTIME_FAILED with errno (EADDRINUSE: that port is taken).
 */
export function bindForeign(libc: Libc, { from, avoidPort }: ForeignBind): number {
  const fd = bindOnce(libc, from)
  if (from.port !== 0 || avoidPort === undefined || boundTo(libc, fd)?.port !== avoidPort) return fd
  // The unlucky socket stays bound until another one has got a different port.
  const lucky = orClose(libc, fd, () => bindOnce(libc, from))
  libc.close(fd)
  return lucky
}

/**
 * The address from which this machine would talk to `peer`: one of its own, found by the routing table without
 * sending a packet. Null when there is no route.
 */
export function ownAddressTowards(libc: Libc, peer: string): string | null {
  const fd = libc.socket(socketFamily(peer), SOCK_DGRAM_CLOEXEC, 0)
  if (fd < 0) throw syscallError(libc, 'RUNTIME_FAILED', 'socket(SOCK_DGRAM)')
  const sockaddr = encodeSockaddr({ address: peer, port: DISCARD_PORT })
  const connected = libc.connect(fd, sockaddr, sockaddr.length) === 0
  const own = connected ? boundTo(libc, fd) : null
  libc.close(fd)
  return own?.address ?? null
}

/** Connections that may wait to be accepted; as Node's default. */
const BACKLOG = 511
const SO_REUSEADDR = 2
const SO_REUSEPORT = 15
const IP_TRANSPARENT = 19
const IPV6_TRANSPARENT = 75
const SOCK_DGRAM_CLOEXEC = 2 | SOCK_CLOEXEC
/** Any port will do: a connected datagram socket sends nothing by itself. */
const DISCARD_PORT = 9

function bindOnce(libc: Libc, from: Endpoint): number {
  const fd = openSocket(libc, from.address)
  return orClose(libc, fd, () => {
    setInt(libc, fd, SOL_SOCKET, SO_REUSEADDR, 'SO_REUSEADDR')
    setTransparent(libc, fd, from.address)
    const sockaddr = encodeSockaddr(from)
    if (libc.bind(fd, sockaddr, sockaddr.length) !== 0) {
      throw syscallError(libc, 'RUNTIME_FAILED', `bind to ${from.address} port ${from.port}`)
    }
    return fd
  })
}

function openSocket(libc: Libc, address: string): number {
  const fd = libc.socket(socketFamily(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) throw syscallError(libc, 'RUNTIME_FAILED', `socket for ${address}`)
  return fd
}

function setTransparent(libc: Libc, fd: number, address: string): void {
  if (address.includes(':')) setInt(libc, fd, SOL_IPV6, IPV6_TRANSPARENT, 'IPV6_TRANSPARENT')
  else setInt(libc, fd, SOL_IP, IP_TRANSPARENT, 'IP_TRANSPARENT')
}

function setInt(libc: Libc, fd: number, level: number, option: number, name: string): void {
  if (libc.setsockopt(fd, level, option, intOption(1), 4) !== 0) {
    throw syscallError(libc, 'KERNEL_FEATURE_MISSING', `setsockopt(${name})`)
  }
}

function boundTo(libc: Libc, fd: number): Endpoint | null {
  const sockaddr = new Uint8Array(SOCKADDR_BYTES)
  if (libc.getsockname(fd, sockaddr, Uint32Array.of(SOCKADDR_BYTES)) !== 0) return null
  return decodeSockaddr(sockaddr)
}

/** Runs `use`; when it throws the descriptor does not leak. */
function orClose<Result>(libc: Libc, fd: number, use: () => Result): Result {
  try {
    return use()
  } catch (error) {
    libc.close(fd)
    throw error
  }
}
