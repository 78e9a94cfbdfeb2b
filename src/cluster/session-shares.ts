// `limits.sessions` is meant for all workers together. The kernel gives connections to whichever worker is first to accept,
// so equal parts would turn clients away from one worker while another has room.

/**
 * How many sessions each worker may have, by how many it has: free capacity is split evenly. Recomputed whenever
 * the numbers change, so the total exceeds the limit by no more than what came in between and one session for each worker
 * but one.
 *
 * `{ limit: 10, inUse: [6, 1] }` gives `[8, 3]`.
 */
export function shareSessions({
  limit,
  inUse,
}: {
  readonly limit: number
  readonly inUse: readonly number[]
}): number[] {
  const free = Math.max(0, limit - inUse.reduce((total, count) => total + count, 0))
  return inUse.map((count) => count + Math.ceil(free / inUse.length))
}
