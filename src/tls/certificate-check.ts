// What is wrong with the certificates of a configuration, before anything runs.

import type { Config, ListenerConfig } from '../config/config.ts'
import { AlgError } from '../errors.ts'
import {
  type Certificate,
  type CertificateFiles,
  readAuthorities,
  readCertificate,
  readCrls,
} from './certificate.ts'

export interface CertificateFindings {
  readonly mistakes: readonly string[]
  readonly warnings: readonly string[]
}

/** A certificate that ends sooner is warned about. */
export const SOON_MS = 14 * 24 * 60 * 60 * 1000

/** Reads every file that the listeners name; `nowMs` as of `Date.now()`. */
export function checkCertificates(
  { listeners }: Pick<Config, 'listeners'>,
  nowMs: number,
): CertificateFindings {
  const mistakes: string[] = []
  const warnings: string[] = []
  for (const listener of listeners) {
    for (const { path, read } of readsOf(listener)) {
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

/** Everything of a listener that stands in a file of its own. */
export function filesOf(listener: ListenerConfig): readonly string[] {
  return readsOf(listener).flatMap(({ files }) => files)
}

interface Read {
  readonly path: string
  readonly files: readonly string[]
  readonly read: () => Certificate | null
}

function readsOf({ name, tls, upstreamTls }: ListenerConfig): readonly Read[] {
  const path = (key: string) => `listeners[${name}].${key}`
  const one = (key: string, file: string | null | undefined, read: (file: string) => unknown): Read[] =>
    file === null || file === undefined
      ? []
      : [
          {
            path: path(key),
            files: [file],
            read: () => {
              read(file)
              return null
            },
          },
        ]
  const pair = (key: string, files: CertificateFiles): Read => ({
    path: path(key),
    files: [files.certificate, files.key],
    read: () => readCertificate(files),
  })
  const { certificate = null, key = null } = upstreamTls ?? {}
  return [
    ...(tls?.certificates ?? []).map((files, index) => pair(`tls.certificates[${index}]`, files)),
    ...one('tls.clientCa', tls?.clientCa, readAuthorities),
    ...one('tls.clientCrl', tls?.clientCrl, readCrls),
    ...one('upstreamTls.ca', upstreamTls?.ca, readAuthorities),
    ...(certificate === null || key === null ? [] : [pair('upstreamTls.certificate', { certificate, key })]),
  ]
}

function ending({ subject, expiresAt }: Certificate, leftMs: number): string {
  const when = expiresAt.toISOString()
  return leftMs < 0 ? `${subject} has expired (${when})` : `${subject} expires within 14 days (${when})`
}
