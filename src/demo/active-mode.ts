import { connect, createServer, type Socket } from 'node:net'
import type { FTPContext, FTPResponse } from 'basic-ftp'
import { canonicalAddress } from '../ftp/addresses.ts'
import { type Endpoint, formatHostPort } from '../ftp/endpoints.ts'
import { listen } from './listen.ts'

/** Makes a basic-ftp client active: `client.prepareTransfer = enterActiveMode`. */
export function enterActiveMode(ftp: FTPContext): Promise<FTPResponse> {
  return enter(ftp, (at) => `PORT ${formatHostPort(at)}`)
}

/** The same by EPRT, which IPv6 needs. */
export function enterExtendedActiveMode(ftp: FTPContext): Promise<FTPResponse> {
  return enter(ftp, ({ address, port }) => `EPRT |${address.includes(':') ? 2 : 1}|${address}|${port}|`)
}

/**
 * The library itself only knows passive transfers. It wants its data socket before the transfer command goes out, and the
 * server's connection comes after: so it gets one end of a pair of sockets, and whoever connects is joined to the other.
 */
async function enter(ftp: FTPContext, announce: (at: Endpoint) => string): Promise<FTPResponse> {
  const address = canonicalAddress(ftp.socket.localAddress ?? '')
  const pair = await socketPair(address)
  const server = createServer({ allowHalfOpen: true }, (incoming) => {
    server.close()
    incoming.pipe(pair.far).pipe(incoming)
    incoming.on('error', () => pair.far.destroy())
    pair.far.on('error', () => incoming.destroy())
  })
  const at = await listen(server, address)
  // No connection comes after a command that was refused.
  ftp.socket.once('close', () => server.close())
  ftp.dataSocket = pair.near
  return ftp.request(announce(at))
}

async function socketPair(address: string): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ allowHalfOpen: true })
  const { port } = await listen(server, address)
  const far = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const near = connect({ host: address, port })
  const pair = { near, far: await far }
  server.close()
  return pair
}
