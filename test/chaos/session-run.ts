// A session under way, as both peers write down what they see of it.

import { payload } from '../support/peers/payload.ts'
import type { DataEnd } from './data-end.ts'
import { type Fault, largestFile, type PeerSide, type SessionPlan, type TransferPlan } from './plan.ts'

export interface PeerView {
  /** The transfer command was sent, or received. */
  hasBegun: boolean
  /** The final reply to the transfer command, said or heard; null when there was none. */
  code: number | null
  data: DataEnd | null
  /** What should not happen to a peer, whatever the plan: it waited too long, or heard the wrong thing. */
  problem: string | null
}

export interface TransferRun {
  readonly plan: TransferPlan
  readonly bytes: Uint8Array
  readonly client: PeerView
  readonly server: PeerView & { isAborted: boolean }
}

export class SessionRun {
  readonly id: number
  readonly plan: SessionPlan
  readonly transfers: readonly TransferRun[]
  /** Of either peer, outside of transfers. */
  readonly problems: string[] = []
  /** Resolves when the server has seen the last of this session. */
  readonly visited: Promise<void>
  /** The server calls it. */
  readonly left: () => void

  /** `transfers`: those of the plan that are made. */
  constructor(id: number, plan: SessionPlan, transfers: readonly TransferPlan[] = plan.transfers) {
    this.id = id
    this.plan = plan
    this.transfers = transfers.map((each) => ({
      plan: each,
      bytes: payload(largestFile).subarray(each.offset, each.offset + each.size),
      client: { hasBegun: false, code: null, data: null, problem: null },
      server: { hasBegun: false, code: null, data: null, problem: null, isAborted: false },
    }))
    let left = () => {}
    this.visited = new Promise((resolve) => {
      left = resolve
    })
    this.left = left
  }
}

/** What one end of a data connection is for. */
export interface Part {
  readonly run: TransferRun
  readonly side: PeerSide
  /** For faults that happen on the control connection. */
  readonly strikeControl: (fault: Fault) => void
}

export function isSender({ run, side }: Part): boolean {
  return run.plan.isUpload === (side === 'client')
}

/** Sends or receives one side's share of a transfer, with its fault. A receiver has then seen the end, a sender sent it. */
export async function move(data: DataEnd, part: Part): Promise<void> {
  const { run, side } = part
  const { fault } = run.plan
  const isMine = fault.side === side && fault.kind !== 'none'
  data.read()
  if (isSender(part)) {
    await data.send(isMine ? run.bytes.subarray(0, fault.at) : run.bytes)
    if (isMine) {
      if (!(await strike(data, part))) return
      await data.send(run.bytes.subarray(fault.at))
    }
    data.finish()
    return
  }
  if (isMine) {
    await data.reached(fault.at)
    await strike(data, part)
  }
  await data.ended()
}

/** Whether a sender goes on. */
async function strike(data: DataEnd, part: Part): Promise<boolean> {
  const { fault } = part.run.plan
  switch (fault.kind) {
    case 'stall':
      data.socket.pause()
      await pause(fault.ms)
      data.socket.resume()
      return true
    case 'halfClose':
    case 'truncate':
      data.finish()
      return false
    case 'reset':
    case 'liar':
      data.reset()
      return false
    case 'close':
      data.close()
      return false
    case 'abort':
      part.strikeControl(fault)
      if (fault.resets) data.reset()
      return false
    case 'lostControl':
      part.strikeControl(fault)
      return true
    default:
      return true
  }
}

export function pause(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))
}
