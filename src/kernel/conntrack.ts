// What conntrack says about a connection: pure reading of its netlink messages, and questions about single
// connections. Watching them come and go is conntrack-watch.ts.
// @see linux/netfilter/nfnetlink_conntrack.h

import type { ErrorCode } from '../errors.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import {
  eachAttribute,
  eachMessage,
  type NetlinkMessage,
  NetlinkWriter,
  NFGENMSG,
  NFNL_SUBSYS_CTNETLINK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
} from './netlink.ts'
import type { NetlinkSocket } from './netlink-socket.ts'
import { addressBytes, addressText } from './sockaddr.ts'

/** A TCP connection as its first packet had it, before any translation. */
export interface Flow {
  readonly from: Endpoint
  readonly to: Endpoint
}

/** Bytes in each direction, headers of the IP layer up included; only with `net.netfilter.nf_conntrack_acct`. */
export interface FlowBytes {
  readonly sentBytes: number
  readonly receivedBytes: number
}

export type FlowState = 'opening' | 'open' | 'closed'

export interface FlowReport {
  readonly flow: Flow
  /** `opening`: nobody has answered yet. `closed`: both FINs were acknowledged, or one side sent RST. */
  readonly state: FlowState
  readonly bytes: FlowBytes | null
}

/** Reads one conntrack message; null when it is about something else than a TCP connection over IP. */
export function readFlow(received: DataView, { start, end }: NetlinkMessage): FlowReport | null {
  const found: { flow: Flow | null; state: FlowState; sent: number | null; got: number | null } = {
    flow: null,
    state: 'open',
    sent: null,
    got: null,
  }
  eachAttribute(received, start + NFGENMSG, end, (type, from, to) => {
    if (type === CTA_TUPLE_ORIG) found.flow = readTuple(received, from, to)
    else if (type === CTA_PROTOINFO) found.state = readState(received, from, to)
    else if (type === CTA_COUNTERS_ORIG) found.sent = readBytes(received, from, to)
    else if (type === CTA_COUNTERS_REPLY) found.got = readBytes(received, from, to)
  })
  const { flow, state, sent, got } = found
  if (flow === null) return null
  const bytes = sent === null || got === null ? null : { sentBytes: sent, receivedBytes: got }
  return { flow, state, bytes }
}

/** Looks one connection up; null when conntrack has forgotten it. */
export function findFlow(socket: NetlinkSocket, flow: Flow, code: ErrorCode): FlowReport | null {
  writer.reset()
  writer.beginMessage({ type: CT_GET, flags: NLM_F_REQUEST, family: protocolFamily(flow) })
  writeTuple(writer, flow)
  writer.endMessage()
  let report: FlowReport | null = null
  socket.exchange(writer.written(), code, (received) => {
    eachMessage(received, (message) => {
      if (message.type === CT_NEW) report = readFlow(received, message)
    })
    // One question, one answer: the connection or an error.
    return true
  })
  return report
}

/** Every connection that carries the mark. Walks conntrack's whole table: for rare use. */
export function listFlows(socket: NetlinkSocket, mark: number, code: ErrorCode): readonly FlowReport[] {
  writer.reset()
  writer.beginMessage({ type: CT_GET, flags: NLM_F_REQUEST | NLM_F_DUMP, family: 0 })
  writer.uint32(CTA_MARK, mark)
  writer.uint32(CTA_MARK_MASK, 0xffffffff)
  writer.endMessage()
  const reports: FlowReport[] = []
  socket.exchange(writer.written(), code, (received) => {
    eachMessage(received, (message) => {
      const report = message.type === CT_NEW ? readFlow(received, message) : null
      if (report !== null) reports.push(report)
    })
    return false
  })
  return reports
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
const CTA_COUNTERS_BYTES = 2
const CTA_MARK_MASK = 21
const IPPROTO_TCP = 6
const NFPROTO_IPV4 = 2
const NFPROTO_IPV6 = 10

const writer = new NetlinkWriter(1024)

function protocolFamily({ to }: Flow): number {
  return to.address.includes(':') ? NFPROTO_IPV6 : NFPROTO_IPV4
}

function writeTuple(to: NetlinkWriter, flow: Flow): void {
  const six = protocolFamily(flow) === NFPROTO_IPV6
  to.beginNested(CTA_TUPLE_ORIG)
  to.beginNested(CTA_TUPLE_IP)
  to.bytes(six ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, addressBytes(flow.from.address))
  to.bytes(six ? CTA_IP_V6_DST : CTA_IP_V4_DST, addressBytes(flow.to.address))
  to.endNested()
  to.beginNested(CTA_TUPLE_PROTO)
  to.uint8(CTA_PROTO_NUM, IPPROTO_TCP)
  to.bytes(CTA_PROTO_SRC_PORT, portBytes(flow.from.port))
  to.bytes(CTA_PROTO_DST_PORT, portBytes(flow.to.port))
  to.endNested()
  to.endNested()
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff)
}

function readTuple(received: DataView, start: number, end: number): Flow | null {
  let source = ''
  let destination = ''
  let [sourcePort, destinationPort, protocol] = [0, 0, 0]
  eachAttribute(received, start, end, (group, groupStart, groupEnd) => {
    eachAttribute(received, groupStart, groupEnd, (type, from, to) => {
      if (group === CTA_TUPLE_IP) {
        const text = addressText(new Uint8Array(received.buffer, received.byteOffset + from, to - from))
        if (type === CTA_IP_V4_SRC || type === CTA_IP_V6_SRC) source = text
        else if (type === CTA_IP_V4_DST || type === CTA_IP_V6_DST) destination = text
      } else if (group === CTA_TUPLE_PROTO) {
        if (type === CTA_PROTO_NUM) protocol = received.getUint8(from)
        else if (type === CTA_PROTO_SRC_PORT) sourcePort = received.getUint16(from)
        else if (type === CTA_PROTO_DST_PORT) destinationPort = received.getUint16(from)
      }
    })
  })
  if (protocol !== IPPROTO_TCP || source === '' || destination === '') return null
  return {
    from: { address: source, port: sourcePort },
    to: { address: destination, port: destinationPort },
  }
}

function readState(received: DataView, start: number, end: number): FlowState {
  let state: FlowState = 'open'
  eachAttribute(received, start, end, (protocol, protocolStart, protocolEnd) => {
    if (protocol !== CTA_PROTOINFO_TCP) return
    eachAttribute(received, protocolStart, protocolEnd, (type, from) => {
      if (type !== CTA_PROTOINFO_TCP_STATE) return
      const value = received.getUint8(from)
      if (value <= TCP_SYN_SENT) state = 'opening'
      else if (value === TCP_TIME_WAIT || value === TCP_CLOSE) state = 'closed'
    })
  })
  return state
}

/** Exact to 2^53 bytes. */
function readBytes(received: DataView, start: number, end: number): number | null {
  let bytes: number | null = null
  eachAttribute(received, start, end, (type, from) => {
    if (type === CTA_COUNTERS_BYTES) bytes = Number(received.getBigUint64(from))
  })
  return bytes
}
