// The system calls that Node does not offer. All of them are synchronous and short; sockets made here are
// non-blocking and close-on-exec, so they can be handed to Node as they are.

import { getSystemErrorMap } from 'node:util'
import { AlgError, type ErrorCode } from '../errors.ts'
import { type Ffi, loadFfi } from './ffi.ts'

/** Calls as in section 2 of the Linux manual: -1 means failed, and `errno` says why. */
export interface Libc {
  /** `_exit`: ends the process without asking anything of it. */
  readonly exit: (code: number) => void
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
  readonly accept4: (fd: number, address: Uint8Array, length: Uint32Array, flags: number) => number
  readonly ioctl: (fd: number, request: number, value: Uint8Array) => number
  readonly poll: (fds: Uint8Array, count: number, timeoutMs: number) => number
  readonly fcntl: (fd: number, command: number, value: number) => number
  readonly pipe2: (pair: Int32Array, flags: number) => number
  readonly splice: (
    from: number,
    fromOffset: null,
    to: number,
    toOffset: null,
    length: number,
    flags: number,
  ) => number
  readonly read: (fd: number, bytes: Uint8Array, length: number) => number
  readonly shutdown: (fd: number, how: number) => number
  readonly epollCreate: (flags: number) => number
  readonly epollCtl: (epollFd: number, operation: number, fd: number, event: Uint8Array) => number
  readonly epollWait: (epollFd: number, events: Uint8Array, maxEvents: number, timeoutMs: number) => number
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
export function syscallError(libc: Pick<Libc, 'errno'>, code: ErrorCode, call: string): AlgError {
  return errorFromErrno(libc.errno(), code, call)
}

/** The error as Node would make it: `errnoError(104, 'read')` reads `read ECONNRESET: connection reset by peer`. */
export function errnoError(errno: number, syscall: string): NodeJS.ErrnoException {
  const [code = `errno ${errno}`, meaning = ''] = getSystemErrorMap().get(-errno) ?? []
  return Object.assign(new Error(`${syscall} ${code}: ${meaning}`), { code, errno: -errno, syscall })
}

/** As `syscallError`, for an errno that came another way, such as in a netlink answer. */
export function errorFromErrno(errno: number, code: ErrorCode, call: string): AlgError {
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
export const ECONNRESET = 104
export const ENOBUFS = 105
export const EINPROGRESS = 115

export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000
/** More follows at once: the kernel waits for it before it sends. */
export const MSG_MORE = 0x8000
export const MSG_PEEK = 0x2
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000
export const SOL_SOCKET = 1

function bindCalls(ffi: Ffi): Libc {
  const c = ffi.load(null)
  return {
    socket: c.func('int socket(int family, int type, int protocol)'),
    exit: c.func('void _exit(int status)'),
    socketpair: c.func('int socketpair(int family, int type, int protocol, void *pair)'),
    poll: c.func('int poll(void *fds, unsigned long count, int timeout)'),
    bind: c.func('int bind(int fd, const void *address, uint32_t length)'),
    connect: c.func('int connect(int fd, const void *address, uint32_t length)'),
    listen: c.func('int listen(int fd, int backlog)'),
    getsockname: c.func('int getsockname(int fd, void *address, void *length)'),
    getsockopt: c.func('int getsockopt(int fd, int level, int option, void *value, void *length)'),
    setsockopt: c.func('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)'),
    send: c.func('long send(int fd, const void *bytes, size_t length, int flags)'),
    recv: c.func('long recv(int fd, void *bytes, size_t length, int flags)'),
    accept4: c.func('int accept4(int fd, void *address, void *length, int flags)'),
    // Variadic: on arm64 Linux the third argument travels in a register either way.
    ioctl: c.func('int ioctl(int fd, unsigned long request, void *value)'),
    fcntl: c.func('int fcntl(int fd, int command, int value)'),
    pipe2: c.func('int pipe2(void *pair, int flags)'),
    splice: c.func(
      'long splice(int from, void *fromOffset, int to, void *toOffset, size_t length, unsigned int flags)',
    ),
    read: c.func('long read(int fd, void *bytes, size_t length)'),
    shutdown: c.func('int shutdown(int fd, int how)'),
    epollCreate: c.func('int epoll_create1(int flags)'),
    epollCtl: c.func('int epoll_ctl(int epollFd, int operation, int fd, void *event)'),
    epollWait: c.func('int epoll_wait(int epollFd, void *events, int maxEvents, int timeoutMs)'),
    dup3: c.func('int dup3(int from, int to, int flags)'),
    close: c.func('int close(int fd)'),
    errno: () => ffi.errno(),
    addressOf: (buffer) => ffi.address(buffer),
  }
}
