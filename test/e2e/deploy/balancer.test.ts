// docs/scaling.md, one address for several instances: the balancer spreads control connections as it likes, and
// sends each slice of the data ports to the instance that it belongs to.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { debianRootMissing } from '../../support/debian.ts'
import { type RunningProxy, startProxy } from '../../support/proxy.ts'
import { type Ground, openGround } from './ground.ts'

const missing = debianRootMissing('instances behind one address')

/** The same file for both instances. */
const config = `listeners:
  - listen: '0.0.0.0:2121'
    upstream: '10.77.2.30:21'
    advertise: { clients: [{ to: any, address: 10.77.1.1 }] }
dataPorts: { listen: 30000-30049, slice: { index: 0, of: 2 } }
`

const balancer = `table ip balancer {
  chain incoming { type nat hook prerouting priority dstnat;
    ip daddr 10.77.1.1 tcp dport 21 dnat to numgen inc mod 2 map { 0 : 10.77.2.10, 1 : 10.77.2.20 } : 2121
    ip daddr 10.77.1.1 tcp dport 30000-30024 dnat to 10.77.2.10
    ip daddr 10.77.1.1 tcp dport 30025-30049 dnat to 10.77.2.20
  }
}`

describe.skipIf(missing !== null)('two instances behind one address', () => {
  let ground: Ground
  const instances: RunningProxy[] = []

  beforeAll(async () => {
    ground = await openGround({
      inside: ['client'],
      outside: ['one', 'two', 'server'],
      server: { on: 'server', address: '10.77.2.30' },
    })
    const { network, cleanup } = ground
    await network.gateway.firewall(balancer)
    for (const [index, name] of ['one', 'two'].entries()) {
      const env = { FTP_ALG_SLICE_INDEX: String(index) }
      const instance = await startProxy({ place: network.host(name), config, env })
      cleanup.add(instance.kill)
      instances.push(instance)
    }
  })

  afterAll(() => ground?.cleanup.run())

  it.each(['PASV', 'EPSV'] as const)(
    'serve every transfer with %s, whichever the balancer chose',
    async (mode) => {
      for (let round = 0; round < 4; round += 1) {
        const target = { address: '10.77.1.1', port: 21 }
        expect(await ground.transfers({ mode, from: 'client', target })).toEqual([])
      }
    },
  )

  it('have both worked, and neither was sent the other’s connections', async () => {
    for (const instance of instances) {
      const metrics = await instance.metrics()
      expect(metrics).toMatch(/^ftp_alg_sessions_total\{[^}]*\} [4-9]/m)
      expect(metrics).not.toMatch(/^ftp_alg_pinhole_rejected_connections_total\{[^}]*\} [1-9]/m)
    }
  })

  it('end with exit code 0', async () => {
    for (const instance of instances) await instance.stop()
  })
})
