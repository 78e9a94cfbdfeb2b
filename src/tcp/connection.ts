// What the proxy needs of a TCP connection, and nothing more. Two implementations: `epoll/` (system calls of Linux, at half the
// cost) and `node/` (node:net, everywhere).

import type { Endpoint } from '../ftp/endpoints.ts'
import type { Libc } from '../kernel/libc.ts'

/** Errors carry the system's `code`, such as `ECONNRESET`. */
export type ConnectionError = NodeJS.ErrnoException

/** One TCP connection that stands. Nothing is read before `start`; half-open is allowed. */
export interface Connection {
  /** The peer, its address canonical. */
  readonly remote: Endpoint
  /** Our end, the address as the system writes it, zone included; null once it is closed. A question to the system. */
  local(): Endpoint | null
  /** The descriptor, for options and calls of the kernel's own; null once it is closed. */
  readonly fd: number | null
  /** What was written and the kernel has not taken. */
  readonly unsentBytes: number
  /** What the kernel has taken and the peer's has not acknowledged, FIN included; 0 where that cannot be asked. */
  readonly unacknowledgedBytes: number
  /** Begins to read and to report events; called again, reports to the new listener from then on. */
  start(events: ConnectionEvents): void
  /** Reads nothing until `resume`. */
  pause(): void
  resume(): void
  /** Latin-1: one character is one byte. Like everything that follows, it does nothing once the connection is closed. */
  write(text: string): void
  /** Writes the first `byteCount` bytes; what has to wait is copied. */
  writeBytes(bytes: Uint8Array, byteCount: number): void
  /** Writes a last word, and FIN after everything; in one packet with the word where the system can be asked to. */
  end(lastWord?: string): void
  /** Writes a last word, and closes once everything is the kernel's. */
  close(lastWord?: string): void
  /** Closes now; `error` is what `closed` will say. */
  destroy(error?: ConnectionError): void
  /** Sends RST and closes. */
  reset(): void
  /** Asks for TCP keepalive after so much silence. */
  keepAlive(silenceMs: number): void
  /** Keeps urgent data in the stream, where the system can be asked to. */
  keepUrgent(): void
  /** Calls back when it is closed, whatever closed it; one at most. */
  whenClosed(closed: () => void): void
  /** Calls back, once, when the peer has reset it before `start`; later or not at all where that cannot be watched. */
  whenLost(lost: (error: ConnectionError) => void): void
  /** What `splice(2)` needs, where the make can give it. */
  readonly direct: DirectAccess | null
}

/** Never called before `start`, and never from within a call to the connection. */
export interface ConnectionEvents {
  /** The first `byteCount` bytes are lent for the length of this call. False pauses. */
  received(bytes: Buffer, byteCount: number): boolean
  /** FIN: nothing more will come. */
  ended(): void
  /** What had to wait is written. */
  drained(): void
  /** The last word. It comes by itself once both sides have ended. */
  closed(error: ConnectionError | null): void
}

/** What a reader found: nothing; something, and there may be more; so little that more had better gather first. */
export type Found = 'nothing' | 'something' | 'little'

/** Lets other code read from and write to the descriptor. */
export interface DirectAccess {
  /** The system calls. */
  readonly libc: Libc
  /** Calls this instead of reading, until it has found nothing; null reads again. */
  readBy(readable: (() => Found) | null): void
  /** Whether there is a byte to read, urgent or not, or the end. An error closes the connection. */
  hasUnread(): boolean
  /** Calls back, once, when the socket may take bytes that it refused before. */
  whenWritable(writable: () => void): void
}

export interface ListenOptions {
  readonly at: Endpoint
  /** A descriptor that listens already, which is taken over; `at` is what to call it. */
  readonly fd?: number
  readonly backlog: number
  /** For conversations: no answer waits for the acknowledgement of the one before. */
  readonly noDelay: boolean
  /** In a worker: this process's alone, where else all workers listen together. */
  readonly isExclusive: boolean
  readonly accepted: (connection: Connection) => void
  /** A connection was reset before we accepted it; null where the system does not tell who. */
  readonly lost?: (remote: Endpoint | null) => void
  /** Once, perhaps before `listen` returns. */
  readonly listens: (error: ConnectionError | null, at: Endpoint) => void
  /** No connection can be accepted for now; they wait, and it is tried again. Called once, until one was accepted. */
  readonly failed: (error: ConnectionError) => void
  /** After `failed`: connections are accepted again. */
  readonly recovered?: () => void
}

export interface Listening {
  /** False from `failed` until it has been tried again with success. */
  readonly isAccepting: boolean
  close(): void
}

export interface ConnectCall {
  readonly to: Endpoint
  /** Where the connection comes from. Port 0 is any; one that the system does not give becomes any. Null: the system's choice. */
  readonly from: Endpoint | null
}

/** Called once, never before `connect` has returned, and not after `cancel`. */
export type Connected = (error: ConnectionError | null, connection: Connection | null) => void

export interface Connecting {
  /** What the system has connected already is reset: FIN would be an empty file to whoever accepted it. */
  cancel(): void
}
