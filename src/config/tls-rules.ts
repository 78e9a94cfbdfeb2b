// What the keys about TLS say about each other.

import { complaint, type RuleBreach } from './complaint.ts'
import type { ListenerTlsConfig, UpstreamTlsConfig } from './config.ts'
import type { ListenerSection } from './listener-schema.ts'

type Path = RuleBreach['path']

export function tlsBreaches({ tls, passthrough, upstreamTls }: ListenerSection, path: Path): RuleBreach[] {
  return [
    ...(tls === undefined ? [] : clientBreaches(tls, [...path, 'tls'])),
    ...(upstreamTls === undefined ? [] : upstreamTlsBreaches(upstreamTls, [...path, 'upstreamTls'])),
    ...(tls === undefined && passthrough === undefined && upstreamTls?.mode === 'as-client'
      ? [nobodyToFollow(path)]
      : []),
  ]
}

export function tlsWarnings({ tls, upstreamTls, intercept }: ListenerSection, path: Path): RuleBreach[] {
  const warnings = upstreamTls === undefined ? [] : upstreamTlsWarnings(upstreamTls, [...path, 'upstreamTls'])
  if (intercept === 'none' || tls === undefined) return warnings
  const text = `answers with our certificate for servers that clients meant (intercept is ${intercept}): they must be told to trust it`
  return [...warnings, { path: [...path, 'tls', 'mode'], text }]
}

export function upstreamTlsWarnings({ verify, mode }: UpstreamTlsConfig, path: Path): RuleBreach[] {
  const warnings: RuleBreach[] = []
  if (verify === 'none') {
    const text = 'lets anybody be the server, and read passwords and files (given none)'
    warnings.push({ path: [...path, 'verify'], text })
  }
  if (mode === 'optional') {
    const text =
      'goes on in clear with a server that refuses TLS, or seems to (given optional); required does not'
    warnings.push({ path: [...path, 'mode'], text })
  }
  return warnings
}

function clientBreaches(tls: ListenerTlsConfig, path: Path): RuleBreach[] {
  const { mode, certificates, clientCertificates, clientCa } = tls
  const breaches: RuleBreach[] = []
  if (certificates.length === 0) {
    const allowed = 'a list such as [{ certificate: /etc/ftp-alg/edge.crt, key: /etc/ftp-alg/edge.key }]'
    const text = complaint(`is needed when tls.mode is ${mode}`, { given: certificates, allowed })
    breaches.push({ path: [...path, 'certificates'], text })
  }
  if (clientCertificates !== 'off' && clientCa === null) {
    const reason = `is needed when clientCertificates is ${clientCertificates}`
    const allowed = 'a file of authorities, or clientCertificates: off'
    breaches.push({ path: [...path, 'clientCa'], text: complaint(reason, { given: clientCa, allowed }) })
  }
  return breaches
}

export function upstreamTlsBreaches(tls: UpstreamTlsConfig, path: Path): RuleBreach[] {
  const { verify, pins, certificate, key } = tls
  const breaches: RuleBreach[] = []
  if (verify === 'pin' && pins.length === 0) {
    const text = complaint('is needed when verify is pin', { given: pins, allowed: 'at least one pin' })
    breaches.push({ path: [...path, 'pins'], text })
  }
  if ((certificate === null) !== (key === null)) {
    const reason = 'is missing: a certificate and its key go together'
    const text = complaint(reason, { given: undefined, allowed: 'a file, or neither' })
    breaches.push({ path: [...path, certificate === null ? 'certificate' : 'key'], text })
  }
  return breaches
}

function nobodyToFollow(path: Path): RuleBreach {
  const reason = 'has no client with TLS to follow, since tls.mode is off'
  const text = complaint(reason, { given: 'as-client', allowed: 'off, optional, required or implicit' })
  return { path: [...path, 'upstreamTls', 'mode'], text }
}
