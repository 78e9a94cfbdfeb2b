// What `npm run chaos` hands over; without it, a run that `npm test` has time for.

import type { RunOptions } from './run.ts'

const { CHAOS_MINUTES, CHAOS_SEED, CHAOS_ONLY, CHAOS_LANE } = process.env

/** How many lanes there are; they share the time. */
const LANES = 4
const SHORT_RUN_SECONDS = 40
/** The same sessions each time, though never at the same moments. */
const SHORT_RUN_SEED = 20_261_129

const seed = CHAOS_SEED === undefined ? SHORT_RUN_SEED : Number(CHAOS_SEED)
const secondsInAll = CHAOS_MINUTES === undefined ? SHORT_RUN_SECONDS : Number(CHAOS_MINUTES) * 60

export const options: RunOptions = {
  seed,
  seconds: CHAOS_LANE === undefined ? secondsInAll / LANES : secondsInAll,
  only: CHAOS_ONLY === undefined ? null : Number(CHAOS_ONLY),
}

/** The run, and what it waits for afterwards. */
export const timeoutMs: number = options.seconds * 1000 + 120_000

export function isWanted(lane: string): boolean {
  return CHAOS_LANE === undefined || CHAOS_LANE === lane
}
