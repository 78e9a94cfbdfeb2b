// The firewall behind one narrow interface. The rest of the program knows no port pool, listener or nft rule.

import type { Side } from '../engine/contract.ts'
import type { Network } from '../ftp/addresses.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { Redirected } from '../kernel/conntrack-restore.ts'
import type { Observer } from '../observe/observer.ts'
import type { Connection } from '../tcp/connection.ts'
import type { BackendName, PoolUse } from '../vocabulary.ts'

/** What a pinhole must let through, and where. */
export interface PinholeRequest {
  /** Session id; names the owner in rules and logs. */
  readonly owner: string
  /** Which port range it is taken from: the range for peers on the client's side or the server's. */
  readonly from: Side
  /** The one address that may connect: canonical text without zone, mapped IPv4 written as IPv4. */
  readonly expect: string
  /** Who may come in its place; with any, the bytes come to us. */
  readonly others: readonly Network[]
  /** The client this pinhole is charged to, for the per-client share; canonical text. */
  readonly client: string
  /** The local address on which the connection will arrive. */
  readonly local: string
  /** Where the kernel may forward it, or null when the bytes must come to us. */
  readonly target: Endpoint | null
  /** The source address that the target must see, or null for our own choice. */
  readonly source: string | null
  /** Milliseconds from now until the pinhole closes by itself unused. */
  readonly timeoutMs: number
}

/** What becomes of an open pinhole; at most one of these is called, once. */
export interface PinholeEvents {
  /** The expected peer came and the bytes are ours to move. The callee owns the connection; nothing was read from it. */
  readonly connected: (connection: Connection) => void
  /** The expected peer came and had reset its connection before we looked; the pinhole is closed. */
  readonly lost: () => void
  /** The expected peer came and the kernel moves the bytes; `carried` asks how many so far, null where it cannot tell. */
  readonly forwarded: (carried: () => ForwardTotals | null) => void
  /** A forwarded connection is over; bytes as conntrack accounted them, null where it could not tell. */
  readonly forwardEnded: (totals: ForwardTotals | null) => void
  /** The peer did not come in time; the pinhole is closed. */
  readonly expired: () => void
}

/** Payload and headers as the kernel counts them: bytes in each direction of the forwarded connection. */
export interface ForwardTotals {
  readonly fromPeerBytes: number
  readonly toPeerBytes: number
}

export interface OpenPinhole {
  /** Address and port that the expected peer must connect to, before any translation for announcing. */
  readonly at: Endpoint
  /** What comes through is forwarded to its target by the kernel: `forwarded` follows, never `connected`. */
  readonly inKernel: boolean
}

/**
 * Promises of every backend, held by one shared test suite:
 * - when `open` calls back with a pinhole, the hole is open: a connection that starts now succeeds;
 * - it admits the expected address only, or one of the listed networks; others are reset and counted, and it keeps waiting;
 * - it admits one connection, then closes; a forwarded or accepted connection outlives it;
 * - it expires by itself; `close` is idempotent, and after it nothing of the hole is left;
 * - exhaustion is an error at once, never a wait and never a port outside the range.
 */
export interface PinholeBackend {
  readonly name: BackendName
  /**
   * Opens a pinhole and calls back once, perhaps before it returns.
   * Errors: `AlgError` with code PORT_RANGE_EXHAUSTED, CLIENT_SHARE_EXHAUSTED or PINHOLE_FAILED.
   */
  open(
    request: PinholeRequest,
    events: PinholeEvents,
    opened: (error: Error | null, pinhole: OpenPinhole | null) => void,
  ): PinholeHandle
  /** Closes every pinhole of every session; established connections live on. */
  closeAll(): Promise<void>
  /** One entry a pool, for `/metrics` and the status page. */
  use(): readonly PoolUse[]
}

export interface PinholeHandle {
  /**
   * Closes the pinhole if it is still waiting. Of a forwarded connection, which goes on, `forwardEnded` tells what it
   * has carried so far, and nothing is reported after that. Safe to call at any time, any number of times.
   */
  close(): void
  /** Sets how many milliseconds are left; does nothing once the peer has come. */
  prolong(timeoutMs: number): void
}

/** A connection of ours whose peer sees another address than ours. */
export interface SourceNatRequest {
  /** The peer that is to be called. */
  readonly to: Endpoint
  /** Address and port that it sees; port 0 for any. */
  readonly as: Endpoint
}

export interface SourceNat {
  /** The address of ours from which the connection must be made, in this turn of the event loop. */
  readonly from: string
  /** The connection is up or has failed; any number of times. */
  release(): void
}

/**
 * Adds source NAT for our next connection to a peer, as a pinhole does for one of its own: for one connection, once.
 * Errors: `AlgError` PINHOLE_FAILED.
 */
export type AddSourceNat = (request: SourceNatRequest) => SourceNat

/** Has the kernel translate a redirected connection again that it has forgotten. Errors: `AlgError` RUNTIME_FAILED. */
export type Restore = (connection: Redirected) => void

/** Whom a backend tells what no session asked about. */
export type BackendObserver = Pick<Observer, 'pinholeIntruded' | 'pinholeSwallowed' | 'log'>
