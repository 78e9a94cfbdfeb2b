// The relay backend under the suite of all backends, on loopback: its many addresses are the peers.

import { randomInt } from 'node:crypto'
import { connect } from 'node:net'
import { PortPool } from '../../../src/pinhole/port-pool.ts'
import { RelayBackend } from '../../../src/pinhole/relay/relay-backend.ts'
import { type BackendWorld, testBackend } from '../../support/backend-suite.ts'
import { introductions, makes } from '../../support/connections.ts'

const share = 2
let nextPort = 24_100

for (const { make, tcp } of makes)
  testBackend(`relayed (${make})`, async ({ ports }): Promise<BackendWorld> => {
    const first = nextPort
    const last = first + ports - 1
    nextPort = last + 1
    const pool = (most: number) =>
      new PortPool({ first, last, quarantineMs: 60_000, share: most, random: (below) => randomInt(below) })
    const now = () => performance.now()
    const pools = { client: pool(ports), server: pool(share) }
    const backend = new RelayBackend({
      tcp,
      introductions,
      idlePorts: 256,
      pools,
      intruded: () => undefined,
      now,
    })
    return {
      backend,
      ports: { first, last },
      share,
      peer: '127.0.0.2',
      stranger: '127.0.0.3',
      local: '127.0.0.1',
      target: null,
      source: null,
      seenByTarget: () => [],
      connect: (from, to) =>
        connect({ host: to.address, port: to.port, localAddress: from, allowHalfOpen: true }),
      close: () => backend.closeAll(),
    }
  })
