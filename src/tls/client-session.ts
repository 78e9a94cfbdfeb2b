// TLS of one session towards its client. All of its connections are bound together: only a connection of this session can
// resume what its control connection began, so that no stranger can take a data connection.

import { randomBytes, X509Certificate } from 'node:crypto'
import type { ListenerTlsConfig } from '../config/config.ts'
import type { TlsProblem } from '../kernel/openssl-failure.ts'
import { OpensslStream } from '../kernel/openssl-stream.ts'
import type { Connection } from '../tcp/connection.ts'
import type { ClientTlsFacts } from '../tcp/proxy-protocol/tlv.ts'
import type { ServerContexts } from './server-contexts.ts'
import { TlsConnection } from './tls-connection.ts'

export interface ClientTlsOptions {
  readonly contexts: ServerContexts
  readonly config: ListenerTlsConfig
  readonly handshakeMs: number
  /** The client sends TLS without data, too much of it. */
  readonly flooded?: () => void
}

export type Secured = (problem: TlsProblem | null) => void

export class ClientTls {
  readonly #options: ClientTlsOptions
  readonly #contexts: ServerContexts
  readonly #binding = randomBytes(BINDING_BYTES)
  #control: TlsConnection | null = null
  #facts: ClientTlsFacts | null = null
  #isCleared = false

  constructor(options: ClientTlsOptions) {
    this.#options = options
    this.#contexts = options.contexts.hold()
  }

  /** The control connection's, once there is one. */
  get control(): TlsConnection | null {
    return this.#control
  }

  /** Of the control connection, for the server; null while it is in clear. */
  get facts(): ClientTlsFacts | null {
    return this.#isCleared ? null : this.#facts
  }

  #factsOf(stream: OpensslStream): ClientTlsFacts {
    const { isFtpAgreed, serverName: authority, protocol: version, cipher, isResumed } = stream
    const certificate = stream.peerCertificate()
    const commonName = certificate === null ? null : commonNameOf(certificate)
    return { alpn: isFtpAgreed ? 'ftp' : null, authority, version, cipher, commonName, isResumed }
  }

  secureControl(raw: Connection, secured: Secured): TlsConnection {
    const control: TlsConnection = this.#accept({
      raw,
      isData: false,
      secured: (problem) => {
        if (problem === null) this.#facts = this.#factsOf(control.stream)
        secured(problem)
      },
    })
    this.#control = control
    return control
  }

  /** Where reuse is required a connection that does not resume the control connection's session is refused. */
  secureData(raw: Connection, secured: Secured, truncated?: () => void): TlsConnection {
    return this.#accept({ raw, isData: true, secured, truncated })
  }

  /**
   * A new ticket, before a data port is announced: clients may use each only once (RFC 8446 §C.4), and not all of them read
   * one that comes on a data connection.
   */
  freshTicket(): void {
    if (this.#options.config.dataReuse !== 'off') this.#control?.stream.issueTicket()
  }

  /** CCC: the control connection goes on in clear, its data connections as before. */
  clearControl(cleared: (raw: Connection) => void): void {
    this.#isCleared = true
    this.#control?.clear(cleared)
  }

  /** The session is over. */
  release(): void {
    this.#contexts.release()
  }

  #accept(call: {
    readonly raw: Connection
    readonly isData: boolean
    readonly secured: Secured
    readonly truncated?: (() => void) | undefined
  }): TlsConnection {
    const { raw, isData, secured, truncated } = call
    const { config, handshakeMs, flooded } = this.#options
    const { alpn, dataReuse, truncation } = config
    // A data connection begins with the context of the control connection: the tickets were sealed with its keys.
    const context = (isData ? this.#control?.stream.context : null) ?? this.#contexts.first
    const stream = new OpensslStream(context, {
      fd: raw.fd ?? -1,
      binding: this.#binding,
      contextFor: this.#contexts.contextFor,
      isAlpnStrict: alpn === 'strict',
      // An uploader that never reads would make its kernel answer a ticket with RST; but after CCC there is no other way.
      // On control two come with the handshake, and one before each data port: wget looks for those of the handshake alone.
      ...(isData ? { tickets: this.#isCleared ? 1 : 0 } : {}),
    })
    const mustResume = isData && dataReuse === 'required'
    return new TlsConnection({
      raw,
      stream,
      handshakeMs,
      isData,
      // A client that leaves says so with QUIT; a file is another matter.
      truncation: isData ? truncation : 'accept',
      check: () => (mustResume && !stream.isResumed ? NOT_RESUMED : null),
      secured,
      flooded,
      ...(truncated === undefined ? {} : { truncated }),
    })
  }
}

/** `CN=joe` of the subject gives `joe`; empty where it has none. */
function commonNameOf(der: Uint8Array): string {
  return /^CN=(.*)$/m.exec(new X509Certificate(der).subject)?.[1] ?? ''
}

const BINDING_BYTES = 16
const NOT_RESUMED: TlsProblem = {
  reason: 'not_resumed',
  detail: 'the data connection does not resume the session of its control connection',
}
