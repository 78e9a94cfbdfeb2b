// Tells conntrack of a connection that it has forgotten, translation included, as `conntrack -I` would.
// @see linux/netfilter/nfnetlink_conntrack.h

import type { ErrorCode } from '../errors.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import {
  CT_NEW,
  CTA_MARK,
  CTA_PROTOINFO,
  CTA_PROTOINFO_TCP,
  CTA_PROTOINFO_TCP_STATE,
  CTA_TUPLE_ORIG,
  keyOf,
} from './conntrack.ts'
import { EEXIST, errorFromErrno } from './libc.ts'
import { answerErrno, NetlinkWriter, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NLMSG_ERROR } from './netlink.ts'
import type { NetlinkSocket } from './netlink-socket.ts'
import { addressBytes } from './sockaddr.ts'

/** An open TCP connection that was addressed to another host and ends here. Addresses are canonical and of one family. */
export interface Redirected {
  readonly from: Endpoint
  /** Where it wanted to go. */
  readonly to: Endpoint
  /** Where it ends. */
  readonly at: Endpoint
}

/**
 * Puts the translation of a connection back. It is for conntrack an established connection without a reply so far: the
 * next packet of its client is judged by the firewall as a first one, as it is when conntrack picks a connection up by itself.
 *
 * Errors: `AlgError` with `code`, also when another entry stands in its way.
 */
export function restoreRedirected(
  socket: NetlinkSocket,
  { from, to, at, mark }: Redirected & { readonly mark: number },
  code: ErrorCode,
): void {
  const address = addressBytes(at.address)
  const isSix = address.length === 16
  const [original, reply] = [keyOf({ from, to }), keyOf({ from: to, to: from })]
  const state = new Uint8Array([TCP_ESTABLISHED])
  let errno = 0
  socket.insist(() => {
    writer.reset()
    writer.beginMessage({
      type: CT_NEW,
      flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
      family: isSix ? NFPROTO_IPV6 : NFPROTO_IPV4,
    })
    writer.nestedText(CTA_TUPLE_ORIG, original)
    // As without translation: the kernel works the translated one out.
    writer.nestedText(CTA_TUPLE_REPLY, reply)
    writer.uint32(CTA_STATUS, IPS_ASSURED | IPS_CONFIRMED)
    writer.uint32(CTA_TIMEOUT, TIMEOUT_S)
    writer.uint32(CTA_MARK, mark)
    writer.beginNested(CTA_PROTOINFO)
    writer.beginNested(CTA_PROTOINFO_TCP)
    writer.bytes(CTA_PROTOINFO_TCP_STATE, state)
    writer.endNested()
    writer.endNested()
    writer.beginNested(CTA_NAT_DST)
    writer.bytes(isSix ? CTA_NAT_V6_MINIP : CTA_NAT_V4_MINIP, address)
    writer.bytes(isSix ? CTA_NAT_V6_MAXIP : CTA_NAT_V4_MAXIP, address)
    writer.beginNested(CTA_NAT_PROTO)
    writer.uint16(CTA_PROTONAT_PORT_MIN, at.port)
    writer.uint16(CTA_PROTONAT_PORT_MAX, at.port)
    writer.endNested()
    writer.endNested()
    writer.endMessage()
    socket.exchange(writer, code, (received, message) => {
      errno = message.type === NLMSG_ERROR ? answerErrno(received, message) : 0
      return true
    })
  })
  // A second try after a lost answer finds what the first has made.
  if (errno !== 0 && errno !== EEXIST) throw errorFromErrno(errno, code, 'entry for conntrack')
}

const writer = new NetlinkWriter(1024)

/** Of an entry that sees no packet; with the first one it is the kernel's own again. */
const TIMEOUT_S = 3_600
const TCP_ESTABLISHED = 3
const IPS_ASSURED = 4
const IPS_CONFIRMED = 8
const CTA_TUPLE_REPLY = 2
const CTA_STATUS = 3
const CTA_TIMEOUT = 7
const CTA_NAT_DST = 13
const CTA_NAT_V4_MINIP = 1
const CTA_NAT_V4_MAXIP = 2
const CTA_NAT_PROTO = 3
const CTA_NAT_V6_MINIP = 4
const CTA_NAT_V6_MAXIP = 5
const CTA_PROTONAT_PORT_MIN = 1
const CTA_PROTONAT_PORT_MAX = 2
const NLM_F_EXCL = 0x200
const NFPROTO_IPV4 = 2
const NFPROTO_IPV6 = 10
