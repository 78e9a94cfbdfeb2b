// A netlink socket for questions that the kernel answers before `send` returns.

import type { ErrorCode } from '../errors.ts'
import {
  AF_NETLINK,
  callFailed,
  EAGAIN,
  type Libc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
} from './libc.ts'
import { intOption } from './sockaddr.ts'

/** Asks the kernel's netfilter over one socket, one exchange at a time. */
export class NetlinkSocket {
  readonly #libc: Libc
  readonly #answer = new Uint8Array(ANSWER_BYTES)
  #fd: number

  /** Errors: RUNTIME_FAILED. */
  constructor(libc: Libc) {
    this.#libc = libc
    this.#fd = openNetfilter(libc, { groups: 0 })
  }

  /**
   * Sends messages and visits what the kernel answers, in pieces of up to 64 KiB, until there is no more or
   * `visit` returns true: it has all it needs. The view passed to `visit` is valid only during the call.
   *
   * Errors: `AlgError` with `code`, or PRIVILEGE_MISSING, when the kernel does not even take the messages.
   */
  exchange(messages: Uint8Array, code: ErrorCode, visit: (received: DataView) => boolean): void {
    const libc = this.#libc
    if (libc.send(this.#fd, messages, messages.length, 0) !== messages.length) {
      throw callFailed(libc, code, `send of ${messages.length} bytes to netfilter`)
    }
    for (;;) {
      const length = libc.recv(this.#fd, this.#answer, ANSWER_BYTES, MSG_DONTWAIT)
      if (length < 0) {
        if (libc.errno() === EAGAIN) return
        throw callFailed(libc, code, 'recv from netfilter')
      }
      if (visit(new DataView(this.#answer.buffer, 0, length))) return
    }
  }

  /** Any number of times. */
  close(): void {
    if (this.#fd >= 0) this.#libc.close(this.#fd)
    this.#fd = -1
  }
}

export interface NetfilterSocketOptions {
  /** Bit set of multicast groups to subscribe to. */
  readonly groups: number
  /** Size of the receive buffer. */
  readonly bufferBytes?: number
}

/** A socket of the netfilter family. */
export function openNetfilter(
  libc: Libc,
  { groups, bufferBytes = RECEIVE_BUFFER_BYTES }: NetfilterSocketOptions,
): number {
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER)
  if (fd < 0) throw callFailed(libc, 'KERNEL_FEATURE_MISSING', 'socket(NETLINK_NETFILTER)')
  // FORCE goes past rmem_max and needs CAP_NET_ADMIN; where it fails the default size serves.
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, intOption(bufferBytes), 4)
  libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, intOption(SEND_BUFFER_BYTES), 4)
  const address = new Uint8Array(12)
  const words = new DataView(address.buffer)
  new Uint16Array(address.buffer, 0, 1)[0] = AF_NETLINK
  words.setUint32(4, 0)
  new Uint32Array(address.buffer, 8, 1)[0] = groups
  if (libc.bind(fd, address, address.length) !== 0) {
    const error = callFailed(
      libc,
      'KERNEL_FEATURE_MISSING',
      `bind to netfilter groups 0x${groups.toString(16)}`,
    )
    libc.close(fd)
    throw error
  }
  return fd
}

const NETLINK_NETFILTER = 12
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const ANSWER_BYTES = 64 * 1024
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
const SEND_BUFFER_BYTES = 1024 * 1024
