// The engine's whole vocabulary. Events are what happened outside, in the past tense; effects are what must
// be done outside, as imperatives. The engine has no socket, clock, logger or randomness of its own, so a
// list of events always gives the same list of effects.
//
// Text on the control channel is latin1: one character is one byte.

import type { Endpoint } from '../ftp/endpoints.ts'
import type { UpstreamManner } from './manner.ts'

/** The two peers of a session. The *server* is the upstream FTP server. */
export type Side = 'client' | 'server'

/** Who opens the data connection: `active` the server (PORT, EPRT), `passive` the client (PASV, EPSV). */
export type Mode = 'active' | 'passive'

/** Which way a transfer's file goes: `upload` from the client to the server. */
export type Direction = 'upload' | 'download'

/** The four wire forms of an endpoint, named as the metrics name them. */
export type RewriteKind = 'port' | 'eprt' | 'pasv_227' | 'epsv_229'

/**
 * The session's own times, by who is waited for. `greeting`: the server's first reply. `login`: the client has not logged
 * in. `idle`: the client owes a command. `reply`: the server owes an answer. `transfer`: it was asked for and does not
 * begin. `quiet`: the server has said nothing for a second. `keepAlive`: the client has said nothing for long in a
 * transfer.
 */
export type SessionTimer = 'greeting' | 'login' | 'idle' | 'reply' | 'transfer' | 'quiet' | 'keepAlive'

/**
 * `abort`: the reply to an ABOR is overdue. `doubt`: nothing more was heard of a reply that may be a late one to an ABOR.
 * `hold`: a transfer's success was held long enough for its data connection. One that fires when nothing waits for it
 * means nothing.
 */
export type EngineTimer = 'abort' | 'doubt' | 'hold'

/** Who is waited for. `data`: bytes that flow, or a data connection of a transfer that has begun. */
export type AwaitedParty = 'client' | 'server' | 'transfer' | 'data'

/** What this upstream server was seen to refuse, or to speak; kept for later sessions with the same upstream. */
export type UpstreamFact = 'refusesEpsv' | 'refusesEprt' | 'speaksTls'

/** How TLS begins that we cannot see into: by AUTH, which the server agrees to, or with the first byte, before any greeting. */
export type PassthroughKind = 'explicit' | 'implicit'

export type Event =
  /** Bytes arrived on a control connection; `text` may hold part of a line or many lines. */
  | { readonly type: 'received'; readonly side: Side; readonly text: string }
  /** A client is here: the first event, but for `clientSecured` where TLS is implicit. */
  | { readonly type: 'clientArrived' }
  /** The client's control connection is encrypted, and this is the host it asked for (SNI); only in sessions with a welcome. */
  | { readonly type: 'clientSecured'; readonly serverName: string | null }
  /** That side sent FIN; what it said before still counts. `isGone`: it hears nothing more either. */
  | { readonly type: 'ended'; readonly side: Side; readonly isGone: boolean }
  /**
   * The control connection to the server is up; `knows` is what earlier sessions learned about it. `manner`: how this server
   * is spoken to, in place of what the options say; null: as they say.
   */
  | {
      readonly type: 'upstreamConnected'
      readonly server: Endpoint
      readonly knows: readonly UpstreamFact[]
      readonly manner: UpstreamManner | null
    }
  /** The server's control connection is encrypted from here on; or, where `secure` asked for it, it is not to be. */
  | { readonly type: 'serverSecured'; readonly isSecure: boolean }
  /** No control connection to the server could be made. */
  | { readonly type: 'upstreamFailed'; readonly reason: UpstreamFailure }
  /**
   * The pinhole is open; `announce` is where its peer can reach us, translated for that peer. `inKernel`: what comes
   * through it is forwarded to its target without us.
   */
  | {
      readonly type: 'pinholeOpened'
      readonly pinhole: number
      readonly announce: Endpoint
      readonly inKernel: boolean
    }
  | { readonly type: 'pinholeFailed'; readonly pinhole: number; readonly reason: PinholeFailure }
  /** The expected peer did not come in time; the backend has closed it already. */
  | { readonly type: 'pinholeExpired'; readonly pinhole: number }
  /** One leg of the data channel is connected: accepted through its pinhole, or connected by us. */
  | { readonly type: 'legConnected'; readonly channel: number; readonly side: Side }
  | { readonly type: 'legFailed'; readonly channel: number; readonly side: Side; readonly reason: LegFailure }
  /** Both legs are closed and every byte that could be delivered was. */
  | { readonly type: 'channelEnded'; readonly channel: number }
  /** The last byte of the awaited direction and its FIN are with the peer's system. */
  | { readonly type: 'delivered'; readonly channel: number }
  | { readonly type: 'timerFired'; readonly timer: SessionTimer | EngineTimer }
  /** The process is draining: finish what runs, then 421. */
  | { readonly type: 'drainRequested' }

