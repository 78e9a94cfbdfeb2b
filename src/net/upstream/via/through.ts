// To a server behind a proxy: its control connection, and data connections to it.

import type { ViaConfig } from '../../../config/config.ts'
import { AlgError } from '../../../errors.ts'
import { parseAddress } from '../../../ftp/addresses.ts'
import type { Connected, Connecting } from '../../../tcp/connection.ts'
import {
  connectDirectly,
  isSelf,
  type Through,
  type UpstreamAttempt,
  type UpstreamCall,
  type UpstreamDone,
  type UpstreamsOptions,
  unreachable,
  upstreamFailureOf,
} from '../attempt.ts'
import { tunnel } from './tunnel.ts'

/** What the proxy resolves has no address for us: its server is known by the proxy's. Errors: see `Upstreams.connect`. */
export function connectThrough(
  options: UpstreamsOptions,
  { target, via, connectMs: timeoutMs = options.connectMs }: UpstreamCall & { readonly via: ViaConfig },
  done: UpstreamDone,
): UpstreamAttempt {
  const { isOwnListener } = options
  const { host, port } = target
  const address = parseAddress(host)
  if (address !== null && isOwnListener({ address, port })) {
    done(isSelf({ address, port }), null)
    return { cancel: () => undefined }
  }
  let tunnelling: UpstreamAttempt | null = null
  const attempt = connectDirectly(
    options,
    { target: via, as: null, connectMs: timeoutMs },
    (error, reached) => {
      if (reached === null) {
        done(error instanceof AlgError ? proxyUnreachable(via, error) : error, null)
        return
      }
      const server =
        address === null ? { address: reached.server.address, port, name: host } : { address, port }
      const call = { raw: reached.connection, via, to: target, timeoutMs }
      tunnelling = tunnel(call, (connection, failure) => {
        if (connection !== null) done(null, { connection, server, through: { via, host } })
        else done(unreachable(failure.reason, failure.detail, null), null)
      })
    },
  )
  return {
    cancel() {
      attempt.cancel()
      tunnelling?.cancel()
    },
  }
}

/** Begins a data connection to a port of the server. */
export function connectDataThrough(
  options: UpstreamsOptions,
  { through, port }: { readonly through: Through; readonly port: number },
  done: Connected,
): Connecting {
  const call = { target: { host: through.host, port }, as: null, via: through.via }
  return connectThrough(options, call, (error, reached) => {
    if (reached !== null) done(null, reached.connection)
    else done(Object.assign(new Error(error?.message ?? 'no connection'), { code: codeOf(error) }), null)
  })
}

function proxyUnreachable({ host, port }: ViaConfig, error: AlgError): AlgError {
  const message = `proxy ${host} port ${port}: ${error.message}`
  return unreachable('proxy_unreachable', message, error)
}

/** What the system would have said, had we connected ourselves. */
function codeOf(error: unknown): string {
  const reason = upstreamFailureOf(error)
  if (reason === 'refused') return 'ECONNREFUSED'
  return reason === 'timeout' ? 'ETIMEDOUT' : 'EHOSTUNREACH'
}
