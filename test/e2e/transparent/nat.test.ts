// Address translation in both directions: clients inside and servers outside behind masquerading, a private server and
// its public clients. Nobody has a route to the addresses on the other side.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { dataModes } from '../../support/clients/client.ts'
import { curl } from '../../support/clients/curl.ts'
import { debianRootMissing } from '../../support/debian.ts'
import type { Family } from '../../support/netns.ts'
import { runOrThrow } from '../../support/programs.ts'
import type { RunningProxy } from '../../support/proxy.ts'
import { startServer } from '../../support/servers/all.ts'
import type { FtpServer } from '../../support/servers/server.ts'
import { shareSamples } from '../../support/transfers.ts'
import { EdgeLab, families } from './lab/edge-lab.ts'
import { acceptMark, dropByDefault } from './lab/rules.ts'
import { configurationOf, everyPortIsFtp, nameOf, portOf, upstreamModes, variants } from './lab/variants.ts'
import { acquaintances, witnessRules } from './lab/witness.ts'

const missing = debianRootMissing('address translation')

const ways = families.flatMap((family) =>
  dataModes
    .filter((mode) => curl.cannotUse({ family, mode }) === null)
    .flatMap((mode) => upstreamModes.map((upstreamMode) => [family, mode, upstreamMode] as const)),
)

describe.skipIf(missing !== null)('address translation', () => {
  let lab: EdgeLab
  let privateServer: FtpServer
  let proxy: RunningProxy | undefined

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'], inside: ['private'], outside: ['public'] })
    const place = lab.network.host('private')
    const passivePorts = { first: 40_000, last: 49_999 }
    privateServer = await startServer('vsftpd', { place, address: '::', port: 21, passivePorts })
    await shareSamples(privateServer, lab.samples)
    for (const name of ['vsftpd', 'public']) {
      const outside = { place: lab.network.host(name) }
      await runOrThrow(['ip', '-4', 'route', 'del', '10.77.0.0/16'], outside)
      await runOrThrow(['ip', '-6', 'route', 'del', 'fd77::/16'], outside)
    }
  })

  afterAll(async () => {
    await privateServer?.stop()
    await lab?.close()
  })

  describe.each(
    variants.filter(({ source }) => source === 'proxy').map((variant) => [nameOf(variant), variant] as const),
  )('clients inside, masqueraded: %s', (_name, variant) => {
    const config = configurationOf(variant)

    beforeAll(async () => {
      await lab.network.gateway.firewall(
        dropByDefault({
          table: `chain masquerading {
            type nat hook postrouting priority srcnat
            oifname side2 masquerade
          }`,
        }),
      )
      await lab.network.host('client').firewall(witnessRules())
      await lab.network.host('vsftpd').firewall(witnessRules(everyPortIsFtp))
      proxy = await lab.start(config)
    })

    afterAll(() => lab.end(proxy, config))

    it.concurrent.each(ways)('%s %s, upstreamMode %s', async (family, mode, upstreamMode) => {
      const failures = await lab.attempt({
        family,
        mode,
        target: { address: lab.address('vsftpd', family), port: portOf[upstreamMode] },
      })
      expect(failures).toEqual([])
    })

    it.each(families)(
      'the server knew the outer address only, the client the server (%s)',
      async (family) => {
        const server = lab.address('vsftpd', family)
        const outer = lab.network.gateway.outside[family]
        expect(await acquaintances(lab.network.host('client'), family)).toEqual({
          callers: [server],
          called: [server],
        })
        expect(await acquaintances(lab.network.host('vsftpd'), family)).toEqual({
          callers: [outer],
          called: [outer],
        })
      },
    )
  })

  describe.each(['relay', 'nftables'] as const)('a private server and public clients: %s', (backend) => {
    // Without interception the relay knows data connections by their port alone.
    const accept = backend === 'nftables' ? acceptMark : 'tcp dport 30000-30999 accept'

    async function start(advertise: string): Promise<void> {
      await lab.network.gateway.firewall(
        dropByDefault({ both: accept, input: 'iifname side2 tcp dport { 21, 2101, 2102 } accept' }),
      )
      await lab.network.host('private').firewall(witnessRules())
      proxy = await lab.start(publicConfiguration(backend, advertise))
    }

    afterEach(() => lab.end(proxy, publicConfiguration(backend)))

    async function attempt(
      target: string,
      [family, mode, upstreamMode]: (typeof ways)[number],
    ): Promise<readonly string[]> {
      return lab.attempt({
        server: privateServer,
        family,
        mode,
        place: lab.network.host('public'),
        target: { address: target, port: portOf[upstreamMode] },
      })
    }

    it('transfer in every way, and know each other as the gateway only', async () => {
      await start('')
      await lab.network.host('public').firewall(witnessRules())
      const { gateway } = lab.network
      for (const way of ways) expect(await attempt(gateway.outside[way[0]], way)).toEqual([])
      for (const family of families) {
        expect(await acquaintances(lab.network.host('private'), family)).toEqual({
          callers: [gateway.inside[family]],
          called: [gateway.inside[family]],
        })
        expect(await acquaintances(lab.network.host('public'), family)).toEqual({
          callers: [gateway.outside[family]],
          called: [gateway.outside[family]],
        })
      }
    })

    // As behind a cloud's one-to-one NAT: the gateway does not have the public address.
    it('transfer when the public address is not even the gateway’s own', async () => {
      await start(
        'advertise: { clients: [{ to: any, address: 203.0.113.9 }, { to: any, address: "2001:db8::9" }] }',
      )
      const host = lab.network.host('public')
      await runOrThrow(['ip', 'route', 'replace', '203.0.113.9', 'via', lab.network.gateway.outside.ipv4], {
        place: host,
      })
      await runOrThrow(
        ['ip', '-6', 'route', 'replace', '2001:db8::9', 'via', lab.network.gateway.outside.ipv6],
        {
          place: host,
        },
      )
      await host.firewall(oneToOneNat(lab.network.gateway.outside))
      for (const way of ways) {
        const target: Readonly<Record<Family, string>> = { ipv4: '203.0.113.9', ipv6: '2001:db8::9' }
        expect(await attempt(target[way[0]], way)).toEqual([])
      }
      await host.firewall('')
    })
  })

  function publicConfiguration(backend: string, advertise = ''): string {
    const entries = upstreamModes.flatMap((upstreamMode) =>
      families.map((family) => {
        const host = (address: string) => (family === 'ipv6' ? `[${address}]` : address)
        return `  - name: ${upstreamMode}-${family}
    listen: '${host(lab.network.gateway.outside[family])}:${portOf[upstreamMode]}'
    upstream: '${host(lab.address('private', family))}:21'
    upstreamMode: ${upstreamMode}
    ${advertise}`
      }),
    )
    return `listeners:\n${entries.join('\n')}\npinholes: { backend: ${backend} }\n`
  }

  /** The gateway's outer address can be reached by the public one only, and appears as that. */
  function oneToOneNat(outer: Readonly<Record<Family, string>>): string {
    return `table inet border {
      chain out {
        type nat hook output priority -100
        ip daddr 203.0.113.9 dnat ip to ${outer.ipv4}
        ip6 daddr 2001:db8::9 dnat ip6 to ${outer.ipv6}
      }
      chain sent {
        type filter hook output priority filter
        ct direction original ct original ip daddr ${outer.ipv4} reject with tcp reset
        ct direction original ct original ip6 daddr ${outer.ipv6} reject with tcp reset
      }
    }`
  }
})
