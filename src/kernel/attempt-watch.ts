// Tells of connection attempts that a rule logs to a netlink group: who, and where to. The kernel keeps nothing of a
// packet without a listener, so nothing is left over when we are gone.
// @see linux/netfilter/nfnetlink_log.h

import type { Flow } from './conntrack.ts'
import { errorFromErrno, type Libc } from './libc.ts'
import {
  answerErrno,
  eachAttribute,
  eachMessage,
  type NetlinkMessage,
  NetlinkWriter,
  NFGENMSG,
  NFNL_SUBSYS_ULOG,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
} from './netlink.ts'
import { converse, openNetfilter } from './netlink-socket.ts'
import { readDatagrams } from './netlink-stream.ts'
import { addressText, intOption } from './sockaddr.ts'

export interface AttemptWatch {
  close(): void
}

/** Bytes of a packet that a rule must log (`snaplen`): the headers as far as the ports, with room for IPv6 options. */
export const LOGGED_BYTES = 128

/**
 * Calls `seen` for every TCP packet that a rule logs with `log group GROUP snaplen 128`, up to a tenth of a second
 * later. Does not keep the process alive; under a flood some are lost.
 *
 * Errors: KERNEL_FEATURE_MISSING without nfnetlink_log, PRIVILEGE_MISSING without CAP_NET_ADMIN or when another program
 * listens to the group.
 */
export function watchAttempts(
  libc: Libc,
  { group }: { readonly group: number },
  seen: (attempt: Flow) => void,
): AttemptWatch {
  const fd = openNetfilter(libc, { groups: 0, bufferBytes: BUFFER_BYTES })
  try {
    libc.setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, intOption(1), 4)
    bindGroup(libc, fd, group)
  } catch (error) {
    libc.close(fd)
    throw error
  }
  const { socket } = readDatagrams(libc, fd, (datagram) => {
    eachMessage(datagram, (message) => {
      const attempt = message.type === NFULNL_MSG_PACKET ? readAttempt(datagram, message) : null
      if (attempt !== null) seen(attempt)
    })
  })
  socket.on('error', () => undefined)
  return { close: () => void socket.destroy() }
}

/** Reads one logged packet; null when it is no TCP over IP, or too short to tell its ports. */
export function readAttempt(received: DataView, { start, end }: NetlinkMessage): Flow | null {
  let attempt: Flow | null = null
  eachAttribute(received, start + NFGENMSG, end, (type, from, to) => {
    if (type !== NFULA_PAYLOAD) return
    const packet = new DataView(received.buffer, received.byteOffset + from, to - from)
    attempt = packet.byteLength > 0 && packet.getUint8(0) >> 4 === 6 ? readIpv6(packet) : readIpv4(packet)
  })
  return attempt
}

function bindGroup(libc: Libc, fd: number, group: number): void {
  const call = `bind to netfilter log group ${group}`
  const writer = new NetlinkWriter(256)
  const head = { type: NFULNL_MSG_CONFIG, flags: NLM_F_REQUEST | NLM_F_ACK, family: 0, resource: group }
  writer.beginMessage(head)
  writer.uint8(NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND)
  writer.uint32(NFULA_CFG_TIMEOUT, WAIT_HUNDREDTHS)
  writer.uint32(NFULA_CFG_QTHRESH, WAIT_PACKETS)
  writer.endMessage()
  converse(libc, { fd, question: writer, code: 'KERNEL_FEATURE_MISSING' }, (received, message) => {
    if (message.type !== NLMSG_ERROR) return false
    const errno = answerErrno(received, message)
    if (errno !== 0) throw errorFromErrno(errno, 'KERNEL_FEATURE_MISSING', call)
    return true
  })
}

function readIpv4(packet: DataView): Flow | null {
  if (packet.byteLength < 20 || packet.getUint8(9) !== IPPROTO_TCP) return null
  const ports = (packet.getUint8(0) & 0x0f) * 4
  return readFlow(packet, { source: 12, addressBytes: 4, ports })
}

function readIpv6(packet: DataView): Flow | null {
  if (packet.byteLength < 40) return null
  let next = packet.getUint8(6)
  let at = 40
  while (ipv6Options.has(next)) {
    if (at + 2 > packet.byteLength) return null
    next = packet.getUint8(at)
    at += (packet.getUint8(at + 1) + 1) * 8
  }
  return next === IPPROTO_TCP ? readFlow(packet, { source: 8, addressBytes: 16, ports: at }) : null
}

interface PacketPlaces {
  readonly source: number
  readonly addressBytes: number
  readonly ports: number
}

function readFlow(packet: DataView, { source, addressBytes, ports }: PacketPlaces): Flow | null {
  if (ports + 4 > packet.byteLength) return null
  const address = (at: number) =>
    addressText(new Uint8Array(packet.buffer, packet.byteOffset + at, addressBytes))
  return {
    from: { address: address(source), port: packet.getUint16(ports) },
    to: { address: address(source + addressBytes), port: packet.getUint16(ports + 2) },
  }
}

const NFULNL_MSG_PACKET = NFNL_SUBSYS_ULOG << 8
const NFULNL_MSG_CONFIG = (NFNL_SUBSYS_ULOG << 8) | 1
const NFULA_CFG_CMD = 1
const NFULA_CFG_TIMEOUT = 4
const NFULA_CFG_QTHRESH = 5
const NFULNL_CFG_CMD_BIND = 1
const NFULA_PAYLOAD = 9
const SOL_NETLINK = 270
/** What is lost is lost: no error ends the watch. */
const NETLINK_NO_ENOBUFS = 5
const IPPROTO_TCP = 6
/** Hop-by-hop, routing and destination options (RFC 8200 §4): next header, length in units of 8 bytes less one. */
const ipv6Options: ReadonlySet<number> = new Set([0, 43, 60])
/** The kernel tells after a tenth of a second, or of 32 packets together. */
const WAIT_HUNDREDTHS = 10
const WAIT_PACKETS = 32
const BUFFER_BYTES = 256 * 1024
