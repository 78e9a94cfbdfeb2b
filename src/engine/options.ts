import type { Policy } from './policy.ts'

/** What a session's engine is told once. */
export interface EngineOptions {
  /** The client's control address, canonical. */
  readonly client: string
  readonly upstreamMode: 'client' | 'passive' | 'active'
  /** The same object for all sessions of a listener. */
  readonly policy: Policy
  /** Whether an address belongs to this machine. */
  readonly isOwnAddress: (address: string) => boolean
}
