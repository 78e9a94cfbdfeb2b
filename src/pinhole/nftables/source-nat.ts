// A connection of ours that its peer sees coming from another address: where connections are redirected, a client
// in active mode is called by "the server". The kernel translates our address, and conntrack brings the answers back.
// No route is needed, as a transparent socket would.

import { AlgError } from '../../errors.ts'
import type { SourceNat, SourceNatRequest } from '../backend.ts'
import { type Hole, openHole } from './elements.ts'
import { type HoleContext, removal } from './hole.ts'

/**
 * Has the kernel translate the source of the next connection from here to `to`: one, once, as with a pinhole.
 *
 * Errors: `AlgError` PINHOLE_FAILED, also without a route to the peer.
 */
export function sourceNat(
  { transactions, sets, ownAddressTowards, isTracked }: HoleContext,
  { to, as }: SourceNatRequest,
): SourceNat {
  const from = ownAddressTowards(to.address)
  if (from === null) {
    throw new AlgError(
      'PINHOLE_FAILED',
      `no route to ${to.address}, which should be called as ${as.address}`,
      {
        context: { to: to.address, as: as.address },
      },
    )
  }
  const { address: source } = as
  // The same two endpoints a second time, and conntrack would drop the packet: the kernel finds another port then.
  const sourcePort = isTracked({ from: to, to: as }) ? 0 : as.port
  const hole: Hole = {
    peer: from,
    at: to,
    forward: null,
    source,
    sourcePort,
    timeoutMs: TIMEOUT_MS,
    owner: OWNER,
  }
  let failure: AlgError | null = null
  transactions.submit(openHole(hole, sets), (result) => {
    if (!result.ok) failure = result.error
  })
  transactions.flush()
  if (failure !== null) throw failure
  let isOver = false
  return {
    from,
    release() {
      if (!isOver) transactions.submitLater(removal(hole, sets))
      isOver = true
    },
  }
}

/** For a first packet that was dropped before conntrack kept it: until it has come again three times. */
const TIMEOUT_MS = 8_000

const OWNER = 'outgoing'
