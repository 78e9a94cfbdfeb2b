// Files of PEM, read and checked before OpenSSL sees them, so that a mistake gets an error that helps.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { AlgError } from '../errors.ts'
import type { Identity } from '../kernel/openssl-context.ts'

/** A certificate, its chain and its key, which fit each other. */
export interface Certificate {
  /** Where it was read. */
  readonly file: string
  readonly identity: Identity
  readonly leaf: X509Certificate
  /** The first to end of the leaf and the chain that is shown with it. */
  readonly expiresAt: Date
  /** Of that one: `CN=ftp.example.net`. */
  readonly subject: string
}

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

/**
 * Reads a pair.
 *
 * The chain may stand in any order: the leaf is the certificate that the key fits.
 *
 * Errors: `AlgError` CONFIG_INVALID with the file's name, for one that cannot be read or holds no PEM, an encrypted key,
 * and a key that fits none of the certificates.
 */
export function readCertificate(files: CertificateFiles): Certificate {
  const certificates = readCertificates(files.certificate)
  const key = readKey(files.key)
  const leaf = certificates.find((each) => each.checkPrivateKey(key))
  if (leaf === undefined) {
    throw invalid(files.key, `does not fit ${subjectOf(certificates[0])} of ${files.certificate}`)
  }
  const chain = inOrder(leaf, certificates)
  const first = firstToEnd(chain)
  return {
    file: files.certificate,
    identity: {
      certificates: chain.map(({ raw }) => raw),
      key: key.export({ type: 'pkcs8', format: 'der' }),
    },
    leaf,
    expiresAt: new Date(first.validTo),
    subject: subjectOf(first),
  }
}

/** Every certificate of a file, in DER. Errors as above. */
export function readAuthorities(file: string): readonly Uint8Array[] {
  return readCertificates(file).map(({ raw }) => raw)
}

/** Every revocation list of a file, in DER. Errors as above. */
export function readCrls(file: string): readonly Uint8Array[] {
  const lists = pemBlocks(readText(file), 'X509 CRL')
  if (lists.length === 0) throw invalid(file, 'has no revocation list in PEM (BEGIN X509 CRL)')
  return lists
}

/** The insides of PEM blocks of one kind, decoded. */
export function pemBlocks(text: string, label: string): readonly Uint8Array[] {
  const pattern = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`, 'g')
  return [...text.matchAll(pattern)].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
}

/** `CN=ftp.example.net`, on one line. */
export function subjectOf(certificate: X509Certificate | undefined): string {
  const subject = certificate?.subject.replaceAll('\n', ', ') ?? ''
  return subject === '' ? 'the certificate' : subject
}

function readCertificates(file: string): readonly X509Certificate[] {
  const blocks = pemBlocks(readText(file), '(?:TRUSTED |X509 )?CERTIFICATE')
  if (blocks.length === 0) throw invalid(file, 'has no certificate in PEM (BEGIN CERTIFICATE)')
  try {
    return blocks.map((der) => new X509Certificate(der))
  } catch (cause) {
    throw invalid(file, 'has a certificate that cannot be read', cause)
  }
}

function readKey(file: string): KeyObject {
  const text = readText(file)
  if (/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(text)) {
    throw invalid(
      file,
      `is encrypted, and a service cannot ask for its passphrase: write it out once with openssl pkey -in ${file} -out PLAIN.key, readable by the service alone`,
    )
  }
  try {
    return createPrivateKey(text)
  } catch (cause) {
    throw invalid(file, 'has no private key in PEM (BEGIN PRIVATE KEY)', cause)
  }
}

/** The leaf, its issuer, the issuer's issuer; certificates that lead nowhere are left out. */
function inOrder(
  leaf: X509Certificate,
  all: readonly X509Certificate[],
): [X509Certificate, ...X509Certificate[]] {
  const chain: [X509Certificate, ...X509Certificate[]] = [leaf]
  for (let last = leaf; ; ) {
    const issuer = all.find((each) => !chain.includes(each) && last.checkIssued(each))
    if (issuer === undefined) return chain
    chain.push(issuer)
    last = issuer
  }
}

function firstToEnd(chain: readonly [X509Certificate, ...X509Certificate[]]): X509Certificate {
  const endOf = ({ validTo }: X509Certificate) => Date.parse(validTo)
  return chain.reduce((first, each) => (endOf(each) < endOf(first) ? each : first))
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    throw invalid(file, `cannot be read (${code})`, cause)
  }
}

function invalid(file: string, problem: string, cause?: unknown): AlgError {
  return new AlgError('CONFIG_INVALID', `${file} ${problem}`, { context: { file }, cause })
}
