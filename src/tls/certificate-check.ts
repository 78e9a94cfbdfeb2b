// What is wrong with the certificates of a configuration, before anything runs.

import type { Config, ListenerConfig, PoolConfig, UpstreamTlsConfig } from '../config/config.ts'
import { poolsOf } from '../config/pool-settings.ts'
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

/** Reads every file that listeners and pools name; `nowMs` as of `Date.now()`. */
export function checkCertificates(
  { listeners, upstreams }: Pick<Config, 'listeners' | 'upstreams'>,
  nowMs: number,
): CertificateFindings {
  const mistakes: string[] = []
  const warnings: string[] = []
  for (const { path, read } of [...listeners.flatMap(readsOf), ...upstreams.flatMap(poolReads)]) {
    try {
      const certificate = read()
      const leftMs = certificate === null ? SOON_MS : certificate.expiresAt.getTime() - nowMs
      if (certificate !== null && leftMs < SOON_MS) warnings.push(`${path}: ${ending(certificate, leftMs)}`)
    } catch (error) {
      if (!(error instanceof AlgError)) throw error
      mistakes.push(`${path}: ${error.message}`)
    }
  }
  return { mistakes, warnings }
}

/** Everything of a listener, and of the pools it leads to, that stands in a file of its own. */
export function filesOf(listener: ListenerConfig, pools: readonly PoolConfig[]): readonly string[] {
  const reads = [...readsOf(listener), ...poolsOf(listener, pools).flatMap(poolReads)]
  return reads.flatMap(({ files }) => files)
}

interface Read {
  readonly path: string
  readonly files: readonly string[]
  readonly read: () => Certificate | null
}

function readsOf({ name, tls, upstreamTls }: ListenerConfig): readonly Read[] {
  const place = `listeners[${name}]`
  return [
    ...(tls?.certificates ?? []).map((files, index) => pair(`${place}.tls.certificates[${index}]`, files)),
    ...one(`${place}.tls.clientCa`, tls?.clientCa, readAuthorities),
    ...one(`${place}.tls.clientCrl`, tls?.clientCrl, readCrls),
    ...upstreamReads(upstreamTls, place),
  ]
}

function poolReads({ name, upstreamTls }: PoolConfig): readonly Read[] {
  return upstreamReads(upstreamTls, `upstreams[${name}]`)
}

function upstreamReads(tls: UpstreamTlsConfig | null | undefined, place: string): readonly Read[] {
  if (tls == null) return []
  const { ca, certificate, key } = tls
  return [
    ...one(`${place}.upstreamTls.ca`, ca, readAuthorities),
    ...(certificate === null || key === null
      ? []
      : [pair(`${place}.upstreamTls.certificate`, { certificate, key })]),
  ]
}

function one(path: string, file: string | null | undefined, read: (file: string) => unknown): Read[] {
  if (file === null || file === undefined) return []
  const look = () => {
    read(file)
    return null
  }
  return [{ path, files: [file], read: look }]
}

function pair(path: string, files: CertificateFiles): Read {
  return { path, files: [files.certificate, files.key], read: () => readCertificate(files) }
}

function ending({ subject, expiresAt }: Certificate, leftMs: number): string {
  const when = expiresAt.toISOString()
  return leftMs < 0 ? `${subject} has expired (${when})` : `${subject} expires within 14 days (${when})`
}
