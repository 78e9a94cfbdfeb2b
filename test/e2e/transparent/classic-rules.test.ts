// Firewalls with the classic four rules of active or of passive FTP, at the server and at the client. Directly a
// transfer needs the same four on both sides; through ftp-alg each side is served as its own firewall wants it.

import { mkdtemp } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DataMode } from '../../support/clients/client.ts'
import { curl } from '../../support/clients/curl.ts'
import { debianRootMissing } from '../../support/debian.ts'
import type { Family } from '../../support/netns.ts'
import { Arrivals } from '../../support/peers/patience.ts'
import { Wire } from '../../support/peers/wire.ts'
import type { RunningProxy } from '../../support/proxy.ts'
import { sha256Of } from '../../support/samples.ts'
import { type ClassicMode, classicFirewall } from './lab/classic-rules.ts'
import { Dialogue } from './lab/dialogue.ts'
import { EdgeLab, families } from './lab/edge-lab.ts'
import { dropByDefault } from './lab/rules.ts'
import { listenIn } from './lab/sockets.ts'
import { nameOf, type Variant, variants } from './lab/variants.ts'

const missing = debianRootMissing('the classic rules')

const modes: readonly ClassicMode[] = ['active', 'passive']

/** What a client says to get each mode. */
const commands: Readonly<Record<Family, Readonly<Record<ClassicMode, DataMode>>>> = {
  ipv4: { active: 'PORT', passive: 'PASV' },
  ipv6: { active: 'EPRT', passive: 'EPSV' },
}

const firewalls = modes.flatMap((server) => modes.map((client) => ({ server, client })))

