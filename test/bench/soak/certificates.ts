import { renameSync, writeFileSync } from 'node:fs'
import { issueCertificate } from '../../support/certificates.ts'
import type { Contestant } from '../contestant.ts'

/** A new pair for all, as a Kubernetes Secret changes; every third time first a key that does not fit. */
export function renewCertificate([contestant]: readonly Contestant[], cycle: number): void {
  if (contestant === undefined) return
  const { identity } = contestant.place
  const pair = issueCertificate({ name: 'bench' })
  const key = cycle % 3 === 0 ? issueCertificate({ name: 'other' }).key : pair.key
  replace(identity.certificate, pair.certificate)
  replace(identity.key, key)
}

function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
