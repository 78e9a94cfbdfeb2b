import type { Endpoint } from '../wire/wire.ts'

/** Where one system under test runs: a network namespace between the client's and the server's, or plain loopback. */
export interface Place {
  readonly kind: 'namespace' | 'loopback'
  /** Unique small number; 1 upwards. */
  readonly index: number
  /** Network namespace of the system; null on loopback. */
  readonly namespace: string | null
  /** Our address towards the client, and the port to listen on: `{ address: '10.71.1.1', port: 2121 }`. */
  readonly listen: Endpoint
  /** Our address towards the server: `10.72.1.1`. */
  readonly serverSideAddress: string
  /** The FTP server as this system sees it: `{ address: '10.72.1.2', port: 21 }`. */
  readonly upstream: Endpoint
  /** The same server, announcing our own client-side address in 227 and `dataPorts` only: for relays that know no FTP. */
  readonly upstreamForRelays: Endpoint
  /** The same two for systems that speak TLS with the server, from the first byte on. */
  readonly upstreamTls: Endpoint
  readonly upstreamTlsForRelays: Endpoint
  /** A certificate and its key, in PEM, and both in one file. */
  readonly identity: { readonly certificate: string; readonly key: string; readonly both: string }
  /** For data connections; nothing else on this host uses them. Inclusive. */
  readonly dataPorts: { readonly first: number; readonly last: number }
  /** An admin port nobody else uses. */
  readonly adminPort: number
  /** A directory for configuration, logs and sockets, removed at the end. */
  readonly directory: string
}
