import type { Server } from 'node:net'
import type { Endpoint } from '../ftp/endpoints.ts'

/** Listens on a free port of an address and says which. */
export function listen(server: Server, address: string): Promise<Endpoint> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: address, port: 0 }, () => {
      const bound = server.address()
      if (typeof bound === 'object' && bound !== null) resolve({ address, port: bound.port })
      else reject(new Error('not a TCP server'))
    })
  })
}
