import type { DataVerb } from './data-request.ts'
import type { Policy } from './policy.ts'

/** TLS as it is offered to clients; `off` where only the server has it. */
export interface ClientTlsPolicy {
  readonly mode: 'off' | 'optional' | 'required' | 'implicit'
  readonly dataProtection: 'client' | 'required' | 'never'
}

/** TLS as the server gets it. */
export interface ServerTlsPolicy {
  /** Only once the client has it; else before the engine hears of the server. */
  readonly followsClient: boolean
  readonly isImplicit: boolean
  readonly dataProtection: 'as-client' | 'required' | 'never'
}

/** What a session's engine is told once. */
export interface EngineOptions {
  /** The client's control address, canonical. */
  readonly client: string
  readonly upstreamMode: 'client' | 'passive' | 'active'
  /** The verbs that the server is asked with, in order; empty for the client's own, or whatever a conversion needs. */
  readonly upstreamVerbs: readonly DataVerb[]
  /** A passive server's port is connected to before ours is announced: not where the kernel forwards. */
  readonly reachesFirst: boolean
  /** The same object for all sessions of a listener. */
  readonly policy: Policy
  /** Whether an address belongs to this machine. */
  readonly isOwnAddress: (address: string) => boolean
  /** Absent: no TLS on either side. */
  readonly tls?: { readonly client: ClientTlsPolicy; readonly server: ServerTlsPolicy | null } | null
}
