// Whether the system lets connections of ours leave from a certain port: below 1024 that is a privilege.

import { Socket } from 'node:net'
import type { Endpoint } from '../ftp/endpoints.ts'

/** Why connections cannot leave from a port of ours, or null when they can: the system says so before a packet leaves. */
export function whyNotFromPort({ address, port }: Endpoint): Promise<NodeJS.ErrnoException | null> {
  const socket = new Socket()
  const answer = new Promise<NodeJS.ErrnoException | null>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(denials.has(error.code) ? error : null))
    setImmediate(() => resolve(null))
  })
  socket.connect({ host: address, port: DISCARD_PORT, localAddress: address, localPort: port })
  return answer.finally(() => socket.destroy())
}

/** We may not bind it, or another socket listens on it. Anything else is about the connection and not about the port. */
const denials: ReadonlySet<string | undefined> = new Set(['EACCES', 'EADDRINUSE'])
/** Of ourselves, most likely without a listener. */
const DISCARD_PORT = 9

/** The port is what matters where we listen on every address. */
export function addressToTry(address: string): string {
  return address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address
}
