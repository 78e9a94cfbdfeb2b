// What conntrack says about a connection: pure reading of its netlink messages, and questions about single
// connections. Watching them come and go is conntrack-watch.ts.
// @see linux/netfilter/nfnetlink_conntrack.h

import type { ErrorCode } from '../errors.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import { littleEndian } from './byte-order.ts'
import { type DirectionCount, payloadOf } from './conntrack-payload.ts'
import { errorFromErrno } from './libc.ts'
import {
  ATTRIBUTE_HEAD,
  answerErrno,
  attributeEnd,
  findAttribute,
  type NetlinkMessage,
  NetlinkWriter,
  NFGENMSG,
  NFNL_SUBSYS_CTNETLINK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
} from './netlink.ts'
import { type NetlinkSocket, requireUnknown } from './netlink-socket.ts'
import { addressBytes, addressText } from './sockaddr.ts'

/** A TCP connection as its first packet had it, before any translation. */
export interface Flow {
  readonly from: Endpoint
  readonly to: Endpoint
}

/** Payload in each direction, see conntrack-payload.ts; only with `net.netfilter.nf_conntrack_acct`. */
export interface FlowBytes {
  readonly sentBytes: number
  readonly receivedBytes: number
}

export type FlowState = 'opening' | 'open' | 'closed' | 'reset'

/**
 * A connection in conntrack's own words, one character for each byte of CTA_TUPLE_ORIG. The same connection is always given
 * in the same words, so that most events need not be understood.
 */
export type FlowKey = string

export interface FlowReport {
  readonly key: FlowKey
  readonly flow: Flow
  /** `opening`: no answer yet. `closed`: both FINs were acknowledged. `reset`: one side sent RST. */
  readonly state: FlowState
  readonly bytes: FlowBytes | null
}

/** Reads one conntrack message; null when it is about something else than a TCP connection over IP. */
export function readFlow(received: DataView, message: NetlinkMessage): FlowReport | null {
  const key = readKey(received, message)
  const flow = key === null ? null : flowOf(key)
  if (key === null || flow === null) return null
  return { key, flow, state: readState(received, message), bytes: readBytes(received, message) }
}

/** Which connection a message is about; null when it does not say. */
export function readKey(received: DataView, { start, end }: NetlinkMessage): FlowKey | null {
  const at = findAttribute(received, start + NFGENMSG, end, CTA_TUPLE_ORIG)
  return at < 0 ? null : latin1(received, at, attributeEnd(received, at))
}

/** `open` where a message does not say. */
export function readState(received: DataView, { start, end }: NetlinkMessage): FlowState {
  const info = findAttribute(received, start + NFGENMSG, end, CTA_PROTOINFO)
  const tcp = info < 0 ? -1 : findAttribute(received, info, attributeEnd(received, info), CTA_PROTOINFO_TCP)
  const at = tcp < 0 ? -1 : findAttribute(received, tcp, attributeEnd(received, tcp), CTA_PROTOINFO_TCP_STATE)
  if (at < 0) return 'open'
  const state = received.getUint8(at)
  if (state <= TCP_SYN_SENT) return 'opening'
  if (state === TCP_CLOSE) return 'reset'
  return state === TCP_TIME_WAIT ? 'closed' : 'open'
}

/** Null where conntrack does not count, and in events about anything but the end of an entry. */
export function readBytes(received: DataView, message: NetlinkMessage): FlowBytes | null {
  const there = readCount(received, message, CTA_COUNTERS_ORIG)
  const back = readCount(received, message, CTA_COUNTERS_REPLY)
  if (there === null || back === null) return null
  const family = received.getUint8(message.start) === NFPROTO_IPV6 ? 6 : 4
  return payloadOf(family, { sent: there, received: back })
}

/** What to ask conntrack for, when its events did not say. */
export function keyOf({ from, to }: Flow): FlowKey {
  const [source, destination] = [addressBytes(from.address), addressBytes(to.address)]
  const six = source.length === 16
  writer.reset()
  writer.beginMessage({ type: CT_GET, flags: 0, family: 0 })
  const start = writer.length
  writer.beginNested(CTA_TUPLE_IP)
  writer.bytes(six ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, source)
  writer.bytes(six ? CTA_IP_V6_DST : CTA_IP_V4_DST, destination)
  writer.endNested()
  writer.beginNested(CTA_TUPLE_PROTO)
  writer.uint8(CTA_PROTO_NUM, IPPROTO_TCP)
  writer.uint16(CTA_PROTO_SRC_PORT, from.port)
  writer.uint16(CTA_PROTO_DST_PORT, to.port)
  writer.endNested()
  const written = writer.written()
  return latin1(written, start, written.length)
}

/**
 * Looks one connection up; null when conntrack has forgotten it.
 *
 * Errors: `AlgError` with `code`.
 */
export function findFlow(socket: NetlinkSocket, key: FlowKey, code: ErrorCode): FlowReport | null {
  return socket.insist(() => {
    writer.reset()
    writer.beginMessage({ type: CT_GET, flags: NLM_F_REQUEST, family: protocolFamily(key) })
    writer.nestedText(CTA_TUPLE_ORIG, key)
    writer.endMessage()
    let report: FlowReport | null = null
    // One question, one answer: the connection or an error.
    socket.exchange(writer, code, (received, message) => {
      if (message.type === CT_NEW) report = readFlow(received, message)
      else requireUnknown(received, message, { code, call: 'question to conntrack' })
      return true
    })
    return report
  })
}

