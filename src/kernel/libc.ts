// The system calls that Node does not offer. All of them are synchronous and short; sockets made here are
// non-blocking and close-on-exec, so they can be handed to Node as they are.

import { getSystemErrorMap } from 'node:util'
import { AlgError, type ErrorCode } from '../errors.ts'
import { type Ffi, loadFfi } from './ffi.ts'

/** Calls as in section 2 of the Linux manual: -1 means failed, and `errno` says why. */
export interface Libc {
  readonly socket: (family: number, type: number, protocol: number) => number
  readonly socketpair: (family: number, type: number, protocol: number, pair: Int32Array) => number
  readonly bind: (fd: number, address: Uint8Array, length: number) => number
  readonly connect: (fd: number, address: Uint8Array, length: number) => number
  readonly listen: (fd: number, backlog: number) => number
  readonly getsockname: (fd: number, address: Uint8Array, length: Uint32Array) => number
  readonly getsockopt: (
    fd: number,
    level: number,
    option: number,
    value: Uint8Array,
    length: Uint32Array,
  ) => number
  readonly setsockopt: (
    fd: number,
    level: number,
    option: number,
    value: Uint8Array,
    length: number,
  ) => number
  readonly send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number
  readonly recv: (fd: number, bytes: Uint8Array, length: number, flags: number) => number
  readonly dup3: (from: number, to: number, flags: number) => number
  readonly close: (fd: number) => number
  /** `errno` of the last failed call. */
  readonly errno: () => number
  readonly addressOf: (buffer: Uint8Array) => bigint
}

/**
 * The C library, loaded once.
 *
 * Errors: `AlgError` KERNEL_FEATURE_MISSING, see `loadFfi`.
 */
export function loadLibc(): Promise<Libc> {
  loaded ??= loadFfi().then(bindCalls)
  return loaded
}

let loaded: Promise<Libc> | null = null

/** The name and meaning of an errno: 98 gives `'EADDRINUSE, address already in use'`. */
export function describeErrno(errno: number): string {
  const entry = getSystemErrorMap().get(-errno)
  return entry === undefined ? `errno ${errno}` : `${entry[0]}, ${entry[1]}`
}

/** The symbolic name of an errno: 2 gives `'ENOENT'`. */
export function errnoName(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[0] ?? `errno ${errno}`
}

/**
 * The error for a system call that just failed: EPERM is always PRIVILEGE_MISSING, anything else is `code`.
 *
 * The message reads `bind(192.0.2.1:21) failed: EADDRINUSE, address already in use`.
 */
export function callFailed(libc: Pick<Libc, 'errno'>, code: ErrorCode, call: string): AlgError {
  return errnoFailed(libc.errno(), code, call)
}

/** As `callFailed`, for an errno that came another way, such as in a netlink answer. */
export function errnoFailed(errno: number, code: ErrorCode, call: string): AlgError {
  const context = { call, errno: errnoName(errno) }
  const message = `${call} failed: ${describeErrno(errno)}`
  if (errno === EPERM || errno === EACCES) {
    return new AlgError('PRIVILEGE_MISSING', `${message} (it needs CAP_NET_ADMIN)`, { context })
  }
  return new AlgError(code, message, { context })
}

/** Numbers of the Linux ABI, equal on every architecture that Node runs on. */
export const EPERM = 1
export const ENOENT = 2
export const EAGAIN = 11
export const EACCES = 13
export const EEXIST = 17
export const ENOBUFS = 105

export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const O_CLOEXEC = 0o2000000
export const MSG_DONTWAIT = 0x40
export const SOL_SOCKET = 1

function bindCalls(ffi: Ffi): Libc {
  const c = ffi.load(null)
  return {
    socket: c.func('int socket(int family, int type, int protocol)'),
    socketpair: c.func('int socketpair(int family, int type, int protocol, void *pair)'),
    bind: c.func('int bind(int fd, const void *address, uint32_t length)'),
    connect: c.func('int connect(int fd, const void *address, uint32_t length)'),
    listen: c.func('int listen(int fd, int backlog)'),
    getsockname: c.func('int getsockname(int fd, void *address, void *length)'),
    getsockopt: c.func('int getsockopt(int fd, int level, int option, void *value, void *length)'),
    setsockopt: c.func('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)'),
    send: c.func('long send(int fd, const void *bytes, size_t length, int flags)'),
    recv: c.func('long recv(int fd, void *bytes, size_t length, int flags)'),
    dup3: c.func('int dup3(int from, int to, int flags)'),
    close: c.func('int close(int fd)'),
    errno: () => ffi.errno(),
    addressOf: (buffer) => ffi.address(buffer),
  }
}
