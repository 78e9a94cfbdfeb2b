// What is wrong with the certificates of a configuration, before anything runs.

import type { Config, ListenerConfig } from '../config/config.ts'
import { AlgError } from '../errors.ts'
import { type Certificate, readAuthorities, readCertificate, readCrls, subjectOf } from './certificate.ts'

export interface CertificateFindings {
  readonly mistakes: readonly string[]
  readonly warnings: readonly string[]
}

/** A certificate that ends sooner is warned about. */
const SOON_MS = 14 * 24 * 60 * 60 * 1000

/** Reads every file that the listeners name; `nowMs` as of `Date.now()`. */
export function checkCertificates(
  { listeners }: Pick<Config, 'listeners'>,
  nowMs: number,
): CertificateFindings {
  const mistakes: string[] = []
  const warnings: string[] = []
  for (const listener of listeners) {
    for (const { path, read } of filesOf(listener)) {
      try {
        const certificate = read()
        const leftMs = certificate === null ? SOON_MS : certificate.expiresAt.getTime() - nowMs
        if (certificate !== null && leftMs < SOON_MS) warnings.push(`${path}: ${ending(certificate, leftMs)}`)
      } catch (error) {
        if (!(error instanceof AlgError)) throw error
        mistakes.push(`${path}: ${error.message}`)
      }
    }
  }
  return { mistakes, warnings }
}

interface Read {
  readonly path: string
  readonly read: () => Certificate | null
}

function filesOf({ name, tls, upstreamTls }: ListenerConfig): readonly Read[] {
  const path = (key: string) => `listeners[${name}].${key}`
  const file = (key: string, from: string | null | undefined, read: (file: string) => unknown): Read[] =>
    from === null || from === undefined
      ? []
      : [
          {
            path: path(key),
            read: () => {
              read(from)
              return null
            },
          },
        ]
  const certificates = tls?.certificates ?? []
  const { certificate = null, key = null } = upstreamTls ?? {}
  return [
    ...certificates.map((pair, index) => ({
      path: path(`tls.certificates[${index}]`),
      read: () => readCertificate(pair),
    })),
    ...file('tls.clientCa', tls?.clientCa, readAuthorities),
    ...file('tls.clientCrl', tls?.clientCrl, readCrls),
    ...file('upstreamTls.ca', upstreamTls?.ca, readAuthorities),
    ...(certificate === null || key === null
      ? []
      : [{ path: path('upstreamTls.certificate'), read: () => readCertificate({ certificate, key }) }]),
  ]
}

function ending({ leaf, expiresAt }: Certificate, leftMs: number): string {
  const when = expiresAt.toISOString()
  return leftMs < 0
    ? `${subjectOf(leaf)} has expired (${when})`
    : `${subjectOf(leaf)} expires within 14 days (${when})`
}
