// Has conntrack forget a connection, as `conntrack -D` would.
// @see linux/netfilter/nfnetlink_conntrack.h

import type { ErrorCode } from '../errors.ts'
import { CT_DELETE, CTA_TUPLE_ORIG, type FlowKey, protocolFamily } from './conntrack.ts'
import { NetlinkWriter, NLM_F_ACK, NLM_F_REQUEST } from './netlink.ts'
import { type NetlinkSocket, requireUnknown } from './netlink-socket.ts'

/**
 * Removes the entry of one connection, if there is one: the next packet with its addresses and ports is a first packet.
 *
 * Errors: `AlgError` with `code`.
 */
export function eraseFlow(socket: NetlinkSocket, key: FlowKey, code: ErrorCode): void {
  socket.insist(() => {
    writer.reset()
    writer.beginMessage({ type: CT_DELETE, flags: NLM_F_REQUEST | NLM_F_ACK, family: protocolFamily(key) })
    writer.nestedText(CTA_TUPLE_ORIG, key)
    writer.endMessage()
    socket.exchange(writer, code, (received, message) => {
      requireUnknown(received, message, { code, call: 'deletion in conntrack' })
      return true
    })
  })
}

const writer = new NetlinkWriter(256)
