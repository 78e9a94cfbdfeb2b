// Who is let in, and whom we believe.

import { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { readCertificate } from '../../../src/tls/certificate.ts'
import { keyPinOf } from '../../../src/tls/upstream-context.ts'
import { issueCertificate, issueCrl } from '../../support/certificates.ts'
import { listenOnLoopback, tcp } from '../../support/connections.ts'
import { within } from '../../support/peers/patience.ts'
import { authority, issue, listenerTls, PemFolder, Session, shake, upstreamTls } from './stand.ts'

const files = new PemFolder()
afterAll(() => files.close())

const ca = files.write('ca.crt', authority.certificate)
const edge = files.pair('edge', issue({ name: 'ftp.example.net', addresses: ['192.0.2.7'] }))
const front = listenerTls({ certificates: [edge] })

/** What becomes of a control connection; the server of the test is our own listener. */
async function outcome(
  back: Parameters<typeof upstreamTls>[0],
  over: Partial<typeof front> = {},
  host?: string,
) {
  const session = new Session({
    front: { ...front, ...over },
    back: upstreamTls(back),
    ...(host === undefined ? {} : { host }),
  })
  const { problems, client, server } = await shake(session, 'control')
  return {
    client: problems.client?.reason ?? 'secure',
    server: problems.server?.reason ?? 'secure',
    ends: { client, server },
  }
}

describe('a server', () => {
  it('is believed when an authority vouches for its name', async () => {
    expect(await outcome({ ca })).toMatchObject({ client: 'secure', server: 'secure' })
  })

  it('is believed by its address too', async () => {
    expect(await outcome({ ca }, {}, '192.0.2.7')).toMatchObject({ client: 'secure' })
  })

  it.each([
    ['whose authority is unknown', {}, undefined, 'certificate'],
    ['with another name', { ca }, 'ftp.example.org', 'host_name'],
    ['with another address', { ca }, '192.0.2.8', 'host_name'],
    ['with a key that is not pinned', { ca, pins: ['sha256/AAAA'] }, undefined, 'pin'],
  ] as const)('%s is not', async (_what, back, host, reason) => {
    expect((await outcome(back, {}, host)).client).toBe(reason)
  })

  it('whose certificate has expired is not', async () => {
    const expired = issue({ name: 'ftp.example.net', validDays: { from: -10, to: -1 } })
    const certificates = [files.pair('expired', expired)]
    expect((await outcome({ ca }, { certificates })).client).toBe('certificate')
  })

  it('is taken without its name, by its pin alone, or as it is, where that is asked for', async () => {
    const { ends } = await outcome({ ca })
    const pin = keyPinOf(ends.client.stream) ?? ''
    expect((await outcome({ ca, verify: 'chain' }, {}, 'other.example')).client).toBe('secure')
    expect((await outcome({ verify: 'pin', pins: [pin] })).client).toBe('secure')
    expect((await outcome({ verify: 'none' })).client).toBe('secure')
  })

  it('with another key on a data connection is not its own', async () => {
    const session = new Session({ front: { ...front, dataReuse: 'offered' }, back: upstreamTls({ ca }) })
    await shake(session, 'control')
    const other = files.pair('other', issue({ name: 'ftp.example.net' }))
    const impostor = new Session({
      front: listenerTls({ certificates: [other], dataReuse: 'offered' }),
      back: upstreamTls({ ca }),
    })
    await shake(impostor, 'control')
    const { problems } = await shake(impostor, 'data', session.back)
    expect(problems.client?.reason).toBe('certificate')
  })
})

describe('a client', () => {
  const client = issue({ name: 'partner' })
  const pair = files.pair('client', client)
  const mutual = { clientCertificates: 'required', clientCa: ca } as const

  it('that must show a certificate is let in with one', async () => {
    const { server, ends } = await outcome({ ca, ...pair }, mutual)
    expect(server).toBe('secure')
    const der = ends.server.stream.peerCertificate()
    expect(new X509Certificate(der ?? '').subject).toBe('CN=partner')
  })

  it('that shows none is not', async () => {
    expect((await outcome({ ca }, mutual)).server).toBe('client_certificate')
    expect((await outcome({ ca }, { ...mutual, clientCertificates: 'optional' })).server).toBe('secure')
  })

  it('of another authority is not', async () => {
    const stranger = files.pair('stranger', issueCertificate({ name: 'stranger' }))
    expect((await outcome({ ca, ...stranger }, mutual)).server).toBe('client_certificate')
  })

  it('whose certificate is revoked is not', async () => {
    const { serialNumber } = readCertificate(pair).leaf
    const revoked = files.write('revoked.crl', issueCrl(authority, [Buffer.from(serialNumber, 'hex')]))
    const fresh = files.write('fresh.crl', issueCrl(authority))
    expect((await outcome({ ca, ...pair }, { ...mutual, clientCrl: revoked })).server).toBe(
      'client_certificate',
    )
    expect((await outcome({ ca, ...pair }, { ...mutual, clientCrl: fresh })).server).toBe('secure')
  })
})

describe('a client that came for another protocol (S19)', () => {
  it.each([
    { listed: ['http/1.1'], reason: 'alpn' },
    { listed: ['http/1.1', 'ftp'], reason: 'secure' },
  ])('is known by the protocols that it lists, $listed: $reason', async ({ listed, reason }) => {
    const session = new Session({ front, back: upstreamTls({ ca }) })
    const { port, next, close } = await listenOnLoopback(tcp)
    const browser = connect({ host: '127.0.0.1', port, ALPNProtocols: listed, rejectUnauthorized: false })
    browser.on('error', () => undefined) // the alert
    const arrived = await next
    const problem = new Promise<{ reason: string } | null>((resolve) => {
      session.front.secureControl(arrived, resolve)
    })
    expect((await within(problem, { what: 'a handshake' }))?.reason ?? 'secure').toBe(reason)
    browser.destroy()
    close()
  })
})

describe('the name that a client asks for', () => {
  const b = files.pair('b', issue({ name: 'b.example.net' }))
  const certificates = [edge, b]

  it('chooses the certificate', async () => {
    expect((await outcome({ ca }, { certificates }, 'b.example.net')).client).toBe('secure')
    expect((await outcome({ ca }, { certificates }, 'ftp.example.net')).client).toBe('secure')
  })

  it('gets the first when no certificate has it, or is refused', async () => {
    const unknown = await outcome({ ca, verify: 'chain' }, { certificates }, 'c.example.net')
    expect(unknown).toMatchObject({ client: 'secure' })
    const refused = await outcome({ ca }, { certificates, unknownNames: 'refuse' }, 'c.example.net')
    expect(refused).toMatchObject({ server: 'server_name', client: 'server_name' })
  })

  it('goes with a resumed data connection', async () => {
    const session = new Session({
      front: { ...front, certificates },
      back: upstreamTls({ ca }),
      host: 'b.example.net',
    })
    const control = await shake(session, 'control')
    session.front.freshTicket()
    control.server.start({ received: () => true, ended() {}, drained() {}, closed() {} })
    control.client.start({ received: () => true, ended() {}, drained() {}, closed() {} })
    control.server.write('x')
    const { problems, server } = await shake(session, 'data')
    expect(problems.server).toBeNull()
    expect(server.stream.isResumed).toBe(true)
  })
})
