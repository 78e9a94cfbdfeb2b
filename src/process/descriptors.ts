// How many sessions the descriptors of a process carry. The limit (RLIMIT_NOFILE) is known before the first client comes, so
// no client waits unaccepted because of it: those who are too many get 421.
//
// @see getrlimit(2); Node raises the soft limit to the hard one when it starts.

import { readFileSync } from 'node:fs'

/** Its two control connections, and one for data: half of the sessions may transfer at a time. */
const PER_SESSION = 3
/** What the process holds without any session, the admin listener's connections, and clients that are being sent away. */
const OWN = 64
/** With which no data connection ever lacks a descriptor. */
const PER_TRANSFERRING_SESSION = 4
const OWN_AT_EASE = 100

/** Open files that this process may have; infinite where there is no limit, or it cannot be read. */
export function descriptorLimit(): number {
  try {
    return parseLimits(readFileSync('/proc/self/limits', 'latin1'))
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** `'Max open files            1024                 4096                 files'` gives 1024, `unlimited` infinity. */
export function parseLimits(text: string): number {
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1]
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
}

/** Sessions that one process can serve with this many descriptors; at least one. */
export function sessionsWithin(descriptors: number): number {
  return Math.max(1, Math.floor((descriptors - OWN) / PER_SESSION))
}

/** For as many sessions, each of which transfers. */
export function descriptorsFor(sessions: number): number {
  return sessions * PER_TRANSFERRING_SESSION + OWN_AT_EASE
}

/** Data ports that may stay open for a moment without a pinhole: 64 of 1,024 descriptors, at least 32, at most 2,048. */
export function idlePortsWithin(descriptors: number): number {
  return Math.min(2048, Math.max(32, Math.floor(descriptors / 16)))
}

export interface SessionsWanted {
  /** `limits.sessions`, of all workers together. */
  readonly sessions: number
  readonly workers: number
}

/** Sessions that the workers let in together. */
export function sessionsAllowed(
  { sessions, workers }: SessionsWanted,
  descriptors = descriptorLimit(),
): number {
  return Math.min(sessions, workers * sessionsWithin(descriptors))
}
