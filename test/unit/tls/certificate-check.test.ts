import { createPrivateKey } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import type { Config, ListenerConfig } from '../../../src/config/config.ts'
import { checkCertificates } from '../../../src/tls/certificate-check.ts'
import { issueCertificate } from '../../support/certificates.ts'
import { configOf } from '../config/sources.ts'
import { issue, listenerTls, PemFolder, upstreamTls } from './stand.ts'

const files = new PemFolder()
afterAll(() => files.close())

const [plain] = configOf('listeners: [{ upstream: ftp.example.net }]\n').listeners

function listeners(over: Partial<ListenerConfig>): Pick<Config, 'listeners' | 'upstreams'> {
  if (plain === undefined) throw new Error('a configuration without listeners')
  return { upstreams: [], listeners: [{ ...plain, name: 'edge', ...over }] }
}

describe('the certificates of a configuration', () => {
  it('are right when each file can be read and fits', () => {
    const certificates = [files.pair('good', issue({ name: 'a' }))]
    expect(checkCertificates(listeners({ tls: listenerTls({ certificates }) }), Date.now())).toEqual({
      mistakes: [],
      warnings: [],
    })
  })

  it('are named with what is wrong, all at once', () => {
    const { mistakes } = checkCertificates(
      listeners({
        tls: listenerTls({ certificates: [{ certificate: '/nowhere/a.crt', key: '/nowhere/a.key' }] }),
        upstreamTls: upstreamTls({ ca: '/nowhere/ca.crt' }),
      }),
      Date.now(),
    )
    expect(mistakes).toEqual([
      'listeners[edge].tls.certificates[0]: /nowhere/a.crt cannot be read (ENOENT)',
      'listeners[edge].upstreamTls.ca: /nowhere/ca.crt cannot be read (ENOENT)',
    ])
  })

  it('end with whichever of the chain ends first', () => {
    const root = issue({ name: 'Root', isAuthority: true })
    const middle = issueCertificate({
      name: 'Middle',
      isAuthority: true,
      issuer: root,
      validDays: { from: -10, to: -1 },
    })
    const leaf = issueCertificate({ name: 'leaf.example', issuer: middle })
    const certificates = [files.pair('chain', leaf, middle.certificate)]
    const { warnings } = checkCertificates(listeners({ tls: listenerTls({ certificates }) }), Date.now())
    expect(warnings).toEqual([
      expect.stringMatching(/^listeners\[edge\]\.tls\.certificates\[0\]: CN=Middle has expired/),
    ])
  })

  it('whose key is encrypted or does not fit are mistakes', () => {
    const issued = issue({ name: 'locked' })
    const key = createPrivateKey(issued.key)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
      .toString()
    const certificates = [
      files.pair('locked', { ...issued, key }),
      files.pair('unfit', { ...issued, key: issue({ name: 'other' }).key }),
    ]
    const { mistakes } = checkCertificates(listeners({ tls: listenerTls({ certificates }) }), Date.now())
    expect(mistakes).toEqual([
      expect.stringMatching(/tls\.certificates\[0\]: .*locked\.key is encrypted/),
      expect.stringMatching(/tls\.certificates\[1\]: .*unfit\.key does not fit CN=locked/),
    ])
  })

  it.each([
    [{ from: -10, to: -1 }, /edge\.example has expired/],
    [{ from: -10, to: 3 }, /edge\.example expires within 14 days/],
  ])('that end (%o) are warned about', (validDays, text) => {
    const certificates = [files.pair(`end${validDays.to}`, issue({ name: 'edge.example', validDays }))]
    const { warnings } = checkCertificates(listeners({ tls: listenerTls({ certificates }) }), Date.now())
    expect(warnings).toEqual([expect.stringMatching(text)])
  })
})