/**
 * Every connection that carries the mark. Walks conntrack's whole table: for rare use.
 *
 * Errors: `AlgError` with `code`.
 */
export function listFlows(socket: NetlinkSocket, mark: number, code: ErrorCode): readonly FlowReport[] {
  return socket.insist(() => {
    writer.reset()
    writer.beginMessage({ type: CT_GET, flags: NLM_F_REQUEST | NLM_F_DUMP, family: 0 })
    writer.uint32(CTA_MARK, mark)
    writer.uint32(CTA_MARK_MASK, 0xffffffff)
    writer.endMessage()
    const reports: FlowReport[] = []
    socket.exchange(writer, code, (received, message) => {
      if (message.type === CT_NEW) {
        const report = readFlow(received, message)
        if (report !== null) reports.push(report)
        return false
      }
      if (message.type === NLMSG_DONE) return true
      throw errorFromErrno(answerErrno(received, message), code, 'list of conntrack')
    })
    return reports
  })
}

/** Sent when an entry appears (with NLM_F_CREATE) or changes; also the answer to a question. */
export const CT_NEW = NFNL_SUBSYS_CTNETLINK << 8
/** Sent when an entry is gone, with its final counters. */
export const CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2
export const CTA_PROTOINFO = 4
export const CTA_PROTOINFO_TCP = 1
export const CTA_PROTOINFO_TCP_STATE = 1
export const CTA_MARK = 8
/** TCP_CONNTRACK_SYN_SENT, SYN_RECV (it was answered), TIME_WAIT and CLOSE. */
const TCP_SYN_SENT = 1
export const TCP_SYN_RECV = 2
export const TCP_TIME_WAIT = 7
export const TCP_CLOSE = 8

const CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1
export const CTA_TUPLE_ORIG = 1
const CTA_TUPLE_IP = 1
export const CTA_TUPLE_PROTO = 2
const CTA_IP_V4_SRC = 1
const CTA_IP_V4_DST = 2
const CTA_IP_V6_SRC = 3
const CTA_IP_V6_DST = 4
const CTA_PROTO_NUM = 1
const CTA_PROTO_SRC_PORT = 2
export const CTA_PROTO_DST_PORT = 3
const CTA_COUNTERS_ORIG = 9
const CTA_COUNTERS_REPLY = 10
const CTA_COUNTERS_PACKETS = 1
const CTA_COUNTERS_BYTES = 2
const CTA_MARK_MASK = 21
const IPPROTO_TCP = 6
const NFPROTO_IPV4 = 2
const NFPROTO_IPV6 = 10

const writer = new NetlinkWriter(1024)

/** A key begins with CTA_TUPLE_IP and, in it, the source address. */
export function protocolFamily(key: FlowKey): number {
  return key.charCodeAt(2 * ATTRIBUTE_HEAD - (littleEndian ? 2 : 1)) === CTA_IP_V6_SRC
    ? NFPROTO_IPV6
    : NFPROTO_IPV4
}

/** Understands a key; null when it is about something else than a TCP connection over IP. */
export function flowOf(key: FlowKey): Flow | null {
  const bytes = Buffer.from(key, 'latin1')
  const tuple = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const ip = findAttribute(tuple, 0, bytes.length, CTA_TUPLE_IP)
  const proto = findAttribute(tuple, 0, bytes.length, CTA_TUPLE_PROTO)
  if (ip < 0 || proto < 0) return null
  const [ipEnd, protoEnd] = [attributeEnd(tuple, ip), attributeEnd(tuple, proto)]
  const addressAt = (v4: number, v6: number): string | null => {
    const four = findAttribute(tuple, ip, ipEnd, v4)
    const at = four < 0 ? findAttribute(tuple, ip, ipEnd, v6) : four
    return at < 0 ? null : addressText(bytes.subarray(at, attributeEnd(tuple, at)))
  }
  const protocol = findAttribute(tuple, proto, protoEnd, CTA_PROTO_NUM)
  const source = addressAt(CTA_IP_V4_SRC, CTA_IP_V6_SRC)
  const destination = addressAt(CTA_IP_V4_DST, CTA_IP_V6_DST)
  const sourcePort = findAttribute(tuple, proto, protoEnd, CTA_PROTO_SRC_PORT)
  const destinationPort = findAttribute(tuple, proto, protoEnd, CTA_PROTO_DST_PORT)
  if (protocol < 0 || tuple.getUint8(protocol) !== IPPROTO_TCP) return null
  if (source === null || destination === null || sourcePort < 0 || destinationPort < 0) return null
  return {
    from: { address: source, port: tuple.getUint16(sourcePort) },
    to: { address: destination, port: tuple.getUint16(destinationPort) },
  }
}

function readCount(received: DataView, { start, end }: NetlinkMessage, type: number): DirectionCount | null {
  const counters = findAttribute(received, start + NFGENMSG, end, type)
  if (counters < 0) return null
  const countersEnd = attributeEnd(received, counters)
  /** Exact to 2^53. */
  const read = (attribute: number) => {
    const at = findAttribute(received, counters, countersEnd, attribute)
    return at < 0 ? null : received.getUint32(at) * 2 ** 32 + received.getUint32(at + 4)
  }
  const [packets, bytes] = [read(CTA_COUNTERS_PACKETS), read(CTA_COUNTERS_BYTES)]
  return packets === null || bytes === null ? null : { packets, bytes }
}

function latin1({ buffer, byteOffset }: ArrayBufferView, start: number, end: number): string {
  return Buffer.from(buffer, byteOffset + start, end - start).toString('latin1')
}
