// TLS of one session towards its server. Data connections resume the session of the control connection, as servers ask.

import type { TlsProblem } from '../kernel/openssl-failure.ts'
import { OpensslStream } from '../kernel/openssl-stream.ts'
import type { Connection } from '../tcp/connection.ts'
import type { Secured } from './client-session.ts'
import { TlsConnection } from './tls-connection.ts'
import { keyPinOf, type UpstreamContext } from './upstream-context.ts'

export interface ServerTlsOptions {
  readonly upstream: UpstreamContext
  /** As the configuration or the interception named the server. */
  readonly host: string
  readonly handshakeMs: number
  readonly truncation: 'refuse' | 'accept'
  /** The server sends TLS without data, too much of it. */
  readonly flooded?: () => void
}

export class ServerTls {
  readonly #options: ServerTlsOptions
  #control: TlsConnection | null = null
  /** The key that the server showed on the control connection. */
  #pin: string | null = null

  constructor(options: ServerTlsOptions) {
    this.#options = options
  }

  get control(): TlsConnection | null {
    return this.#control
  }

  secureControl(raw: Connection, secured: Secured): TlsConnection {
    const { upstream } = this.#options
    this.#control = this.#connect({
      raw,
      isData: false,
      secured,
      check: (stream) => {
        const problem = upstream.checkPins(stream)
        if (problem === null) this.#pin = keyPinOf(stream)
        return problem
      },
    })
    return this.#control
  }

  /** We are the TLS client whoever has called. A resumed connection has shown its key already. */
  secureData(raw: Connection, secured: Secured, truncated?: () => void): TlsConnection {
    return this.#connect({
      raw,
      isData: true,
      secured,
      truncated,
      check: (stream) => (stream.isResumed || keyPinOf(stream) === this.#pin ? null : ANOTHER_KEY),
    })
  }

  #connect(call: {
    readonly raw: Connection
    readonly isData: boolean
    readonly secured: Secured
    readonly truncated?: (() => void) | undefined
    readonly check: (stream: OpensslStream) => TlsProblem | null
  }): TlsConnection {
    const { raw, isData, secured, truncated, check } = call
    const { upstream, host, handshakeMs, truncation, flooded } = this.#options
    const session = isData ? (this.#control?.stream.session() ?? null) : null
    const stream = new OpensslStream(upstream.context, {
      fd: raw.fd ?? -1,
      ...upstream.expectations(host),
      session,
    })
    session?.free()
    return new TlsConnection({
      raw,
      stream,
      handshakeMs,
      isData,
      truncation: isData ? truncation : 'accept',
      check: () => check(stream),
      secured,
      flooded,
      ...(truncated === undefined ? {} : { truncated }),
    })
  }
}

const ANOTHER_KEY: TlsProblem = {
  reason: 'certificate',
  detail: 'the data connection shows another key than the control connection',
}
