// A netlink socket for questions that the kernel answers before `send` returns.
//
// An answer can be lost: the kernel had no memory for it (ENOBUFS), or recv failed. What comes after that on the same
// socket may be the answer to an earlier question, so answers are told apart by their sequence numbers, and a socket that
// has lost one is not used again.

import { AlgError, type ErrorCode } from '../errors.ts'
import {
  AF_NETLINK,
  EACCES,
  EAGAIN,
  ENOENT,
  EPERM,
  errorFromErrno,
  type Libc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
  syscallError,
} from './libc.ts'
import { answerErrno, eachMessage, type NetlinkMessage, type NetlinkWriter, NLMSG_ERROR } from './netlink.ts'
import { intOption } from './sockaddr.ts'

/** Whether the kernel has carried out what it was asked is not known. */
export class LostAnswer extends AlgError {}

/** Hears each message of an answer; true when that was all. The view is valid only during the call. */
export type AnswerVisitor = (received: DataView, message: NetlinkMessage) => boolean

/** Asks the kernel's netfilter over one socket, one exchange at a time. */
export class NetlinkSocket {
  readonly #libc: Libc
  #fd: number
  #isClosed = false

  /** Errors: KERNEL_FEATURE_MISSING. */
  constructor(libc: Libc) {
    this.#libc = libc
    this.#fd = openNetfilter(libc, { groups: 0 })
  }

  /**
   * Sends what was written and visits the answer to it, message by message, until `visit` returns true.
   *
   * Errors: `AlgError` with `code`, or PRIVILEGE_MISSING, when the kernel does not even take the messages; `LostAnswer`,
   * after which the next exchange has a new socket.
   */
  exchange(question: NetlinkWriter, code: ErrorCode, visit: AnswerVisitor): void {
    if (this.#isClosed) throw new Error('the netlink socket is closed')
    if (this.#fd < 0) this.#fd = openNetfilter(this.#libc, { groups: 0 })
    try {
      converse(this.#libc, { fd: this.#fd, question, code }, visit)
    } catch (error) {
      if (error instanceof LostAnswer) this.#hangUp()
      throw error
    }
  }

  /** Asks, and once more when the answer was lost: for what may be carried out twice. `ask` writes its question again. */
  insist<Answer>(ask: () => Answer): Answer {
    try {
      return ask()
    } catch (error) {
      if (!(error instanceof LostAnswer)) throw error
      return ask()
    }
  }

  /** Any number of times. */
  close(): void {
    this.#isClosed = true
    this.#hangUp()
  }

  #hangUp(): void {
    if (this.#fd >= 0) this.#libc.close(this.#fd)
    this.#fd = -1
  }
}

export interface Exchange {
  readonly fd: number
  readonly question: NetlinkWriter
  /** Of the errors. */
  readonly code: ErrorCode
}

/** One exchange over a socket that the caller keeps. Errors: see `NetlinkSocket.exchange`. */
export function converse(libc: Libc, { fd, question, code }: Exchange, visit: AnswerVisitor): void {
  const messages = question.written()
  const sent = libc.send(fd, messages, messages.length, 0)
  if (sent !== messages.length) throw lost(libc, code, `send of ${messages.length} bytes to netfilter`)
  for (let isOver = false; !isOver; ) {
    const length = libc.recv(fd, answer, ANSWER_BYTES, MSG_DONTWAIT)
    // No answer (EAGAIN) is a lost one too: it was there when send returned, or never will be.
    if (length <= 0) throw lost(libc, code, 'recv from netfilter')
    const received = new DataView(answer.buffer, 0, length)
    eachMessage(received, (message) => {
      if (!isOver && question.hasAsked(message.sequence)) isOver = visit(received, message)
    })
  }
}

/**
 * For a question about one thing, after an answer that is not the thing: returns when the kernel says that there is no
 * such thing, and throws for any other error.
 */
export function requireUnknown(
  received: DataView,
  message: NetlinkMessage,
  { code, call }: { readonly code: ErrorCode; readonly call: string },
): void {
  const errno = message.type === NLMSG_ERROR ? answerErrno(received, message) : 0
  if (errno !== 0 && errno !== ENOENT) throw errorFromErrno(errno, code, call)
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
  if (fd < 0) throw syscallError(libc, 'KERNEL_FEATURE_MISSING', 'socket(NETLINK_NETFILTER)')
  // FORCE goes past rmem_max and needs CAP_NET_ADMIN; where it fails the default size serves.
  libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, intOption(bufferBytes), 4)
  libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, intOption(SEND_BUFFER_BYTES), 4)
  const address = new Uint8Array(12)
  const words = new DataView(address.buffer)
  new Uint16Array(address.buffer, 0, 1)[0] = AF_NETLINK
  words.setUint32(4, 0)
  new Uint32Array(address.buffer, 8, 1)[0] = groups
  if (libc.bind(fd, address, address.length) !== 0) {
    const error = syscallError(
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
/** Exchanges are never under way at once. */
const answer = new Uint8Array(ANSWER_BYTES)
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
const SEND_BUFFER_BYTES = 1024 * 1024

function lost(libc: Libc, code: ErrorCode, call: string): AlgError {
  const errno = libc.errno()
  const failed = errorFromErrno(errno, code, call)
  if (errno === EPERM || errno === EACCES) return failed
  const { message, context } = failed
  return new LostAnswer(code, errno === EAGAIN ? `${call}: the kernel has not answered` : message, {
    context,
  })
}
