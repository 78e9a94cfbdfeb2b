// TLS on top of a connection that has spoken plaintext before, as AUTH TLS does it. Where nobody stands between them the two
// ends share a key instead of a certificate, so nothing has to be generated or installed.

import { type ConnectionOptions, connect, type TLSSocket, TLSSocket as Upgraded } from 'node:tls'
import { within } from './patience.ts'
import { Wire } from './wire.ts'

/** In PEM. */
export interface CertificatePair {
  readonly certificate: string
  readonly key: string
}

const psk = Buffer.from('a key that everybody here knows')
const common = { ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const

/** The server's end: waits for the client's hello. */
export async function acceptTls({ socket }: Wire, pair?: CertificatePair): Promise<Wire> {
  socket.removeAllListeners('data')
  const own = pair === undefined ? {} : { cert: pair.certificate, key: pair.key }
  // The type of the constructor's options leaves `pskCallback` out; the constructor itself does not.
  const shared = pair === undefined ? { ...common, pskCallback: () => psk } : {}
  const options: object = { ...shared, ...own, isServer: true }
  const secure = new Upgraded(socket, options)
  await handshake(secure, 'the handshake at the server', 'secure')
  return new Wire(secure)
}

/** The client's end: says hello. */
export async function startTls({ socket }: Wire): Promise<Wire> {
  socket.removeAllListeners('data')
  const secure = connect({
    ...common,
    socket,
    pskCallback: () => ({ psk, identity: 'joe' }),
    checkServerIdentity: () => undefined,
  })
  await handshake(secure, 'the handshake at the client', 'secureConnect')
  return new Wire(secure)
}

/** The client's end, which takes whatever certificate it is shown; `by` is whose that was. */
export async function startTlsWithAnybody({ socket }: Wire, options: ConnectionOptions = {}) {
  socket.removeAllListeners('data')
  const secure = connect({ socket, rejectUnauthorized: false, ...options })
  await handshake(secure, 'the handshake at the client', 'secureConnect')
  return { wire: new Wire(secure), by: String(secure.getPeerCertificate().subject.CN) }
}

function handshake(secure: TLSSocket, what: string, event: 'secure' | 'secureConnect'): Promise<void> {
  secure.pause()
  const done = new Promise<void>((resolve, reject) => {
    secure.once(event, resolve)
    secure.once('error', reject)
    secure.once('close', () => reject(new Error('closed')))
  })
  return within(done, { what })
}
