import { createServer, type Server } from 'node:net'

/** Ports that no other test of this machine uses while the block is held. */
export interface PortBlock {
  readonly first: number
  readonly last: number
  release(): void
}

/** Below the ports that the kernel gives to connections (from 32768), away from well-known test ports. */
const FIRST = 12_000
const BLOCK = 100
const BLOCKS = 115

/**
 * Claims a block of 98 ports by listening on its last one: whoever is second fails and tries the next. The claim ends
 * with the process, whatever happens to it.
 */
export async function claimPorts(): Promise<PortBlock> {
  const start = Math.floor(Math.random() * BLOCKS)
  for (let step = 0; step < BLOCKS; step += 1) {
    const first = FIRST + ((start + step) % BLOCKS) * BLOCK
    const claim = await listenOn(first + BLOCK - 1)
    if (claim !== null) return { first, last: first + BLOCK - 3, release: () => claim.close() }
  }
  throw new Error(`all ${BLOCKS} blocks of ports are claimed`)
}

function listenOn(port: number): Promise<Server | null> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(null))
    server.listen({ host: '127.0.0.1', port }, () => {
      server.unref()
      resolve(server)
    })
  })
}