export type Effect =
  | { readonly type: 'send'; readonly side: Side; readonly text: string }
  | { readonly type: 'openPinhole'; readonly request: PinholeSpec }
  | { readonly type: 'closePinhole'; readonly pinhole: number; readonly reason: PinholeCloseReason }
  /**
   * TLS on a control connection, after everything that was sent; towards a server by AUTH TLS, and `serverSecured` follows.
   * What is sent to that side meanwhile waits, and is encrypted.
   */
  | { readonly type: 'secure'; readonly side: Side }
  /** TLS ends on the client's control connection, after everything that was sent; what is sent from here on is clear. */
  | { readonly type: 'clear' }
  /** Give the client a new ticket with the next reply, so that its data connection can resume. */
  | { readonly type: 'freshTicket' }
  /** Connect one leg of a data channel. */
  | {
      readonly type: 'connectLeg'
      readonly channel: number
      /** The client's, as in `PinholeSpec`. */
      readonly mode: Mode
      readonly side: Side
      readonly endpoint: Endpoint
      /** It is encrypted. */
      readonly isPrivate: boolean
    }
  /** A transfer was asked for that will use the channel: its pinhole stays open, and this way its file goes. */
  | { readonly type: 'beginTransfer'; readonly channel: number; readonly direction: Direction | null }
  /** Tell when the last byte of that direction is with the peer's system: `delivered` follows, or `channelEnded`. */
  | { readonly type: 'awaitDelivery'; readonly channel: number; readonly direction: Direction }
  /** Connect to the FTP server, the session's only one without `to`: `upstreamConnected` or `upstreamFailed` follows. */
  | { readonly type: 'connectUpstream'; readonly to?: UpstreamChoice }
  /** `finish`: legs that were never joined end politely, joined ones get a moment to drain. `reset`: RST. */
  | { readonly type: 'closeChannel'; readonly channel: number; readonly how: 'finish' | 'reset' }
  /** Always in pairs, for each side: too many of that side's lines wait for their turn. */
  | { readonly type: 'pauseReading'; readonly side: Side }
  | { readonly type: 'resumeReading'; readonly side: Side }
  /** Starts or restarts a short timer; each has its fixed length in the session driver. */
  | { readonly type: 'setTimer'; readonly timer: EngineTimer }
  | { readonly type: 'clearTimer'; readonly timer: EngineTimer }
  /** The login succeeded (the login timer stops) or was reset by REIN or USER. */
  | { readonly type: 'loginChanged'; readonly loggedIn: boolean }
  /**
   * From here on the session is a plain byte pipe (TLS that we cannot see into). Bytes that are given to the engine all the
   * same go to the other side as they are; no word of ours gets between them.
   */
  | { readonly type: 'passThrough' }
  | { readonly type: 'remember'; readonly fact: UpstreamFact }
  | { readonly type: 'record'; readonly record: AuditRecord }
  /** Flush what was sent, then close both control connections. The first reason wins. */
  | { readonly type: 'close'; readonly reason: CloseReason }

/** A hole the engine asks for: who may come through, and where the kernel could forward it. */
export interface PinholeSpec {
  /** Unique in the session, counting from 1. */
  readonly pinhole: number
  readonly channel: number
  /** The channel's mode as the client sees it. */
  readonly mode: Mode
  /** The side whose data connection will arrive. */
  readonly from: Side
  /** Where the connection must end up, or null when the other leg also listens or needs relaying. */
  readonly target: Endpoint | null
  /** What arrives is encrypted. */
  readonly isPrivate: boolean
}

