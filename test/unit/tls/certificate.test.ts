import { createPrivateKey } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { readAuthorities, readCertificate, readCrls } from '../../../src/tls/certificate.ts'
import { issueCertificate, issueCrl } from '../../support/certificates.ts'
import { authority, issue, PemFolder } from './stand.ts'

const files = new PemFolder()
afterAll(() => files.close())

describe('reading a certificate', () => {
  it.each(['ec', 'rsa'] as const)('takes a pair with an %s key, and says when it ends', (keyType) => {
    const pair = files.pair(keyType, issue({ name: 'a.example.net', keyType }))
    const { leaf, expiresAt, identity } = readCertificate(pair)
    expect(leaf.subject).toBe('CN=a.example.net')
    expect(expiresAt.getTime()).toBeGreaterThan(Date.now())
    expect(identity.certificates).toHaveLength(1)
  })

  it('puts a chain in order, whatever the order in the file', () => {
    const root = issueCertificate({ name: 'Root', isAuthority: true })
    const middle = issueCertificate({ name: 'Middle', isAuthority: true, issuer: root })
    const leaf = issueCertificate({ name: 'leaf.example.net', issuer: middle })
    const certificate = files.write('chain.crt', root.certificate + leaf.certificate + middle.certificate)
    const { identity, leaf: found } = readCertificate({
      certificate,
      key: files.write('chain.key', leaf.key),
    })
    expect(found.subject).toBe('CN=leaf.example.net')
    expect(identity.certificates).toHaveLength(3)
    expect(Buffer.from(identity.certificates[1] ?? []).toString('latin1')).toContain('Middle')
  })

  it('names the file that is missing', () => {
    expect(() => readCertificate({ certificate: '/nowhere/a.crt', key: '/nowhere/a.key' })).toThrow(
      '/nowhere/a.crt cannot be read (ENOENT)',
    )
  })

  it('names a file without a certificate', () => {
    const { key } = files.pair('swapped', issue({ name: 'a' }))
    expect(() => readCertificate({ certificate: key, key })).toThrow(`${key} has no certificate in PEM`)
  })

  it('refuses a key of another certificate', () => {
    const { certificate } = files.pair('one', issue({ name: 'one' }))
    const { key } = files.pair('two', issue({ name: 'two' }))
    expect(() => readCertificate({ certificate, key })).toThrow(
      `${key} does not fit CN=one of ${certificate}`,
    )
  })

  it('refuses an encrypted key and says what to do', () => {
    const issued = issue({ name: 'secret' })
    const { certificate } = files.pair('secret', issued)
    const encrypted = createPrivateKey(issued.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    })
    const key = files.write('encrypted.key', encrypted.toString())
    expect(() => readCertificate({ certificate, key })).toThrow(/is encrypted, .* openssl pkey -in /)
  })

  it('reads authorities and revocation lists', () => {
    const ca = files.write('cas.crt', authority.certificate + issueCertificate({ name: 'B' }).certificate)
    expect(readAuthorities(ca)).toHaveLength(2)
    expect(readCrls(files.write('ca.crl', issueCrl(authority)))).toHaveLength(1)
    expect(() => readCrls(ca)).toThrow('has no revocation list in PEM')
  })
})
