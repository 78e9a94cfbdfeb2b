// What one session does and what goes wrong in it, drawn from one number. A wrong outcome is named by that number, and
// the session can be run again alone.

import { KiB, MiB } from '../support/peers/payload.ts'
import type { DataVerb } from '../support/peers/scripted-client.ts'
import { Random } from '../support/random.ts'

export type PeerSide = 'client' | 'server'

/**
 * What goes wrong, always at the byte `at` of the data that the side has sent or received:
 *
 * - `stall`: the side stands still for `ms`, then goes on
 * - `halfClose`: the receiver ends its own, unused direction and goes on reading
 * - `reset`, `close`: the side ends the data connection by RST, or by close(2)
 * - `truncate`: the sender ends with FIN; a server says 451
 * - `liar`: the server resets the data connection and says 226 all the same
 * - `abort`: the client sends ABOR; `how` is what the server does about it, `resets` what the client does
 * - `lostControl`: the side's control connection ends, and its data go on
 * - `absent`: a passive client never opens its data connection
 * - `refused`: an active client names a port where nobody listens
 */
export type FaultKind =
  | 'none'
  | 'stall'
  | 'halfClose'
  | 'reset'
  | 'close'
  | 'truncate'
  | 'liar'
  | 'abort'
  | 'lostControl'
  | 'absent'
  | 'refused'

export interface Fault {
  readonly kind: FaultKind
  readonly side: PeerSide
  readonly at: number
  readonly ms: number
  /** Of a lost control connection: by FIN, by RST, or (of a server) by 421 and FIN. Of ABOR: what the server does. */
  readonly how: 'fin' | 'rst' | '421' | 'resets' | 'ends' | 'finishes'
  /** An aborting client resets its data connection instead of waiting for the server. */
  readonly resets: boolean
}

export interface TransferPlan {
  readonly verb: DataVerb
  readonly command: 'RETR' | 'STOR' | 'LIST' | 'APPE' | 'NLST'
  readonly isUpload: boolean
  readonly size: number
  /** Where in the common bytes the file begins. */
  readonly offset: number
  readonly fault: Fault
  /** When the server says 150: before it has the data connection, once it has, or not at all. */
  readonly preliminary: 'before' | 'after' | 'never'
  /** The server says 226 only when the client has finished too. */
  readonly successWaits: boolean
  readonly clientDelayMs: number
  readonly serverDelayMs: number
  /** After a refusal the client waits for the end of its data connection; otherwise it closes it. */
  readonly isPatient: boolean
}

export interface SessionPlan {
  readonly seed: number
  /** Which of the listeners. */
  readonly upstreamMode: (typeof upstreamModes)[number]
  /** The last byte of the client's address. */
  readonly host: number
  readonly transfers: readonly TransferPlan[]
  readonly leaves: 'quit' | 'fin' | 'rst'
}

export const upstreamModes = ['client', 'passive', 'active'] as const
/** Bytes that everybody has: files are parts of them. */
export const largestFile: number = 4 * MiB

const weights: Readonly<Record<FaultKind, number>> = {
  none: 20,
  stall: 8,
  halfClose: 8,
  reset: 22,
  close: 8,
  truncate: 6,
  liar: 7,
  abort: 10,
  lostControl: 9,
  absent: 1,
  refused: 1,
}

export function planSession(seed: number): SessionPlan {
  const random = new Random(seed)
  const upstreamMode = random.oneOf(upstreamModes)
  return {
    seed,
    upstreamMode,
    host: 2 + random.below(20),
    transfers: Array.from({ length: 1 + random.below(4) }, () => planTransfer(random, upstreamMode)),
    leaves: random.weighed({ quit: 70, fin: 20, rst: 10 }),
  }
}

/** What must not keep the file from arriving whole. */
export function isHarmless({ fault, isUpload }: TransferPlan): boolean {
  const { kind, side } = fault
  return (
    kind === 'none' ||
    kind === 'stall' ||
    kind === 'halfClose' ||
    (kind === 'truncate' && isUpload && side === 'client')
  )
}

/** Whether this plan ends the session's control connection. */
export function losesControl({ fault }: TransferPlan): boolean {
  return fault.kind === 'lostControl'
}

function planTransfer(random: Random, upstreamMode: SessionPlan['upstreamMode']): TransferPlan {
  const command = random.weighed({ RETR: 40, STOR: 40, APPE: 5, LIST: 10, NLST: 5 })
  const isUpload = command === 'STOR' || command === 'APPE'
  const verb = random.oneOf<DataVerb>(['PASV', 'EPSV', 'PORT', 'EPRT'])
  const size = planSize(random)
  const preliminary = random.weighed({ before: 60, after: 30, never: 10 })
  // An active client is called once a passive server has said 150: without it nobody would begin.
  const isCalled = upstreamMode === 'passive' && !verb.endsWith('SV')
  return {
    command,
    isUpload,
    verb,
    size,
    offset: random.below(largestFile - size),
    fault: planFault(random, { isUpload, isPassive: verb.endsWith('SV'), size }),
    preliminary: isCalled ? 'before' : preliminary,
    successWaits: random.chance(50),
    clientDelayMs: random.chance(20) ? random.below(100) : 0,
    serverDelayMs: random.chance(20) ? random.below(100) : 0,
    isPatient: random.chance(50),
  }
}

function planSize(random: Random): number {
  const most = random.weighed({ none: 8, small: 37, medium: 35, large: 14, largest: 6 })
  if (most === 'none') return 0
  return (
    1 +
    random.below({ small: 2 * KiB, medium: 128 * KiB, large: (3 * MiB) / 2, largest: largestFile - 1 }[most])
  )
}

function planFault(
  random: Random,
  { isUpload, isPassive, size }: { isUpload: boolean; isPassive: boolean; size: number },
): Fault {
  let kind = random.weighed(weights)
  if (kind === 'liar' && isUpload) kind = 'reset'
  if (kind === 'absent' && !isPassive) kind = 'refused'
  else if (kind === 'refused' && isPassive) kind = 'absent'
  const sender: PeerSide = isUpload ? 'client' : 'server'
  const receiver: PeerSide = isUpload ? 'server' : 'client'
  let side = random.oneOf<PeerSide>(['client', 'server'])
  if (kind === 'halfClose' || kind === 'close') side = receiver
  if (kind === 'truncate' || kind === 'liar') side = sender
  if (kind === 'abort' || kind === 'absent' || kind === 'refused') side = 'client'
  const place = random.weighed({ start: 25, end: 25, anywhere: 50 })
  const at = place === 'start' ? 0 : place === 'end' ? size : random.below(size + 1)
  return {
    kind,
    side,
    at,
    ms: 10 + random.below(400),
    how: planHow(random, { kind, side, isUpload }),
    resets: random.chance(40),
  }
}

function planHow(
  random: Random,
  { kind, side, isUpload }: { kind: FaultKind; side: PeerSide; isUpload: boolean },
): Fault['how'] {
  if (kind === 'abort') {
    // The client of an upload stops sending, and a server that went on would wait for ever.
    return isUpload ? random.oneOf(['resets', 'ends']) : random.oneOf(['resets', 'ends', 'finishes'])
  }
  return side === 'server' ? random.oneOf(['fin', 'rst', '421']) : random.oneOf(['fin', 'rst'])
}