/** Which server: what a route of the listener leads to, by its name, or a host that the client named itself. */
export type UpstreamChoice = { readonly route: string } | { readonly host: string; readonly port: number }

export type UpstreamFailure =
  | 'refused'
  | 'timeout'
  | 'unreachable'
  | 'resolve'
  | 'self'
  | 'no_destination'
  | 'tls_refused'
  | 'tls_failed'
  | 'tls_certificate'
  | 'no_greeting'
  | 'no_server'
  | 'forbidden'
  | 'proxy_unreachable'
  | 'proxy_refused'
export type PinholeFailure = 'exhausted' | 'share' | 'backend'
export type LegFailure = 'refused' | 'timeout' | 'unreachable' | 'reset' | 'tls' | 'not_resumed' | 'truncated'
export type PinholeCloseReason = 'replaced' | 'refused' | 'unused' | 'session_end'

export type CloseReason =
  | 'quit'
  | 'client'
  | 'server'
  | 'idle'
  | 'login_timeout'
  | 'reply_timeout'
  | 'transfer_timeout'
  | 'drain'
  | 'operator'
  | 'protocol'
  | 'refusals'
  | 'upstream'
  | 'error'

/** Why a command was answered by us with an error instead of going upstream. */
export type RefusalReason =
  | 'not_ftp'
  | 'unknown_before_login'
  | 'login_required'
  | 'line_too_long'
  | 'control_characters'
  | 'syntax'
  | 'bounce'
  | 'privileged_port'
  | 'family'
  | 'epsv_all'
  | 'forbidden_verb'
  | 'auth'
  | 'pasv_address'
  | 'pasv_port'
  | 'pasv_reply'
  | 'upstream_refused'
  | 'data_failed'
  | 'pinhole_expired'
  | 'pinhole_exhausted'
  | 'pinhole_share'
  | 'pinhole_backend'
  | 'plaintext_after_auth'
  | 'tls_required'
  | 'prot_required'
  | 'prot_level'
  | 'auth_mechanism'
  | 'auth_twice'
  | 'auth_after_user'
  | 'ccc'
  | 'rein'
  | 'upstream_prot'
  | 'no_route'
  | 'host_name'
  | 'destination'
  | 'draining'

/** What the peer did that no standard allows and that did not fit a refusal. */
export type ProtocolError =
  | 'reply_too_long'
  | 'bad_reply'
  | 'unsolicited_reply'
  | 'unsolicited_endpoint'
  | 'server_closed_in_reply'
  | 'not_tls'

/** A fact worth a counter, a log line or both. Closed sets become labels; everything else only log fields. */
export type AuditRecord =
  /** `verb` is a known verb or `OTHER`; `line` has its secrets masked. */
  | { readonly type: 'command'; readonly verb: string; readonly line: string }
  /** `line` is the last line of the reply. */
  | { readonly type: 'reply'; readonly code: number; readonly line: string }
  | { readonly type: 'login'; readonly user: string; readonly accepted: boolean; readonly code: number }
  | {
      readonly type: 'rewrite'
      readonly kind: RewriteKind
      readonly from: Endpoint | null
      readonly to: Endpoint
    }
  | { readonly type: 'conversion'; readonly from: Mode; readonly to: Mode }
  | {
      readonly type: 'refusal'
      readonly verb: string
      readonly reason: RefusalReason
      readonly code: number
      /** The offending value, already safe to print. */
      readonly detail: string
    }
  | {
      readonly type: 'protocolError'
      readonly side: Side
      readonly reason: ProtocolError
      readonly detail: string
    }
  /** The peers' TLS goes on without us: no endpoint of the session can be rewritten. */
  | { readonly type: 'passedThrough'; readonly kind: PassthroughKind }
  | {
      readonly type: 'transfer'
      readonly verb: string
      readonly path: string
      /** The final reply's code. */
      readonly code: number
      readonly channel: number | null
    }
