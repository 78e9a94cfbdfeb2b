import type { LegFailure, Side } from '../../engine/contract.ts'
import type { Connection } from '../../tcp/connection.ts'
import type { TlsFailure } from '../../vocabulary.ts'

/** Begins TLS on a leg. `secured` follows, with null when it is done; after that `truncated` may. */
export type SecureLeg = (
  leg: { readonly side: Side; readonly raw: Connection },
  secured: (reason: LegFailure | 'closed' | null) => void,
  truncated: () => void,
) => Connection

export function legFailureOf(reason: TlsFailure): LegFailure | 'closed' {
  if (reason === 'closed' || reason === 'not_resumed' || reason === 'timeout') return reason
  return 'tls'
}
