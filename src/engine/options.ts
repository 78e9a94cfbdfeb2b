import type { PassthroughKind, RefusalReason, UpstreamChoice } from './contract.ts'
import type { ServerTlsPolicy, UpstreamManner } from './manner.ts'
import type { Policy } from './policy.ts'

/** TLS as it is offered to clients; `off` where only the server has it. */
export interface ClientTlsPolicy {
  readonly mode: 'off' | 'optional' | 'required' | 'implicit'
  readonly dataProtection: 'client' | 'required' | 'never'
  readonly ccc: 'refuse' | 'allow'
}

/** What a client has said of itself, by which its server is chosen; undefined: it may still say it. */
export interface ClientWords {
  /** The host that it asked for with TLS (SNI), in lower case; null: none. */
  readonly serverName: string | null | undefined
  /** The argument of HOST (RFC 7151), as `serverName`. */
  readonly host: string | null | undefined
  /** The argument of USER. */
  readonly user: string | undefined
}

export type Choice =
  /** `user`: the name sent to the server; absent: the client's own. */
  | { readonly type: 'connect'; readonly to: UpstreamChoice; readonly user?: string }
  /** It has not said enough. */
  | { readonly type: 'undecided' }
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly text: string }

/** For sessions whose server depends on what the client says: we greet by ourselves and connect when we know. */
export interface WelcomePolicy {
  /** The same answer to the same words. Never `undecided` once all of them are known. */
  readonly choose: (words: ClientWords) => Choice
  /** What OPEN or SITE means with this argument; null where they mean nothing. */
  readonly open: ((argument: string) => Choice) | null
  /** HOST chooses among our servers: one that knows no such host serves the session all the same. */
  readonly usesHost: boolean
  /** What the header of a transcript says of it. */
  readonly notation: string
}

/** What a session's engine is given once; `upstreamMode`, `upstreamVerbs` and `tls.server` count unless its server has a manner of its own. */
export interface EngineOptions extends Pick<UpstreamManner, 'upstreamMode' | 'upstreamVerbs'> {
  /** The client's control address, canonical. */
  readonly client: string
  /** A passive server's port is connected to before ours is announced: not where the kernel forwards. */
  readonly reachesFirst: boolean
  /** The same object for all sessions of a listener. */
  readonly policy: Policy
  /** Whether an address belongs to this machine. */
  readonly isOwnAddress: (address: string) => boolean
  /** Absent or null: the session has one server, which greets. */
  readonly welcome?: WelcomePolicy | null
  /** The host that the client asked a balancer for, which has TLS with it; absent or null: none. */
  readonly serverName?: string | null
  /** Absent: no TLS on either side. */
  readonly tls?: { readonly client: ClientTlsPolicy; readonly server: ServerTlsPolicy | null } | null
  /** TLS is between the two peers alone. Absent or null: it is not; without `tls` AUTH is refused then. */
  readonly passthrough?: PassthroughKind | null
}
