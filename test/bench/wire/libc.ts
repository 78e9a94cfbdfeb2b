// The system calls that the epoll wire is made of, typed. Numbers are those of Linux on x86-64 and arm64.

export interface Libc {
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Buffer, length: number): number
  listen(fd: number, backlog: number): number
  connect(fd: number, address: Buffer, length: number): number
  accept4(fd: number, address: null, length: null, flags: number): number
  getsockname(fd: number, address: Buffer, length: Buffer): number
  setsockopt(fd: number, level: number, option: number, value: Buffer, length: number): number
  recv(fd: number, buffer: Buffer | null, length: number, flags: number): number
  send(fd: number, buffer: Buffer, length: number, flags: number): number
  sendfile(outFd: number, inFd: number, offset: Buffer, count: number): number
  write(fd: number, buffer: Buffer, length: number): number
  close(fd: number): number
  memfdCreate(name: string, flags: number): number
  epollCreate(flags: number): number
  epollControl(epollFd: number, operation: number, fd: number, event: Buffer): number
  epollWait(epollFd: number, events: Buffer, maxEvents: number, timeoutMs: number): number
  errno(): number
}

export const AF_INET = 2
export const IPPROTO_TCP = 6
export const TCP_NODELAY = 1
export const EAGAIN = 11
export const EINPROGRESS = 115
export const SOCK = { STREAM: 1, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const
export const SO = { LEVEL: 1, REUSEADDR: 2, RCVLOWAT: 18 } as const
export const MSG = { TRUNC: 0x20, DONTWAIT: 0x40, NOSIGNAL: 0x4000 } as const
export const EPOLL = {
  ADD: 1,
  IN: 0x1,
  OUT: 0x4,
  ERR: 0x8,
  HUP: 0x10,
  RDHUP: 0x2000,
  EDGE: 0x80000000,
} as const

export async function loadLibc(): Promise<Libc> {
  const { default: koffi } = await import('koffi')
  const library = koffi.load(null)
  return {
    socket: library.func('int socket(int, int, int)'),
    bind: library.func('int bind(int, void *, int)'),
    listen: library.func('int listen(int, int)'),
    connect: library.func('int connect(int, void *, int)'),
    accept4: library.func('int accept4(int, void *, void *, int)'),
    getsockname: library.func('int getsockname(int, void *, void *)'),
    setsockopt: library.func('int setsockopt(int, int, int, void *, int)'),
    recv: library.func('int64_t recv(int, void *, size_t, int)'),
    send: library.func('int64_t send(int, void *, size_t, int)'),
    sendfile: library.func('int64_t sendfile(int, int, void *, size_t)'),
    write: library.func('int64_t write(int, void *, size_t)'),
    close: library.func('int close(int)'),
    memfdCreate: library.func('int memfd_create(const char *, unsigned int)'),
    epollCreate: library.func('int epoll_create1(int)'),
    epollControl: library.func('int epoll_ctl(int, int, int, void *)'),
    epollWait: library.func('int epoll_wait(int, void *, int, int)'),
    errno: () => koffi.errno(),
  }
}

/** A `sockaddr_in`: family in host order, port and address in network order. */
export function makeSocketAddress(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16LE(AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  address.split('.').forEach((part, i) => {
    bytes[4 + i] = Number(part)
  })
  return bytes
}
