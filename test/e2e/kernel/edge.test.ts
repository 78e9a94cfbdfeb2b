// The product on a gateway whose firewall drops by default, beside test/e2e/transparent: in front of a server that must
// not be seen, where the kernel translates both ends, and with several workers that share the machine's tables.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientTree, dataModes, type FtpClient } from '../../support/clients/client.ts'
import { curl } from '../../support/clients/curl.ts'
import { lftp } from '../../support/clients/lftp.ts'
import { ftplib } from '../../support/clients/scripted.ts'
import { debianRootMissing, debianTree } from '../../support/debian.ts'
import { createNetwork, type Family, type Network } from '../../support/netns.ts'
import { type RunningProxy, startProxy } from '../../support/proxy.ts'
import { createSamples, type Samples } from '../../support/samples.ts'
import { startServer } from '../../support/servers/all.ts'
import { type FtpServer, serverPackages } from '../../support/servers/server.ts'
import { attemptTransfers, shareSamples } from '../../support/transfers.ts'

const missing = debianRootMissing('interception on a gateway')
const main = new URL('../../../dist/main.js', import.meta.url).pathname

const families = ['ipv4', 'ipv6'] as const
const clients: readonly FtpClient[] = [curl, lftp, ftplib]

/**
 * All that an administrator has to add for ftp-alg is the one line about the mark, in both chains; for listeners
 * that clients connect to, their ports; and for a relay without interception, the data ports.
 */
const gatewayRules = `
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname lo accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept
    ct state established,related accept
    ct mark 0xf7 accept
    tcp dport { 2111, 2112 } accept
    RELAYED
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ct mark 0xf7 accept
  }
}
`

const interceptions = {
  redirect: '  - { name: edge, listen: "[::]:2121", intercept: redirect, upstreamMode: MODE }',
  'in front of the server': `  - { name: in4, listen: "10.77.1.1:2111", upstream: "10.77.2.10:21", upstreamMode: MODE }
  - { name: in6, listen: "[fd77:1::1]:2112", upstream: "[fd77:2::10]:21", upstreamMode: MODE }`,
}

interface Variant {
  readonly interception: keyof typeof interceptions
  readonly backend: 'relay' | 'nftables'
  readonly upstreamMode: 'client' | 'passive' | 'active'
  readonly workers: number
}

const variants: readonly Variant[] = [
  ...(['client', 'passive', 'active'] as const).map((upstreamMode) => ({
    interception: 'in front of the server' as const,
    backend: 'nftables' as const,
    upstreamMode,
    workers: 1,
  })),
  { interception: 'in front of the server', backend: 'relay', upstreamMode: 'client', workers: 1 },
  { interception: 'redirect', backend: 'nftables', upstreamMode: 'client', workers: 2 },
]

const nameOf = ({ interception, backend, upstreamMode, workers }: Variant) =>
  `${interception}, ${backend}, ${upstreamMode}${workers > 1 ? `, ${workers} workers` : ''}`

const deafTo = (ipv4: string, ipv6: string) => `table inet filter {
  chain input {
    type filter hook input priority filter;
    ip saddr ${ipv4} drop
    meta l4proto tcp ip6 saddr ${ipv6} drop
  }
}`

describe.skipIf(missing !== null)('on a gateway', () => {
  let network: Network
  let samples: Samples
  let server: FtpServer
  let folder: string

  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-edge-'))
    network = await createNetwork({ inside: ['client'], outside: ['server'] })
    await network.gateway.forward(true)
    server = await startServer('vsftpd', {
      place: network.host('server'),
      address: '::',
      port: 21,
      passivePorts: { first: 40_000, last: 49_999 },
    })
    await shareSamples(server, samples)
  })

  afterAll(async () => {
    await server?.stop()
    await network?.close()
    for (const each of [samples?.folder, folder])
      if (each !== undefined) await rm(each, { recursive: true, force: true })
  })

  describe.each(variants.map((variant) => [nameOf(variant), variant] as const))('%s', (_name, variant) => {
    let proxy: RunningProxy

    beforeAll(async () => {
      const isFront = variant.interception === 'in front of the server'
      const dataPorts = isFront && variant.backend === 'relay' ? 'tcp dport 30000-30999 accept' : ''
      await network.gateway.firewall(gatewayRules.replace('RELAYED', dataPorts))
      // A server in front of which we stand never hears of its clients' addresses, nor they of its.
      await network
        .host('server')
        .firewall(isFront ? deafTo('10.77.1.2-10.77.1.254', 'fd77:1::2-fd77:1::ffff') : '')
      await network.host('client').firewall(isFront ? deafTo('10.77.2.0/24', 'fd77:2::/64') : '')
      const config = configurationOf(variant)
      await runFirewall('--apply', config)
      proxy = await startProxy({ place: network.gateway, config })
    })

    afterAll(async () => {
      await proxy?.stop()
      await runFirewall('--remove', configurationOf(variant))
    })

    const ways = families.flatMap((family) => dataModes.map((mode) => ({ family, mode })))
    const named = clients.flatMap((client) =>
      ways
        .filter((way) => client.cannotUse(way) === null)
        .map((way) => [client.name, way.family, way.mode, client] as const),
    )
    it.concurrent.each(named)('%s transfers over %s with %s', async (_name, family, mode, client) => {
      const failures = await attemptTransfers({
        client,
        server,
        samples,
        family,
        mode,
        place: network.host('client'),
        target: targetOf(variant, family),
        large: false,
      })
      expect(failures).toEqual([])
    })

    it('leaves no pinhole behind, and moved the bytes where it should', async () => {
      const list = await network.gateway.run(['nft', 'list', 'ruleset'])
      await expect
        .poll(async () => (await network.gateway.run(['nft', 'list', 'ruleset'])).stdout)
        .not.toMatch(/elements/)
      const usesKernel = variant.backend === 'nftables' || variant.interception !== 'in front of the server'
      expect(/table ip ftp_alg/.test(list.stdout)).toBe(usesKernel)
      const metrics = await proxy.metrics()
      const kernel = /^ftp_alg_data_bytes_total\{[^}]*path="kernel"[^}]*\} ([1-9]\d*)/m.test(metrics)
      const canForward = variant.backend === 'nftables'
      expect(kernel, metrics).toBe(canForward)
    })
  })

  function targetOf({ interception }: Variant, family: Family) {
    if (interception !== 'in front of the server') {
      return { address: network.host('server').addresses[family][0] ?? '', port: 21 }
    }
    return { address: network.gateway.inside[family], port: family === 'ipv4' ? 2111 : 2112 }
  }

  async function runFirewall(action: '--apply' | '--remove', config: string): Promise<void> {
    const file = join(folder, 'config.yaml')
    await writeFile(file, config)
    const ran = await network.gateway.run([process.execPath, main, 'firewall', action, '--config', file])
    expect(ran.exitCode, ran.stderr).toBe(0)
  }

  function configurationOf({ interception, backend, upstreamMode, workers }: Variant): string {
    return `listeners:
${interceptions[interception].replaceAll('MODE', upstreamMode)}
dataPorts: 30000-30999
pinholes: { backend: ${backend} }
workers: ${workers}
`
  }
})
