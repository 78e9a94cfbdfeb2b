// TLS of a check, as sessions with the pool have it. Imported only where a pool has TLS.

import { ServerTls } from '../../../tls/server-session.ts'
import type { UpstreamTls } from '../../../tls/tls-setup.ts'

export interface CheckTls {
  readonly server: Pick<ServerTls, 'secureControl'>
  readonly isImplicit: boolean
  /** A server without TLS will do. */
  readonly isOptional: boolean
  /** The check is over. */
  release(): void
}

export function openCheckTls(
  { context, config }: UpstreamTls,
  { host, handshakeMs }: { readonly host: string; readonly handshakeMs: number },
): CheckTls {
  context.hold()
  return {
    server: new ServerTls({ upstream: context, host, handshakeMs, truncation: config.truncation }),
    isImplicit: config.mode === 'implicit',
    isOptional: config.mode === 'optional',
    release: () => context.release(),
  }
}
