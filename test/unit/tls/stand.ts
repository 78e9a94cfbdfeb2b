// Two ends of a TLS connection, each as the product has it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ListenerTlsConfig, UpstreamTlsConfig } from '../../../src/config/config.ts'
import { loadOpenssl } from '../../../src/kernel/openssl.ts'
import type { TlsProblem } from '../../../src/kernel/openssl-failure.ts'
import type { Connection, ConnectionEvents } from '../../../src/tcp/connection.ts'
import { ClientTls } from '../../../src/tls/client-session.ts'
import { ServerContexts } from '../../../src/tls/server-contexts.ts'
import { ServerTls } from '../../../src/tls/server-session.ts'
import type { TlsConnection } from '../../../src/tls/tls-connection.ts'
import { UpstreamContext } from '../../../src/tls/upstream-context.ts'
import { type Issued, issueCertificate, type Wanted } from '../../support/certificates.ts'
import { listenOnLoopback, tcp } from '../../support/connections.ts'
import { within } from '../../support/peers/patience.ts'

export const openssl = await loadOpenssl()

/** Files that a test writes, gone with `close`. */
export class PemFolder {
  readonly #path = mkdtempSync(join(tmpdir(), 'ftp-alg-tls-'))

  write(name: string, text: string): string {
    const file = join(this.#path, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  pair(name: string, issued: Issued, chain = ''): { certificate: string; key: string } {
    return {
      certificate: this.write(`${name}.crt`, issued.certificate + chain),
      key: this.write(`${name}.key`, issued.key),
    }
  }

  close(): void {
    rmSync(this.#path, { recursive: true, force: true })
  }
}

export const authority = issueCertificate({ name: 'Test CA', isAuthority: true })

export function issue(wanted: Omit<Wanted, 'issuer'>): Issued {
  return issueCertificate({ ...wanted, issuer: authority })
}

export function listenerTls(over: Partial<ListenerTlsConfig>): ListenerTlsConfig {
  return {
    mode: 'required',
    certificates: [],
    minVersion: 'TLSv1.2',
    ciphers: { tls12: null, tls13: null },
    dataProtection: 'client',
    dataReuse: 'required',
    truncation: 'refuse',
    ccc: 'refuse',
    clientCertificates: 'off',
    clientCa: null,
    clientCrl: null,
    unknownNames: 'default',
    alpn: 'strict',
    ...over,
  }
}

export function upstreamTls(over: Partial<UpstreamTlsConfig>): UpstreamTlsConfig {
  return {
    mode: 'required',
    verify: 'full',
    ca: null,
    name: null,
    pins: [],
    certificate: null,
    key: null,
    minVersion: 'TLSv1.2',
    ciphers: { tls12: null, tls13: null },
    dataProtection: 'required',
    truncation: 'refuse',
    ...over,
  }
}

/** Both sides of one session: what our listener makes of its client, and what we make of a server. */
export class Session {
  readonly front: ClientTls
  readonly back: ServerTls
  readonly contexts: ServerContexts
  readonly upstream: UpstreamContext

  constructor({
    front,
    back,
    host = 'ftp.example.net',
    handshakeMs = 20_000,
  }: {
    readonly front: ListenerTlsConfig
    readonly back: UpstreamTlsConfig
    readonly host?: string
    readonly handshakeMs?: number
  }) {
    this.contexts = new ServerContexts(openssl, front)
    this.upstream = new UpstreamContext(openssl, back)
    this.front = new ClientTls({ contexts: this.contexts, config: front, handshakeMs })
    this.back = new ServerTls({ upstream: this.upstream, host, handshakeMs, truncation: back.truncation })
  }
}

export interface Ends {
  readonly rawServer: Connection
  readonly rawClient: Connection
  readonly server: TlsConnection
  readonly client: TlsConnection
  readonly problems: { server: TlsProblem | null; client: TlsProblem | null }
}

/** Shakes hands over loopback; resolves when both have come to an end, well or not. */
export async function shake(
  session: Session,
  kind: 'control' | 'data',
  from = session.back,
  pair: Pick<Ends, 'rawServer' | 'rawClient'> | null = null,
): Promise<Ends> {
  const { rawServer, rawClient } = pair ?? (await rawPair())
  const { front } = session
  const shaken = <T>(begin: (secured: (problem: TlsProblem | null) => void) => T) =>
    new Promise<{ connection: T; problem: TlsProblem | null }>((resolve) => {
      const connection: T = begin((problem) => queueMicrotask(() => resolve({ connection, problem })))
    })
  const [server, client] = await within(
    Promise.all([
      shaken((done) =>
        kind === 'control' ? front.secureControl(rawServer, done) : front.secureData(rawServer, done),
      ),
      shaken((done) =>
        kind === 'control' ? from.secureControl(rawClient, done) : from.secureData(rawClient, done),
      ),
    ]),
    { what: 'two handshakes' },
  )
  return {
    rawServer,
    rawClient,
    server: server.connection,
    client: client.connection,
    problems: { server: server.problem, client: client.problem },
  }
}

export async function rawPair(): Promise<{ rawServer: Connection; rawClient: Connection }> {
  const { port, next, close } = await listenOnLoopback(tcp)
  const rawClient = await new Promise<Connection>((resolve, reject) => {
    tcp.connect({ to: { address: '127.0.0.1', port }, from: null }, (error, connection) =>
      connection === null ? reject(error) : resolve(connection),
    )
  })
  const rawServer = await next
  close()
  return { rawServer, rawClient }
}

/** Writes down what is told, in order; takes whatever comes. */
export class Diary implements ConnectionEvents {
  readonly entries: string[] = []
  readonly pieces: Buffer[] = []
  takes = true
  onDrained: () => void = () => undefined

  get bytes(): Buffer {
    return Buffer.concat(this.pieces)
  }

  received(bytes: Buffer, byteCount: number): boolean {
    this.pieces.push(Buffer.from(bytes.subarray(0, byteCount)))
    return this.takes
  }

  ended(): void {
    this.entries.push('ended')
  }

  drained(): void {
    this.onDrained()
  }

  closed(error: NodeJS.ErrnoException | null): void {
    this.entries.push(`closed ${error?.code ?? 'well'}`)
  }
}
