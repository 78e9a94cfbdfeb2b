// What is said of a listener's certificates.

import type { CertificateUse } from '../vocabulary.ts'
import { errorFields, type Log } from './log.ts'
import type { Metrics } from './metrics.ts'

export interface CertificatesRead {
  readonly listener: string
  readonly certificates: readonly CertificateUse[]
  /** Null, or why the old ones stay. */
  readonly failure: unknown | null
}

export function recordCertificates(
  { listener, certificates, failure }: CertificatesRead,
  { log, metrics }: { readonly log: Pick<Log, 'write'>; readonly metrics: Pick<Metrics, 'listener'> },
): void {
  const cells = metrics.listener(listener).tls().certificates
  cells.isGood.value = failure === null ? 1 : 0
  cells.problem = failure === null ? null : messageOf(failure)
  if (failure !== null) cells.refused.value += 1
  else if (cells.isAgain) cells.accepted.value += 1
  cells.isAgain = true
  if (failure !== null) {
    log.write('certificate.fail', { listener, ...errorFields(failure) })
  }
  for (const certificate of certificates) log.write('certificate.load', certificateFields(certificate))
}

export function certificateFields({ listener, side, file, subject, expiresMs }: CertificateUse) {
  return { listener, side, certificate_file: file, subject, expires_at: new Date(expiresMs).toISOString() }
}

function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure)
}
