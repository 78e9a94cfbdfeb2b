// What OpenSSL says went wrong, as one of a few words.

import type { TlsFailure } from '../vocabulary.ts'
import { constants, type Openssl, type Pointer } from './openssl.ts'

export interface TlsProblem {
  readonly reason: TlsFailure
  /** OpenSSL's own words, or those of the certificate check. */
  readonly detail: string
}

/** Of the error that stands first in the queue, which is emptied: it is the thread's, shared with Node's own TLS. */
export function takeProblem(openssl: Openssl, ssl: Pointer, role: 'server' | 'client'): TlsProblem {
  const code = Number(openssl.nextError())
  const detail = code === 0 ? 'the connection broke' : (openssl.reasonText(code) ?? `error ${code}`)
  openssl.clearErrors()
  const reason = code % 0x800000
  if (code === 0) return { reason: 'closed', detail }
  if (reason === constants.SSL_R_CERTIFICATE_VERIFY_FAILED) return unverified(openssl, ssl, role)
  if (reason > FIRST_ALERT && reason < FIRST_ALERT + 256) {
    return { reason: alerts.get(reason - FIRST_ALERT) ?? 'alert', detail }
  }
  return { reason: reasons.get(reason) ?? 'other', detail }
}

function unverified(openssl: Openssl, ssl: Pointer, role: 'server' | 'client'): TlsProblem {
  const result = Number(openssl.verifyResult(ssl))
  const detail = openssl.verifyText(result)
  if (role === 'server') return { reason: 'client_certificate', detail }
  const isName =
    result === constants.X509_V_ERR_HOSTNAME_MISMATCH || result === constants.X509_V_ERR_IP_ADDRESS_MISMATCH
  return { reason: isName ? 'host_name' : 'certificate', detail }
}

/** An alert of the peer is this and its number. */
const FIRST_ALERT = 1000

const reasons: ReadonlyMap<number, TlsFailure> = new Map([
  [constants.SSL_R_WRONG_VERSION_NUMBER, 'not_tls'],
  [constants.SSL_R_HTTP_REQUEST, 'not_tls'],
  [constants.SSL_R_PACKET_LENGTH_TOO_LONG, 'not_tls'],
  [constants.SSL_R_BAD_RECORD_TYPE, 'not_tls'],
  [constants.SSL_R_UNSUPPORTED_PROTOCOL, 'version'],
  [constants.SSL_R_NO_SHARED_CIPHER, 'cipher'],
  [constants.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, 'client_certificate'],
  [constants.SSL_R_NO_APPLICATION_PROTOCOL, 'alpn'],
  [constants.SSL_R_CALLBACK_FAILED, 'server_name'],
  [constants.SSL_R_UNEXPECTED_EOF_WHILE_READING, 'closed'],
])

/** @see RFC 8446 §6 */
const alerts: ReadonlyMap<number, TlsFailure> = new Map([
  [40, 'cipher'],
  [70, 'version'],
  [112, 'server_name'],
  [116, 'client_certificate'],
  [120, 'alpn'],
])
