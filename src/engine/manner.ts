/** TLS as the server gets it. */
export interface ServerTlsPolicy {
  /** Only once the client has it; else before the engine hears of the server. */
  readonly followsClient: boolean
  readonly isImplicit: boolean
  readonly dataProtection: 'as-client' | 'required' | 'never'
}

/** How one server is spoken to. */
export interface UpstreamManner {
  readonly upstreamMode: 'client' | 'passive' | 'active'
  /** The verbs that the server is asked with, in order; empty for the client's own, or whatever a conversion needs. */
  readonly upstreamVerbs: readonly ('PASV' | 'EPSV' | 'PORT' | 'EPRT')[]
  /** Null: in clear. */
  readonly tls: ServerTlsPolicy | null
}
