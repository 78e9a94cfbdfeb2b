// Certificates for tests, made here: no program is needed, and every mistake can be had.

import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ipaddr from 'ipaddr.js'

export interface Issued {
  readonly certificate: string
  /** PKCS #8 in PEM. */
  readonly key: string
  readonly privateKey: KeyObject
  readonly name: string
}

export interface Wanted {
  readonly name: string
  /** Names and addresses that it is good for; `name` alone when absent. */
  readonly names?: readonly string[]
  readonly addresses?: readonly string[]
  readonly keyType?: 'ec' | 'rsa'
  readonly isAuthority?: boolean
  /** Itself when absent. */
  readonly issuer?: Issued
  readonly validDays?: { readonly from: number; readonly to: number }
}

export interface CertificateFiles {
  /** Of these only the certificates: `{ ca }` is `ca.crt`. */
  readonly authorities: Readonly<Record<string, Issued>>
  /** With their keys: `{ edge }` is `edge.crt` and `edge.key`. */
  readonly pairs: Readonly<Record<string, Issued>>
}

export async function writeCertificates(
  folder: string,
  { authorities, pairs }: CertificateFiles,
): Promise<void> {
  for (const [name, { certificate }] of Object.entries({ ...authorities, ...pairs })) {
    await writeFile(join(folder, `${name}.crt`), certificate)
  }
  for (const [name, { key }] of Object.entries(pairs)) {
    await writeFile(join(folder, `${name}.key`), key, { mode: 0o600 })
  }
}

/** `ca.crt`, and what it has signed for loopback: `edge`, and `server` with a key of RSA. */
export async function writeLoopbackCertificates(folder: string): Promise<void> {
  const ca = issueCertificate({ name: 'Test CA', isAuthority: true })
  const wanted = { names: ['localhost'], addresses: ['127.0.0.1'], issuer: ca }
  const edge = issueCertificate({ ...wanted, name: 'edge' })
  const server = issueCertificate({ ...wanted, name: 'server', keyType: 'rsa' })
  await writeCertificates(folder, { authorities: { ca }, pairs: { edge, server } })
}

export function issueCertificate(wanted: Wanted): Issued {
  const { name, keyType = 'ec', issuer, validDays = { from: -1, to: 365 } } = wanted
  const { publicKey, privateKey } =
    keyType === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const signer = issuer?.privateKey ?? privateKey
  const algorithm = signatureAlgorithm(signer)
  const body = sequence(
    tagged(0xa0, integer(2)),
    tlv(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    distinguishedName(issuer?.name ?? name),
    sequence(utcTime(validDays.from), utcTime(validDays.to)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensionsOf(wanted))),
  )
  return {
    certificate: pem('CERTIFICATE', signed(body, algorithm, signer)),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    privateKey,
    name,
  }
}

/** A revocation list that names no certificate, or those with these DER serial numbers. */
export function issueCrl(issuer: Issued, serials: readonly Buffer[] = []): string {
  const algorithm = signatureAlgorithm(issuer.privateKey)
  const entries = serials.map((serial) => sequence(tlv(0x02, serial), utcTime(-1)))
  const body = sequence(
    integer(1),
    algorithm,
    distinguishedName(issuer.name),
    utcTime(-1),
    utcTime(30),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
  )
  return pem('X509 CRL', signed(body, algorithm, issuer.privateKey))
}

function extensionsOf({ name, names = [name], addresses = [], isAuthority = false }: Wanted): Buffer[] {
  const alternatives = [
    ...names.map((each) => tlv(0x82, Buffer.from(each, 'latin1'))),
    ...addresses.map((each) => tlv(0x87, Buffer.from(ipaddr.parse(each).toByteArray()))),
  ]
  const extensions = [extension('551d11', sequence(...alternatives))]
  if (isAuthority) extensions.push(extension('551d13', sequence(tlv(0x01, Buffer.of(0xff)))))
  return extensions
}

function extension(oid: string, value: Buffer): Buffer {
  return sequence(tlv(0x06, Buffer.from(oid, 'hex')), tlv(0x04, value))
}

function signed(body: Buffer, algorithm: Buffer, key: KeyObject): Buffer {
  const signature = createSign('sha256').update(body).sign(key)
  return sequence(body, algorithm, tlv(0x03, Buffer.concat([Buffer.of(0), signature])))
}

/** ecdsa-with-SHA256, or sha256WithRSAEncryption. */
function signatureAlgorithm(key: KeyObject): Buffer {
  return key.asymmetricKeyType === 'ec'
    ? sequence(tlv(0x06, Buffer.from('2a8648ce3d040302', 'hex')))
    : sequence(tlv(0x06, Buffer.from('2a864886f70d01010b', 'hex')), tlv(0x05, Buffer.alloc(0)))
}

function distinguishedName(name: string): Buffer {
  const commonName = sequence(tlv(0x06, Buffer.from('550403', 'hex')), tlv(0x0c, Buffer.from(name)))
  return sequence(tlv(0x31, commonName))
}

function utcTime(daysFromNow: number): Buffer {
  const at = new Date(Date.now() + daysFromNow * 86_400_000)
  const text = at.toISOString().replace(/[-:T]/g, '').slice(2, 14)
  return tlv(0x17, Buffer.from(`${text}Z`))
}

function integer(value: number): Buffer {
  return tlv(0x02, Buffer.of(value))
}

function sequence(...parts: Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts))
}

function tagged(tag: number, content: Buffer): Buffer {
  return tlv(tag, content)
}

function tlv(tag: number, content: Buffer): Buffer {
  const { length } = content
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from(head), content])
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
