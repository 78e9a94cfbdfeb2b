// Published servers that see their clients (`source: client` beside `upstream`): both backends, every upstream mode, PASV and
// PORT over IPv4, EPSV and EPRT over IPv6. vsftpd refuses data connections from another address than the control
// connection's, and calls no other.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataModes } from '../../support/clients/client.ts'
import { debianRootMissing } from '../../support/debian.ts'
import type { RunningProxy } from '../../support/proxy.ts'
import { EdgeLab, families } from './lab/edge-lab.ts'
import { acceptMark, dropByDefault } from './lab/rules.ts'
import { upstreamModes } from './lab/variants.ts'
import { acquaintances, witnessRules } from './lab/witness.ts'

const missing = debianRootMissing('published servers that see their clients')

const ways = families.flatMap((family) =>
  dataModes
    .filter((mode) => mode.startsWith('E') === (family === 'ipv6'))
    .flatMap((mode) => upstreamModes.map((upstreamMode) => ({ family, mode, upstreamMode }))),
)
const portOf = { client: 2121, passive: 2122, active: 2123 } as const
const listenPorts = Object.values(portOf).join(', ')

describe.skipIf(missing !== null)('a published server', () => {
  let lab: EdgeLab

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'] })
    await lab.network.gateway.firewall(
      dropByDefault({ both: `${acceptMark}\ntcp dport { ${listenPorts} } accept` }),
    )
  })

  afterAll(() => lab?.close())

  describe.each(['relay', 'nftables'] as const)('%s', (backend) => {
    let proxy: RunningProxy | undefined
    let config = ''

    beforeAll(async () => {
      const { gateway } = lab.network
      const entries = families.flatMap((family) =>
        upstreamModes.map((upstreamMode) => {
          const bracket = (address: string) => (family === 'ipv6' ? `[${address}]` : address)
          return `  - name: ${upstreamMode}${family}
    listen: '${bracket(gateway.inside[family])}:${portOf[upstreamMode]}'
    upstream: '${bracket(lab.address('vsftpd', family))}'
    upstreamMode: ${upstreamMode}
    source: client`
        }),
      )
      config = `listeners:\n${entries.join('\n')}\npinholes: { backend: ${backend} }\nlimits: { sessions: 1000 }\n`
      await lab.network.host('client').firewall(witnessRules())
      await lab.network.host('vsftpd').firewall(witnessRules())
      proxy = await lab.start(config)
    })

    afterAll(() => lab.end(proxy, config))

    it.concurrent.each(ways)('transfers over $family with $mode, upstreamMode $upstreamMode', async (way) => {
      const { family, mode, upstreamMode } = way
      const failures = await lab.attempt({
        family,
        mode,
        target: { address: lab.network.gateway.inside[family], port: portOf[upstreamMode] },
      })
      expect(failures).toEqual([])
    })

    it('showed the client nobody but the gateway, and the server nobody but the client', async () => {
      for (const family of families) {
        const gateway = lab.network.gateway.inside[family]
        const client = lab.address('client', family)
        expect(await acquaintances(lab.network.host('client'), family)).toEqual({
          callers: [gateway],
          called: [gateway],
        })
        expect(await acquaintances(lab.network.host('vsftpd'), family)).toEqual({
          callers: [client],
          called: [client],
        })
      }
    })

    it('let the kernel forward what is not converted', async () => {
      const metrics = (await proxy?.metrics()) ?? ''
      const inKernel = [
        ...metrics.matchAll(/^ftp_alg_data_bytes_total\{listener="client\w+",.*path="kernel"\} (\d+)$/gm),
      ]
      const bytes = inKernel.reduce((total, [, count]) => total + Number(count), 0)
      expect(bytes > 0).toBe(backend === 'nftables')
      expect(proxy?.records().filter(({ level }) => level === 'error' || level === 'warn')).toEqual([])
    })

    it('is judged by doctor: the rules, and who hides the clients', async () => {
      const findings = async () => (await lab.command(['doctor'], config)).stdout
      const before = await findings()
      expect(before).toContain('ok    interception rules: table inet ftp_alg_intercept is loaded')
      expect(before).toContain('ok    source: client: no rule masquerades what goes to the servers')
      expect(before).not.toContain('FAIL')
      await lab.nft('add chain inet filter hiding { type nat hook postrouting priority srcnat; }')
      await lab.nft('add rule inet filter hiding oifname lo masquerade')
      expect(await findings()).toContain('ok    source: client')
      await lab.nft('add rule inet filter hiding masquerade')
      expect(await findings()).toContain('FAIL  source: client: inet filter hiding changes addresses (rule ')
      await lab.nft('delete chain inet filter hiding')
      await lab.nft('flush chain inet ftp_alg_intercept own_sockets')
      expect(await findings()).toContain(
        'FAIL  interception rules: table inet ftp_alg_intercept does not keep what is meant',
      )
    })
  })
})
