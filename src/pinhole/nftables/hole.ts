// What the two kinds of hole share: one forwarded by the kernel, one relayed by us.

import type { Side } from '../../engine/contract.ts'
import type { Flow } from '../../kernel/conntrack.ts'
import type { ElementChange, ElementName } from '../../kernel/nft-elements.ts'
import type { BackendObserver, OpenPinhole, PinholeBackend, PinholeHandle } from '../backend.ts'
import type { PortPool } from '../port-pool.ts'
import { doorOf, type Hole, type HoleSets, sweepHole } from './elements.ts'
import type { ForwardedFlows } from './flows.ts'
import type { Strangers } from './strangers.ts'
import type { ElementTransactions } from './transactions.ts'

/** What every hole works with. */
export interface HoleContext {
  readonly transactions: ElementTransactions
  readonly flows: ForwardedFlows
  readonly strangers: Pick<Strangers, 'expect' | 'unexpect'>
  readonly sets: HoleSets
  readonly pools: Readonly<Record<Side, PortPool>>
  readonly relay: PinholeBackend
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
  /** An address of this machine on which a connection from `peer` can end, or null without a route to it. */
  readonly ownAddressTowards: (peer: string) => string | null
  readonly isOwnAddress: (address: string) => boolean
  /** How many first packets an element has let in; null when it is not there. */
  readonly packetsMatched: (door: ElementName) => number | null
  /** Reads the events of conntrack that still wait. */
  readonly catchUp: () => void
  /** A pinhole has ended and its peer was never seen there. */
  readonly nobodyCame: () => void
  /** Whether conntrack knows a connection of these two endpoints, running or lately closed. */
  readonly isTracked: (flow: Flow) => boolean
  /** The same for one that is not over. */
  readonly isRunning: (flow: Flow) => boolean
  readonly swallowed: BackendObserver['pinholeSwallowed']
  /** The hole has ended and has no owner any more. */
  readonly ended: (hole: LivingHole) => void
}

/** A hole that was asked for and has not ended. */
export interface LivingHole extends PinholeHandle {
  /** The changes that put its elements back after the tables were flushed; none while no peer is expected. */
  elements(): readonly ElementChange[]
}

export type Opened = (error: Error | null, pinhole: OpenPinhole | null) => void

/** Every element of a hole, used or not. `once` comes first: no connection enters while the rest goes. */
export function removal(hole: Hole, sets: HoleSets): readonly ElementChange[] {
  return [{ action: 'destroy', ...doorOf(hole, sets) }, ...sweepHole(hole, sets)]
}
