// Pinholes under attack, on a gateway that drops by default: who is not expected gets nothing, what was used or has
// ended is closed, and nothing is left in the kernel.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'
import { debianRootMissing } from '../../support/debian.ts'
import type { Family } from '../../support/netns.ts'
import type { Wire } from '../../support/peers/wire.ts'
import type { RunningProxy } from '../../support/proxy.ts'
import { startServer } from '../../support/servers/all.ts'
import { Dialogue } from './lab/dialogue.ts'
import { EdgeLab, families } from './lab/edge-lab.ts'
import { dropByDefault, dropped } from './lab/rules.ts'
import { connectWire, startConnecting } from './lab/sockets.ts'
import { configurationOf, nameOf, variants } from './lab/variants.ts'

const missing = debianRootMissing('security of pinholes')

describe.skipIf(missing !== null)('a pinhole', () => {
  let lab: EdgeLab
  let proxy: RunningProxy | undefined
  const open: { close(): void }[] = []

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'] })
    await lab.network.gateway.firewall(dropByDefault())
  })

  afterEach(() => {
    for (const each of open.splice(0)) each.close()
  })

  afterAll(() => lab?.close())

  const host = (name: string) => lab.network.host(name)

  async function logIn(family: Family, server = 'vsftpd'): Promise<Dialogue> {
    const dialogue = await Dialogue.begin(host('client'), { address: lab.address(server, family), port: 21 })
    open.push(dialogue)
    return dialogue
  }

  /** Somebody tries an address and port; resolves when the gateway has dropped the attempt. */
  async function isDropped(from: string, to: Endpoint) {
    const before = await dropped(lab.network)
    const socket = startConnecting({ in: host(from), to })
    let answered = false
    socket.once('connect', () => {
      answered = true
    })
    open.push({ close: () => socket.destroy() })
    await expect.poll(() => dropped(lab.network)).toBeGreaterThan(before)
    return { hasNoAnswer: () => !answered && socket.connecting }
  }

  async function received(data: Wire): Promise<number> {
    const { byteCount } = await data.collect()
    data.halfClose()
    return byteCount
  }

  /** How many strangers were counted so far, by reason; the status page says the same. */
  async function strangers(): Promise<Readonly<Record<string, number>>> {
    const metrics = (await proxy?.metrics()) ?? ''
    const counted = [
      ...metrics.matchAll(/^ftp_alg_pinhole_rejected_connections_total\{reason="(\w+)"\} (\d+)$/gm),
    ]
    return Object.fromEntries(counted.map(([, reason, count]) => [reason, Number(count)]))
  }

  const nothingIsLeft = () => expect.poll(() => lab.elements()).toEqual([])

  describe.each(variants.map((variant) => [nameOf(variant), variant] as const))('%s', (_name, variant) => {
    const config = configurationOf(variant)
    beforeAll(async () => {
      proxy = await lab.start(config)
    })
    afterAll(() => lab.end(proxy, config))

    it.each(families)('gives an attacker nothing and waits for its client (%s)', async (family) => {
      const before = await strangers()
      const client = await logIn(family)
      const hole = await client.passive(family)
      const attack = await isDropped('attacker', hole)
      await expect.poll(strangers).toEqual({ ...before, wrong_peer: Number(before.wrong_peer) + 1 })
      void client.wire.send('RETR files/64KiB.bin\r\n')
      const data = await client.connectData(hole)
      await client.expect(150)
      const second = await isDropped('attacker', hole)
      expect(await received(data)).toBe(65_536)
      await client.expect(226)
      await expect
        .poll(strangers)
        .toEqual({ ...before, wrong_peer: Number(before.wrong_peer) + 1, late: Number(before.late) + 1 })
      expect(attack.hasNoAnswer()).toBe(true)
      expect(second.hasNoAnswer()).toBe(true)
      await nothingIsLeft()
    })

    it.each(families)('works once, even for its own client (%s)', async (family) => {
      const client = await logIn(family)
      const hole = await client.passive(family)
      const data = await client.connectData(hole)
      const again = await isDropped('client', hole)
      void client.wire.send('RETR files/64KiB.bin\r\n')
      await client.expect(150)
      expect(await received(data)).toBe(65_536)
      await client.expect(226)
      expect((await isDropped('client', hole)).hasNoAnswer()).toBe(true)
      expect(again.hasNoAnswer()).toBe(true)
    })

    it.each(families)('towards the server admits the server and no bystander (%s)', async (family) => {
      const client = await logIn(family)
      const address = lab.address('client', family)
      // Nobody listens at the client: what matters is who gets as far as that.
      const announcement =
        family === 'ipv4'
          ? `PORT ${address.replaceAll('.', ',')},28,37`
          : `EPRT |2|${address}|${28 * 256 + 37}|`
      await client.say(announcement, 200)
      const intruder = await isDropped('bystander', await waitingPinhole())
      expect(intruder.hasNoAnswer()).toBe(true)
      expect(await lab.elements()).not.toEqual([])
      // vsftpd calls with the transfer command: its connection goes through.
      void client.wire.send('RETR files/1B.bin\r\n')
      expect((await client.wire.readReply()).code).toBeGreaterThanOrEqual(150)
      await nothingIsLeft()
    })

    it('is closed by a second PASV, by QUIT, and by a client that vanishes', async () => {
      const client = await logIn('ipv4')
      const first = await client.passive('ipv4')
      const second = await client.passive('ipv4')
      expect((await isDropped('client', first)).hasNoAnswer()).toBe(true)
      await client.say('QUIT', 221)
      await nothingIsLeft()
      expect((await isDropped('client', second)).hasNoAnswer()).toBe(true)
      const vanishing = await logIn('ipv4')
      const third = await vanishing.passive('ipv4')
      expect(await lab.elements()).not.toEqual([])
      vanishing.wire.reset()
      await nothingIsLeft()
      expect((await isDropped('client', third)).hasNoAnswer()).toBe(true)
    })

    it('is closed when the server vanishes', async () => {
      const passivePorts = { first: 40_000, last: 49_999 }
      const server = await startServer('vsftpd', {
        place: host('bystander'),
        address: '::',
        port: 21,
        passivePorts,
      })
      const client = await logIn('ipv4', 'bystander').finally(() => undefined)
      const hole = await client.passive('ipv4')
      await server.stop()
      await nothingIsLeft()
      expect((await isDropped('client', hole)).hasNoAnswer()).toBe(true)
      expect((await client.wire.readReply()).code).toBe(421)
    })

    it('tells of strangers in the log and on the status page as it counts them', async () => {
      // The kernel tells of the last ones after a moment, and the log writes lines together.
      await vi.waitFor(async () => {
        const counted = Object.values(await strangers()).reduce((total, count) => total + count, 0)
        const status = JSON.parse((await proxy?.get('/api/v1/status'))?.body ?? '{}')
        expect(status.intruders_total).toBe(counted)
        const told = proxy?.records().filter(({ event }) => event === 'pinhole.intrude') ?? []
        expect(told).toHaveLength(counted)
        for (const from of ['attacker', 'client', 'bystander']) {
          const address = lab.address(from)
          expect(told).toContainEqual(expect.objectContaining({ client_ip: address }))
          expect(status.refusals).toContainEqual(
            expect.objectContaining({ event: 'pinhole.intrude', client_ip: address }),
          )
        }
      }, 15_000)
    })

    it('was never an open door: no data connection came from elsewhere', async () => {
      expect(proxy?.records().filter(({ level }) => level === 'error')).toEqual([])
      expect(await lab.nft('list', 'table', 'ip', 'ftp_alg')).not.toMatch(/elements/)
      expect(await lab.nft('list', 'table', 'ip6', 'ftp_alg')).not.toMatch(/elements/)
    })

    /** The one pinhole that is open now, as the proxy announced it. */
    async function waitingPinhole(): Promise<Endpoint> {
      const { pinholes: items } = JSON.parse((await proxy?.get('/api/v1/pinholes'))?.body ?? '{}')
      expect(items).toHaveLength(1)
      return { address: items[0].announced_ip, port: items[0].announced_port }
    }
  })

  describe.each(['relay', 'nftables'] as const)('with a timeout of 2 s (%s)', (backend) => {
    const config = configurationOf({ intercept: 'redirect', source: 'proxy', backend }, '').replace(
      'pinholes: {',
      'pinholes: { timeout: 2s,',
    )
    beforeAll(async () => {
      proxy = await lab.start(config)
    })
    afterAll(() => lab.end(proxy, config))

    it.each(families)('expires (%s)', async (family) => {
      const client = await logIn(family)
      const hole = await client.passive(family)
      await proxy?.waitForRecord(
        ({ event, reason, client_ip }) =>
          event === 'pinhole.close' && reason === 'expired' && client_ip === lab.address('client', family),
        'an expired pinhole',
      )
      await nothingIsLeft()
      expect((await isDropped('client', hole)).hasNoAnswer()).toBe(true)
      await client.say('RETR files/1B.bin', 425)
    })
  })

  describe('whoever connects to the interception itself', () => {
    it.each(['redirect', 'tproxy'] as const)('is sent away and counted (%s)', async (intercept) => {
      const config = configurationOf({ intercept, source: 'proxy', backend: 'nftables' })
      await lab.network.gateway.firewall(dropByDefault({ input: 'tcp dport 2121 accept' }))
      proxy = await lab.start(config)
      const { gateway } = lab.network
      if (intercept === 'redirect') {
        const wire = await connectWire({
          in: host('attacker'),
          to: { address: gateway.inside.ipv4, port: 2121 },
        })
        expect((await wire.readReply()).code).toBe(421)
        expect(await wire.readRest()).toBe('')
      } else {
        // Bound to loopback: from elsewhere there is nobody.
        const knock = connectWire({ in: host('attacker'), to: { address: gateway.inside.ipv4, port: 2121 } })
        await expect(knock).rejects.toThrow(/ECONNREFUSED/)
      }
      for (const address of ['127.0.0.1', '::1']) {
        const wire = await connectWire({ in: gateway, to: { address, port: 2121 } })
        expect((await wire.readReply()).code).toBe(421)
      }
      const rejected = intercept === 'redirect' ? 3 : 2
      const metrics = await proxy.metrics()
      const counted = [...metrics.matchAll(/^ftp_alg_sessions_rejected_total\{.*reason="loop"\} (\d+)$/gm)]
      expect(counted.reduce((total, [, count]) => total + Number(count), 0)).toBe(rejected)
      await lab.end(proxy, config)
    })

    it('is sent away when conntrack does not know where it wanted to go', async () => {
      const config = configurationOf({ intercept: 'redirect', source: 'proxy', backend: 'nftables' })
      const untracked = `chain untracked { type filter hook prerouting priority raw; tcp dport 2121 notrack; }
        chain untracked_answers { type filter hook output priority raw; tcp sport 2121 notrack; }`
      await lab.network.gateway.firewall(
        dropByDefault({ input: 'tcp dport 2121 accept', table: untracked.replaceAll('; }', '\n}') }),
      )
      proxy = await lab.start(config)
      const to = { address: lab.network.gateway.inside.ipv4, port: 2121 }
      const wire = await connectWire({ in: host('attacker'), to })
      expect((await wire.readReply()).code).toBe(421)
      expect(await proxy.metrics()).toMatch(
        /^ftp_alg_sessions_rejected_total\{listener="client",reason="no_destination"\} 1$/m,
      )
      await lab.end(proxy, config)
    })
  })
})
