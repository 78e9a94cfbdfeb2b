// The nftables backend under the suite of all backends, on a real gateway between real namespaces: once where the
// kernel forwards, once where every byte is relayed and the kernel only claims and admits.

import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import { canonicalAddress } from '../../../src/ftp/addresses.ts'
import type { NftablesBackend } from '../../../src/pinhole/nftables/backend.ts'
import { createNftablesBackend } from '../../../src/pinhole/nftables/create.ts'
import { PortPool } from '../../../src/pinhole/port-pool.ts'
import { RelayBackend } from '../../../src/pinhole/relay/relay-backend.ts'
import { type BackendWorld, type BackendWorldOptions, testBackend } from '../../support/backend-suite.ts'
import { introductions, tcp } from '../../support/connections.ts'
import { type Family, type Host, Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`nftables pinholes: skipped, ${obstacle}`)

let lab: Lab
let nextPort = 30_000
beforeAll(async () => {
  if (obstacle === null) lab = await Lab.create()
})
afterAll(() => lab?.close())

interface Variant extends BackendWorldOptions {
  readonly family: Family
  /** Whose address the client connects to: the gateway's own, or the server's. */
  readonly local: 'gateway' | 'server'
  readonly forward: boolean
  /** Whose address the server sees. */
  readonly source: 'gateway' | 'client'
}

async function makeWorld({ ports, family, local, forward, source }: Variant): Promise<BackendWorld> {
  const share = 2
  const first = nextPort
  const last = first + ports - 1
  nextPort = last + 1
  const pool = (most: number) =>
    new PortPool({ first, last, quarantineMs: 60_000, share: most, random: (below) => randomInt(below) })
  const pools = { client: pool(ports), server: pool(share) }
  const now = () => performance.now()
  const relay = new RelayBackend({
    tcp,
    introductions,
    idlePorts: 256,
    pools,
    intruded: () => undefined,
    now,
  })
  const backend: NftablesBackend = await createNftablesBackend({
    relay,
    pools,
    now,
    forward,
    others: [lab.address('attacker', family)],
    log: () => undefined,
  })
  const seen: string[] = []
  const echo = await lab.listen('server', { address: lab.address('server', family), port: 0 }, (socket) => {
    seen.push(canonicalAddress(socket.remoteAddress ?? ''))
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  const hostOf = (address: string): Host =>
    address === lab.address('client', family) ? 'client' : 'attacker'
  return {
    backend,
    ports: { first, last },
    share,
    peer: lab.address('client', family),
    stranger: lab.address('attacker', family),
    local: local === 'gateway' ? lab.gatewayTowards('client', family) : lab.address('server', family),
    isForeign: local === 'server',
    target: forward ? echo.at : null,
    source: forward && source === 'gateway' ? lab.gatewayTowards('server', family) : null,
    seenByTarget: () => seen,
    connect: (from, to) => lab.connect(hostOf(from), to, { address: from }),
    close: async () => {
      await backend.stop()
      echo.server.close()
    },
  }
}

describe.skipIf(obstacle !== null).each([4, 6] as const)('over IPv%i,', (family) => {
  testBackend('at the gateway, forwarded', (options) =>
    makeWorld({ ...options, family, local: 'gateway', forward: true, source: 'gateway' }),
  )
  testBackend('at the server’s address, forwarded, as the client itself', (options) =>
    makeWorld({ ...options, family, local: 'server', forward: true, source: 'client' }),
  )
  testBackend('at the gateway, admitted and relayed', (options) =>
    makeWorld({ ...options, family, local: 'gateway', forward: false, source: 'gateway' }),
  )
  testBackend('at the server’s address, claimed and relayed', (options) =>
    makeWorld({ ...options, family, local: 'server', forward: false, source: 'gateway' }),
  )
})
