// What went wrong in TLS, as the error that a connection ends with.

import type { TlsProblem } from '../kernel/openssl-failure.ts'
import { TRUNCATED } from '../kernel/openssl-stream.ts'
import type { ConnectionError } from '../tcp/connection.ts'
import { FLOOD } from './record-reader.ts'

/** The `code` of the error that ends a connection whose peer sent FIN without close_notify. */
export const TRUNCATED_CODE = 'TLS_TRUNCATED'

export const brokenOff: TlsProblem = {
  reason: 'closed',
  detail: 'the peer closed the connection in the handshake',
}

export const TIMED_OUT: TlsProblem = { reason: 'timeout', detail: 'no TLS handshake' }

function truncated(): ConnectionError {
  return Object.assign(new Error('the TLS connection ended without close_notify'), { code: TRUNCATED_CODE })
}

/** What a connection ends with whose read came to that; `problem` is the stream's. */
export function errorOfRead(result: number, problem: TlsProblem | null): ConnectionError {
  if (result === TRUNCATED) return truncated()
  return errorOf(result === FLOOD ? FLOODED : (problem ?? brokenOff))
}

/** More of TLS than anybody needs. */
const FLOODED: TlsProblem = {
  reason: 'other',
  detail: 'the peer sends one record without data after the other (KeyUpdate)',
}

/** Something else came after CCC than a close_notify or text. */
export function notCleared(problem: string): ConnectionError {
  return Object.assign(new Error(problem), { code: 'TLS_NOT_CLEARED' })
}

/** The code of `host_name` is `TLS_HOST_NAME`. */
export function errorOf({ reason, detail }: TlsProblem): ConnectionError {
  return Object.assign(new Error(`TLS failed: ${detail}`), { code: `TLS_${reason.toUpperCase()}` })
}
