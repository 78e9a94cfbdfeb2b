// Conntrack counts packets with their headers, from the IP layer up. Of a TCP connection what is left without them is its
// payload: exact for a connection without losses, whose SACK options and repeated segments count as payload; a packet that the
// network card put together (GRO) counts as one, with one header.

/** One direction of a connection as conntrack counts it. */
export interface DirectionCount {
  readonly bytes: number
  readonly packets: number
}

const IP_HEADER = { 4: 20, 6: 40 } as const
const TCP_HEADER = 20
/** Options of every packet but the first, RFC 7323: mostly there, and then in both directions. */
const TIMESTAMPS = 12
/** What the first packet of each direction has beyond that: MSS, SACK permitted, window scale, padded to four bytes. */
const FIRST_WITH_TIMESTAMPS = 8
const FIRST_WITHOUT = 12

/** The bytes of payload in each direction. Whichever carries less payload shows how large headers are. */
export function payloadOf(
  family: 4 | 6,
  { sent, received }: { readonly sent: DirectionCount; readonly received: DirectionCount },
): { readonly sentBytes: number; readonly receivedBytes: number } {
  const plain = IP_HEADER[family] + TCP_HEADER
  const hasTimestamps = [sent, received].every(
    ({ bytes, packets }) => packets === 0 || bytes / packets >= plain + TIMESTAMPS,
  )
  const header = plain + (hasTimestamps ? TIMESTAMPS : 0)
  const first = hasTimestamps ? FIRST_WITH_TIMESTAMPS : FIRST_WITHOUT
  const payload = ({ bytes, packets }: DirectionCount) => Math.max(0, bytes - packets * header - first)
  return { sentBytes: payload(sent), receivedBytes: payload(received) }
}
