// What the load client can be asked to do, and what it answers: one JSON object on the command line, one on standard output.

import type { Endpoint } from '../wire/wire.ts'
import type { Quantiles } from './samples.ts'

export interface Target {
  readonly at: Endpoint
  readonly user: string
  /** All connections are TLS from their first byte. */
  readonly isTls?: boolean
}

/** Whole sessions, one after the other, from `clients` clients at once. */
export interface SessionsJob {
  readonly kind: 'sessions'
  readonly target: Target
  readonly clients: number
  readonly seconds: number
  readonly fileBytes: number
  /** At most this many sessions are begun per second; 0 is as many as will go. */
  readonly perSecond: number
}

export interface SessionsResult {
  /** Sessions that ended in time: the rate. */
  readonly inTime: number
  /** All that ended well, stragglers after the last second included: what the CPU was spent on. */
  readonly completed: number
  readonly seconds: number
  readonly failures: Readonly<Record<string, number>>
  readonly sessionMs: Quantiles
  readonly passiveMs: Quantiles
  readonly firstByteMs: Quantiles
}

/** Transfers that begin together, one session each; the clock runs from the first command to the last 226. */
export interface BulkJob {
  readonly kind: 'bulk'
  readonly target: Target
  readonly direction: 'down' | 'up'
  readonly streams: number
  readonly bytes: number
}

export interface BulkResult {
  readonly bytes: number
  readonly seconds: number
  readonly failures: Readonly<Record<string, number>>
}

/** One session that asks NOOP many times, then makes small transfers, each timed apart. */
export interface RoundTripJob {
  readonly kind: 'roundTrip'
  readonly target: Target
  readonly noops: number
  readonly transfers: number
}

export interface RoundTripResult {
  readonly noopMs: Quantiles
  /** Those between the transfers. */
  readonly calmNoopMs: Quantiles
  /** From PASV sent to 227 received. */
  readonly passiveMs: Quantiles
  /** From RETR sent to the first byte of the file. */
  readonly firstByteMs: Quantiles
  readonly failures: Readonly<Record<string, number>>
}

/** Sessions that log in and then say nothing, until our standard input ends. */
export interface IdleJob {
  readonly kind: 'idle'
  readonly target: Target
  readonly sessions: number
}

export interface IdleResult {
  readonly opened: number
  readonly failures: Readonly<Record<string, number>>
}

/** One session with a verified transfer each way: is the system up, and does it work at all? */
export interface ProbeJob {
  readonly kind: 'probe'
  readonly target: Target
  readonly fileBytes: number
}

export interface ProbeResult {
  readonly failures: Readonly<Record<string, number>>
}

/** Control connections up to the greeting, each with a full handshake, from `clients` clients at once. */
export interface HandshakesJob {
  readonly kind: 'handshakes'
  readonly target: Target
  readonly clients: number
  readonly seconds: number
}

export interface HandshakesResult {
  readonly completed: number
  readonly failures: Readonly<Record<string, number>>
}

/** Peers that reset, abort, stall and talk rubbish, so many a second. */
export interface MischiefJob {
  readonly kind: 'mischief'
  readonly target: Target
  readonly seconds: number
  readonly perSecond: number
}

export interface MischiefResult {
  readonly visits: number
  readonly failures: Readonly<Record<string, number>>
}

export type Job = SessionsJob | BulkJob | RoundTripJob | IdleJob | ProbeJob | HandshakesJob | MischiefJob

/** Common to all results: what the job cost the load client, its start not included. */
export interface Cost {
  readonly clientCpuSeconds: number
  /** The part of it that is not the kernel's. */
  readonly clientUserSeconds: number
}

export interface ResultOf {
  readonly sessions: SessionsResult & Cost
  readonly bulk: BulkResult & Cost
  readonly roundTrip: RoundTripResult & Cost
  readonly idle: IdleResult & Cost
  readonly probe: ProbeResult & Cost
  readonly handshakes: HandshakesResult & Cost
  readonly mischief: MischiefResult & Cost
}

/** Counts failures by their text, so that a thousand equal ones are one line. */
export class Failures {
  readonly byReason: Record<string, number> = {}
  count = 0

  add(reason: string): void {
    this.count++
    this.byReason[reason] = (this.byReason[reason] ?? 0) + 1
  }
}
