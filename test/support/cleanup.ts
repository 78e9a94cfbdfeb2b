/** What a suite has started, ended in reverse order even when ending one of them fails. */
export interface Cleanup {
  add(end: () => Promise<unknown>): void
  /** Ends everything; then throws the first failure, if any. Call it in `afterAll`. */
  run(): Promise<void>
}

export function createCleanup(): Cleanup {
  const ends: (() => Promise<unknown>)[] = []
  return {
    add: (end) => {
      ends.push(end)
    },
    run: async () => {
      const failures: unknown[] = []
      for (const end of ends.splice(0).reverse()) {
        await end().catch((error) => failures.push(error))
      }
      if (failures.length > 0) throw failures[0]
    },
  }
}
