import type { TlsProblem } from '../kernel/openssl-failure.ts'
import type { OpensslStream } from '../kernel/openssl-stream.ts'
import type { Connection, ConnectionEvents } from '../tcp/connection.ts'

export interface TlsConnectionOptions {
  /** Of the epoll make; from here on it is read and written through TLS alone. It may have been started. */
  readonly raw: Connection
  /** On the descriptor of `raw`; owned from here on. */
  readonly stream: OpensslStream
  /** From here on; of data from the first byte of the peer, which may wait for the transfer to begin. */
  readonly handshakeMs: number
  /** Bytes come in bulk: several records are read at once. */
  readonly isData: boolean
  /** A FIN without close_notify is an error, or the end all the same. */
  readonly truncation: 'refuse' | 'accept'
  /** Such a FIN came, whatever is made of it. */
  readonly truncated?: () => void
  /** The peer has sent many records without data; the connection is about to be closed for it. */
  readonly flooded?: (() => void) | undefined
  /** Asked when the handshake is done; a problem ends the connection. */
  readonly check?: (stream: OpensslStream) => TlsProblem | null
  /** The handshake is over, once; after a problem the connection is closed, or about to be. */
  readonly secured: (problem: TlsProblem | null) => void
}

/** Hears of a connection's end, and leaves what it reads to others. */
export function onlyClosed(closed: ConnectionEvents['closed']): ConnectionEvents {
  return { received: () => true, ended: () => undefined, drained: () => undefined, closed }
}
