let lastKnown = 0

/** Node opens a file of /proc to find out: without a descriptor it is what it was when there was one. */
export function residentBytes(): number {
  try {
    lastKnown = process.memoryUsage.rss()
  } catch {
    // What is said about a process that has no descriptor left is worth more than this figure.
  }
  return lastKnown
}
