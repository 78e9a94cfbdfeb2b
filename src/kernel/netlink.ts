// Netlink's wire form: messages of a 16-byte header and nested attributes, each padded to four bytes. Headers are
// in the machine's byte order; netfilter's values are in network order. Pure, no sockets.
// @see RFC 3549, linux/netlink.h, linux/netfilter/nfnetlink.h

import { littleEndian } from './byte-order.ts'

/** One message found in what was received; offsets into that buffer. */
export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** Where the payload begins and ends. */
  readonly start: number
  readonly end: number
}

export interface MessageHead {
  readonly type: number
  readonly flags: number
  /** NFPROTO_*; 0 where the message is about no family. */
  readonly family: number
  /** The subsystem a batch is for; 0 elsewhere. */
  readonly resource?: number
}

/** Shared by all writers: no two questions of this process have the same number, whoever asks over which socket. */
let lastSequence = 0

/** Builds messages one after another in a buffer that is used again, or attributes alone. */
export class NetlinkWriter {
  readonly #bytes: Buffer
  readonly #view: DataView
  readonly #nested: number[] = []
  #messageStart = 0
  #at = 0
  #first = 0
  #last = 0

  constructor(capacity: number = 64 * 1024) {
    this.#bytes = Buffer.alloc(capacity)
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, capacity)
  }

  /** Bytes written since `reset`. */
  get length(): number {
    return this.#at
  }

  /** Whether a message with this sequence number was written since `reset`: any other answer belongs to another request. */
  hasAsked(sequence: number): boolean {
    return this.#at > 0 && (sequence - this.#first) >>> 0 <= (this.#last - this.#first) >>> 0
  }

  /** Forgets what was written; sequence numbers go on. */
  reset(): void {
    this.#at = 0
  }

  /** What was written, valid until the next `reset`. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  /** Begins a netfilter message and returns its sequence number. Follow with attributes and `endMessage`. */
  beginMessage({ type, flags, family, resource = 0 }: MessageHead): number {
    this.#messageStart = this.#at
    lastSequence = (lastSequence + 1) >>> 0
    if (this.#at === 0) this.#first = lastSequence
    this.#last = lastSequence
    const view = this.#view
    view.setUint16(this.#at + 4, type, littleEndian)
    view.setUint16(this.#at + 6, flags, littleEndian)
    view.setUint32(this.#at + 8, lastSequence, littleEndian)
    view.setUint32(this.#at + 12, 0, littleEndian)
    view.setUint8(this.#at + 16, family)
    view.setUint8(this.#at + 17, NFNETLINK_V0)
    view.setUint16(this.#at + 18, resource)
    this.#at += NFNETLINK_HEAD
    return lastSequence
  }

  endMessage(): void {
    this.#view.setUint32(this.#messageStart, this.#at - this.#messageStart, littleEndian)
  }

  /** Begins an attribute that holds attributes; follow with `endNested`. */
  beginNested(type: number): void {
    this.#nested.push(this.#at)
    this.#view.setUint16(this.#at + 2, type | NLA_F_NESTED, littleEndian)
    this.#at += ATTRIBUTE_HEAD
  }

  endNested(): void {
    const start = this.#nested.pop()
    if (start === undefined) throw new Error('endNested without beginNested')
    this.#view.setUint16(start, this.#at - start, littleEndian)
  }

  bytes(type: number, value: Uint8Array): void {
    const at = this.#beginValue(type)
    this.#bytes.set(value, at)
    this.#endValue(at + value.length)
  }

  /** A name that ends in NUL; Latin-1. */
  text(type: number, value: string): void {
    const at = this.#beginValue(type)
    const end = at + value.length
    // Names are short: cheaper than a call of Node's.
    for (let index = 0; index < value.length; index += 1) this.#bytes[at + index] = value.charCodeAt(index)
    this.#bytes[end] = 0
    this.#endValue(end + 1)
  }

  /** An attribute that holds attributes, which are given as they are laid out, one character a byte. */
  nestedText(type: number, laidOut: string): void {
    const at = this.#beginValue(type | NLA_F_NESTED)
    this.#endValue(at + this.#bytes.write(laidOut, at, 'latin1'))
  }

  /** Attributes as another writer has laid them out. */
  attributes(laidOut: Uint8Array): void {
    this.#bytes.set(laidOut, this.#at)
    this.#at += laidOut.length
  }

  uint8(type: number, value: number): void {
    const at = this.#beginValue(type)
    this.#bytes[at] = value
    this.#endValue(at + 1)
  }

  /** In network order. */
  uint16(type: number, value: number): void {
    const at = this.#beginValue(type)
    this.#view.setUint16(at, value)
    this.#endValue(at + 2)
  }

  /** In network order. */
  uint32(type: number, value: number): void {
    const at = this.#beginValue(type)
    this.#view.setUint32(at, value)
    this.#endValue(at + 4)
  }

  /** In network order; `value` up to 2^53. */
  uint64(type: number, value: number): void {
    const at = this.#beginValue(type)
    this.#view.setUint32(at, Math.floor(value / 2 ** 32))
    this.#view.setUint32(at + 4, value >>> 0)
    this.#endValue(at + 8)
  }

  #beginValue(type: number): number {
    this.#view.setUint16(this.#at + 2, type, littleEndian)
    return this.#at + ATTRIBUTE_HEAD
  }

  #endValue(end: number): void {
    this.#view.setUint16(this.#at, end - this.#at, littleEndian)
    const padded = this.#messageStart + align(end - this.#messageStart)
    for (let at = end; at < padded; at += 1) this.#bytes[at] = 0
    this.#at = padded
  }
}

/** Calls `visit` for each whole message; a truncated one ends the walk. */
export function eachMessage(received: DataView, visit: (message: NetlinkMessage) => void): void {
  let at = 0
  while (at + MESSAGE_HEAD <= received.byteLength) {
    const length = received.getUint32(at, littleEndian)
    if (length < MESSAGE_HEAD || at + length > received.byteLength) return
    visit({
      type: received.getUint16(at + 4, littleEndian),
      flags: received.getUint16(at + 6, littleEndian),
      sequence: received.getUint32(at + 8, littleEndian),
      start: at + MESSAGE_HEAD,
      end: at + length,
    })
    at += align(length)
  }
}

/** Calls `visit` with each attribute's type (its flags removed) and the range of its value. */
export function eachAttribute(
  received: DataView,
  start: number,
  end: number,
  visit: (type: number, start: number, end: number) => void,
): void {
  let at = start
  while (at + ATTRIBUTE_HEAD <= end) {
    const length = received.getUint16(at, littleEndian)
    if (length < ATTRIBUTE_HEAD || at + length > end) return
    visit(received.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK, at + ATTRIBUTE_HEAD, at + length)
    at += align(length)
  }
}

/** Where the value of the first attribute of a type begins, or -1. */
export function findAttribute(received: DataView, start: number, end: number, type: number): number {
  let at = start
  while (at + ATTRIBUTE_HEAD <= end) {
    const length = received.getUint16(at, littleEndian)
    if (length < ATTRIBUTE_HEAD || at + length > end) return -1
    if ((received.getUint16(at + 2, littleEndian) & NLA_TYPE_MASK) === type) return at + ATTRIBUTE_HEAD
    at += align(length)
  }
  return -1
}

/** Where a value that `findAttribute` has found ends. */
export function attributeEnd(received: DataView, valueStart: number): number {
  return valueStart - ATTRIBUTE_HEAD + received.getUint16(valueStart - ATTRIBUTE_HEAD, littleEndian)
}

/** The errno of an answer NLMSG_ERROR; 0 is an acknowledgement. */
export function answerErrno(received: DataView, { start }: NetlinkMessage): number {
  return -received.getInt32(start, littleEndian)
}

export const NFNL_SUBSYS_CTNETLINK = 1
export const NFNL_SUBSYS_ULOG = 4
export const NFNL_SUBSYS_NFTABLES = 10
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
export const NLM_F_REQUEST = 1
export const NLM_F_ACK = 4
export const NLM_F_DUMP = 0x300
export const NLM_F_CREATE = 0x400
/** `nlmsghdr` and the `nfgenmsg` that follows it in every netfilter message. */
export const NFNETLINK_HEAD = 20
/** Bytes of `nfgenmsg` at the start of a payload. */
export const NFGENMSG = 4
export const ATTRIBUTE_HEAD = 4

const MESSAGE_HEAD = 16
const NFNETLINK_V0 = 0
const NLA_F_NESTED = 0x8000
const NLA_TYPE_MASK = 0x3fff

function align(length: number): number {
  return (length + 3) & ~3
}
