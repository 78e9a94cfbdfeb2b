import { createServer, Socket } from 'node:net'
import type { FTPContext, FTPResponse } from 'basic-ftp'
import { canonicalAddress } from '../ftp/addresses.ts'
import { formatHostPort } from '../ftp/endpoints.ts'

/**
 * Makes a basic-ftp client active: `client.prepareTransfer = enterActiveMode`. The library itself only knows passive
 * transfers.
 *
 * Listens on the client's own address, sends PORT, and puts the server's connection in place when it arrives; it must
 * arrive before the 150, which ftp-alg sees to.
 */
export async function enterActiveMode(ftp: FTPContext): Promise<FTPResponse> {
  const address = canonicalAddress(ftp.socket.localAddress ?? '')
  const server = createServer((socket) => {
    ftp.dataSocket = socket
    server.close()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port: 0 }, resolve)
  })
  const bound = server.address()
  if (typeof bound !== 'object' || bound === null) throw new Error('not a TCP server')
  // The library wants a data socket before it sends the transfer command; this one is replaced.
  ftp.dataSocket = new Socket()
  return ftp.request(`PORT ${formatHostPort({ address, port: bound.port })}`)
}
