// TLS on top of a connection that has spoken plaintext before, as AUTH TLS does it. The two ends share a key instead
// of a certificate, so nothing has to be generated or installed.

import { connect, type TLSSocket, TLSSocket as Upgraded } from 'node:tls'
import { within } from './patience.ts'
import { Wire } from './wire.ts'

const psk = Buffer.from('a key that everybody here knows')
const common = { ciphers: 'PSK', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const

/** The server's end: waits for the client's hello. */
export async function acceptTls({ socket }: Wire): Promise<Wire> {
  socket.removeAllListeners('data')
  // The type of the constructor's options leaves `pskCallback` out; the constructor itself does not.
  const options: object = { ...common, isServer: true, pskCallback: () => psk }
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

function handshake(secure: TLSSocket, what: string, event: 'secure' | 'secureConnect'): Promise<void> {
  secure.pause()
  const done = new Promise<void>((resolve, reject) => {
    secure.once(event, resolve)
    secure.once('error', reject)
    secure.once('close', () => reject(new Error('closed')))
  })
  return within(done, { what })
}
