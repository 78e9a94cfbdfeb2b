/** What operators can make the service do: this process, or all its workers. */
export interface AdminOperations {
  /** All there are, by name. */
  listeners(): readonly string[]
  /** Resolves with false when there is no session of this id. */
  endSession(id: string): boolean | Promise<boolean>
  /** New clients of these listeners (none named: all) get 421; with `endsSessions` those that are here end too. */
  drain(order: { readonly listeners: readonly string[]; readonly endsSessions: boolean }): void
  resume(listeners: readonly string[]): void
  /** Whether the last session was gone before the time was up. */
  whenEmpty(timeoutMs: number): Promise<boolean>
}
