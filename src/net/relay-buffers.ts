// Memory for bytes on their way from one leg to the other. Small transfers share one buffer and are copied out of
// it; larger ones get a large one of their own, from a bounded pool.

/** Every data connection reads into this first; what it holds is valid only until the read callback returns. */
export const sharedReadBuffer: Uint8Array = Buffer.allocUnsafeSlow(64 * 1024)

/** A byte costs a quarter less than with half of it: fewer and larger segments, fewer wake-ups. */
const LARGE_BYTES = 2 * 1024 * 1024
/** 64 MiB at most; transfers beyond it go on through the shared buffer. */
const MAX_LARGE = 32
/** Kept for the next transfers; the rest goes back to the system. */
const MAX_IDLE = 4

const idle: Uint8Array[] = []
let taken = 0

/** A buffer of 2 MiB, or null when all are in use. */
export function takeLargeBuffer(): Uint8Array | null {
  if (taken >= MAX_LARGE) return null
  taken += 1
  return idle.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES)
}

/** Gives one back; nothing may read or write it any more. */
export function returnLargeBuffer(buffer: Uint8Array): void {
  taken -= 1
  if (idle.length < MAX_IDLE) idle.push(buffer)
}
