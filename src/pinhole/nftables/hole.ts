// What the two kinds of hole share: one forwarded by the kernel, one relayed by us.

import type { Side } from '../../engine/contract.ts'
import type { ElementChange } from '../../kernel/nft-elements.ts'
import type { OpenPinhole, PinholeBackend, PinholeHandle } from '../backend.ts'
import type { PortPool } from '../port-pool.ts'
import { closeDoor, type Hole, type HoleSets, sweepHole } from './elements.ts'
import type { ForwardedFlows } from './flows.ts'
import type { Strangers } from './strangers.ts'
import type { ElementTransactions, JobResult } from './transactions.ts'

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
  readonly warn: (event: string, message: string, fields: Readonly<Record<string, unknown>>) => void
  /** The hole has ended and is nobody's any more. */
  readonly ended: (hole: LivingHole) => void
}

/** A hole that was asked for and has not ended. */
export interface LivingHole extends PinholeHandle {
  /** The changes that put its elements back after somebody flushed the tables; none while nobody is awaited. */
  elements(): readonly ElementChange[]
}

export type Opened = (error: Error | null, pinhole: OpenPinhole | null) => void

/** Every element of a hole, used or not. `once` comes first: nobody enters while the rest goes. */
export function removal(hole: Hole, sets: HoleSets): readonly ElementChange[] {
  return [closeDoor(hole, sets, 'destroy'), ...sweepHole(hole, sets)]
}

/** The same where one wants to know whether it was used; dear when it was. */
export function inquiry(hole: Hole, sets: HoleSets): readonly ElementChange[] {
  return [closeDoor(hole, sets, 'delete'), ...sweepHole(hole, sets)]
}

/** Whether an inquiry found that a connection had taken the door's element away. */
export function wasEntered(result: JobResult): boolean {
  return result.ok && result.gone.some(({ set }) => set.set === 'once')
}

/**
 * Somebody entered and never arrived: a chain that is not ours dropped the packet. The most likely mistake of an
 * installation, so it is said in words.
 */
export function warnSwallowed({ warn }: HoleContext, { peer, at, forward, owner }: Hole): void {
  const chain = forward === null ? 'input' : 'forward'
  warn(
    'pinhole.swallow',
    `${peer} came through the pinhole at ${at.address} port ${at.port}, but the ${chain} chain of the firewall dropped it: accept the ct mark there (ftp-alg firewall prints the line)`,
    { session_id: owner, client_ip: peer, address: at.address, port: at.port, chain },
  )
}
