// Why a transfer cannot have its data connection, or lost it, and the reply to the client.

import type { LegFailure, RefusalReason, Side } from './contract.ts'

/** `data_reset`: the data connection was there and its peer has reset it. */
export type DataFailure =
  | 'data_failed'
  | 'data_reset'
  | 'data_truncated'
  | 'tls_failed'
  | 'not_resumed'
  | 'pinhole_expired'

export function failureOf(side: Side, reason: LegFailure): DataFailure {
  switch (reason) {
    case 'reset':
      return 'data_reset'
    case 'truncated':
      return 'data_truncated'
    case 'not_resumed':
      return 'not_resumed'
    case 'tls':
      return side === 'client' ? 'tls_failed' : 'data_failed'
    default:
      return 'data_failed'
  }
}

/** `hasStarted`: the transfer had begun, so that the client counts on its data. */
export function textOf(failure: DataFailure, { hasStarted = false } = {}): string {
  switch (failure) {
    case 'data_reset':
      return hasStarted ? '426 The data connection was reset.' : CANNOT_OPEN
    case 'data_truncated':
      return '426 The data connection ended without close_notify.'
    case 'tls_failed':
      return '522 TLS on the data connection failed.'
    case 'not_resumed':
      // RFC 4217 §10: it is reasonable to insist, and 522 is the reply.
      return '522 The data connection must resume the TLS session of the control connection.'
    default:
      return CANNOT_OPEN
  }
}

export function refusalOf(failure: DataFailure): RefusalReason {
  return failure === 'pinhole_expired' ? failure : 'data_failed'
}

const CANNOT_OPEN = '425 Cannot open the data connection.'