describe.skipIf(missing !== null)('classic firewalls', () => {
  let lab: EdgeLab

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'] })
  })

  afterAll(() => lab?.close())

  /** Which of the client's modes get a file across: `['passive']`. */
  async function whatPasses(
    family: Family,
    address = lab.address('vsftpd', family),
  ): Promise<readonly ClassicMode[]> {
    const passed: ClassicMode[] = []
    // A client's port that conntrack knows of from a test before is not called from port 20 again.
    await lab.forgetConnections()
    for (const mode of modes) {
      const folder = await mkdtemp(join(lab.folder, 'classic-'))
      const { middle } = lab.samples
      const run = await curl.run({
        place: lab.network.host('client'),
        folder,
        server: { address, port: 21 },
        mode: commands[family][mode],
        steps: [
          { kind: 'download', remote: `files/${middle.name}`, local: 'down' },
          { kind: 'upload', local: 'down', remote: `up-${mode}` },
        ],
        timeoutMs: 10_000,
      })
      if (run.exitCode !== 0) continue
      expect(await sha256Of(join(folder, 'down'))).toBe(middle.sha256)
      expect(await sha256Of(join(lab.server('vsftpd').home, `up-${mode}`))).toBe(middle.sha256)
      passed.push(mode)
    }
    return passed
  }

  async function raiseFirewalls({ server, client }: (typeof firewalls)[number]): Promise<void> {
    await lab.network.host('vsftpd').firewall(classicFirewall(server, 'server'))
    await lab.network.host('client').firewall(classicFirewall(client, 'client'))
  }

  describe('directly', () => {
    beforeAll(() => lab.network.gateway.firewall(''))

    it.each(firewalls)('server $server, client $client: only what both allow', async (firewall) => {
      await raiseFirewalls(firewall)
      const both = firewall.server === firewall.client ? [firewall.server] : []
      for (const family of families) expect(await whatPasses(family), family).toEqual(both)
    })
  })

  let port = 28 * 256
  describe.each(variants.map((variant) => [nameOf(variant), variant] as const))(
    'through ftp-alg, %s:',
    (_name, variant) => {
      let proxy: RunningProxy | undefined
      beforeAll(() => lab.network.gateway.firewall(dropByDefault()))

      describe.each(modes)('server %s', (server) => {
        const config = oneMode(variant, server)
        beforeAll(async () => {
          proxy = await lab.start(config)
        })
        afterAll(() => lab.end(proxy, config))

        it.each(modes)('client %s: what the client’s own firewall allows', async (client) => {
          await raiseFirewalls({ server, client })
          for (const family of families) expect(await whatPasses(family), family).toEqual([client])
        })

        it('a client that names one port again and again is called by the server each time', async () => {
          // One for both modes of a variant.
          const isFirst = server === modes[0]
          if (isFirst) port += 1
          await lab.network.host('vsftpd').firewall('')
          await lab.network.host('client').firewall('')
          const address = lab.address('client')
          const calls = new Arrivals<Socket>()
          const door = await listenIn(lab.network.host('client'), { address, port }, (call) =>
            calls.add(call),
          )
          try {
            const client = await Dialogue.begin(lab.network.host('client'), {
              address: lab.address('vsftpd'),
              port: 21,
            })
            const ports: (number | undefined)[] = []
            for (const _time of [1, 2, 3]) {
              await client.say(`PORT ${address.replaceAll('.', ',')},28,${port % 256}`, 200)
              await client.say('RETR files/64KiB.bin', 150)
              const call = await calls.next('a data connection at the client')
              expect(call.remoteAddress).toBe(lab.address('vsftpd'))
              ports.push(call.remotePort)
              const data = new Wire(call)
              expect((await data.collect()).byteCount).toBe(65_536)
              data.halfClose()
              await client.expect(226)
            }
            // Conntrack remembers those of the mode before, whoever made them.
            if (isFirst) expect(ports[0]).toBe(20)
            expect(new Set(ports).size).toBe(3)
            client.close()
          } finally {
            door.close()
          }
        })
      })
    },
  )

  describe('in front of a client that allows data connections from port 20 only', () => {
    const gateway = () => lab.network.gateway.inside
    const listeners = (more: string) =>
      families
        .map(
          (family) =>
            `  - { name: ${family}, listen: '${family === 'ipv6' ? `[${gateway().ipv6}]` : gateway().ipv4}:21', upstream: ${lab.address('vsftpd')}, upstreamMode: passive${more} }`,
        )
        .join('\n')
    beforeAll(async () => {
      await raiseFirewalls({ server: 'passive', client: 'active' })
      await lab.network.gateway.firewall('')
    })

    it.each([
      ['any', []],
      ['20', ['active']],
    ] as const)('a listener with activeSourcePort: %s', async (port, passing) => {
      const config = `listeners:\n${listeners(`, activeSourcePort: ${port}`)}\n`
      const proxy = await lab.start(config)
      for (const family of families)
        expect(await whatPasses(family, gateway()[family]), family).toEqual(passing)
      await lab.end(proxy, config)
    })

    it('gets many files at once and one after another from port 20', async () => {
      const config = `listeners:\n${listeners(', activeSourcePort: 20')}\n`
      const proxy = await lab.start(config)
      const address = lab.address('client')
      const ports = new Map<number | undefined, number>()
      const session = async (door: number) => {
        const calls = new Arrivals<Socket>()
        const listening = await listenIn(lab.network.host('client'), { address, port: door }, (call) =>
          calls.add(call),
        )
        const at = { address: gateway().ipv4, port: 21 }
        const client = await Dialogue.begin(lab.network.host('client'), at)
        for (let transfer = 0; transfer < 5; transfer += 1) {
          await client.say(`PORT ${address.replaceAll('.', ',')},${door >> 8},${door & 255}`, 200)
          await client.say('RETR files/64KiB.bin', 150)
          const call = await calls.next('a data connection at the client')
          ports.set(call.remotePort, (ports.get(call.remotePort) ?? 0) + 1)
          const data = new Wire(call)
          expect((await data.collect()).byteCount).toBe(65_536)
          data.halfClose()
          await client.expect(226)
        }
        client.close()
        listening.close()
      }
      await Promise.all(Array.from({ length: 10 }, (_, index) => session(7_000 + index)))
      expect([...ports]).toEqual([[20, 50]])
      await lab.end(proxy, config)
    })
  })

  function oneMode({ intercept, source, backend }: Variant, upstreamMode: ClassicMode): string {
    const listens = intercept === 'redirect' ? ['[::]:2121'] : ['127.0.0.1:2121', '[::1]:2121']
    const entries = listens.map(
      (listen, index) =>
        `  - { name: edge${index}, listen: '${listen}', intercept: ${intercept}, source: ${source}, upstreamMode: ${upstreamMode} }`,
    )
    return `listeners:\n${entries.join('\n')}\npinholes: { backend: ${backend} }\n`
  }
})
