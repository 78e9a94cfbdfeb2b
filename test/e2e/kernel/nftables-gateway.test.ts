// The nftables backend as an administrator meets it: behind a firewall that drops, beside sets of his own and beside
// `nft flush ruleset`.

import { randomInt } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'
import { PortPool } from '../../../src/pinhole/port-pool.ts'
import { droppingGateway, GatewayBackend, saysAndHears } from '../../support/gateway-backend.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`nftables on a gateway: skipped, ${obstacle}`)

const byMark = 'ct mark 0xf7 accept'
const bySet = 'ip saddr . ip daddr . tcp dport @ftp_data accept'
const ftpData = { family: 'inet', table: 'filter', set: 'ftp_data' } as const

describe.skipIf(obstacle !== null)('nftables pinholes on a gateway', () => {
  let lab: Lab
  let gateway: GatewayBackend

  beforeAll(async () => {
    lab = await Lab.create()
    gateway = await GatewayBackend.create(lab)
  })
  afterAll(() => lab.close())
  beforeEach(() => void lab.nft(droppingGateway(byMark)))
  afterEach(() => gateway.stop())

  it('need nothing of a dropping firewall but one line about the mark', async () => {
    const forwarded = await gateway.open(await gateway.start())
    expect(await saysAndHears(lab.connect('client', forwarded.at), 'in the kernel')).toBe(true)
    expect(forwarded.inKernel).toBe(true)
    const relayed = await gateway.open(await gateway.start(), { target: null, source: null })
    expect(await saysAndHears(lab.connect('client', relayed.at), 'through us')).toBe(true)
    expect(relayed.inKernel).toBe(false)
  })

  it('say so when that line is missing', async () => {
    lab.nft(droppingGateway(''))
    const running = await gateway.start()
    // Of what is forwarded the second packet tells: one attempt may be unanswered for other reasons.
    const forwarded = await gateway.open(running, { timeoutMs: 2000 })
    const relayed = await gateway.open(running, { timeoutMs: 500, target: null, source: null })
    // Told long before it expires, since clients give up sooner.
    const patient = await gateway.open(running, { timeoutMs: 60_000, target: null, source: null })
    const visitors = [forwarded, relayed, patient].map(({ at }) =>
      lab.connect('client', at).on('error', () => undefined),
    )
    for (const hole of [forwarded, relayed])
      await expect.poll(() => hole.events, { timeout: 5000 }).toEqual(['expired'])
    const told = () => gateway.swallowed.map(({ at, chain }) => `${chain} ${at.port}`).sort()
    await expect
      .poll(told, { timeout: 8000 })
      .toEqual(
        [`forward ${forwarded.at.port}`, `input ${relayed.at.port}`, `input ${patient.at.port}`].sort(),
      )
    expect(patient.events).toEqual([])
    expect(gateway.swallowed[0]).toMatchObject({ session: 'k3v9x0q2m1', peer: lab.address('client') })
    for (const visitor of visitors) visitor.destroy()
  })

  // The server calls from its port 20 each time: at the same port of ours it would be the same connection again.
  it.each(['in the same run', 'from an earlier run'])(
    'wait at another port than the one where a server’s data still flow (%s)',
    async (when) => {
      const start = () => {
        const range = { first: 30_400, last: 30_402, quarantineMs: 60_000, share: 1000 }
        const pool = new PortPool({ ...range, random: (below) => randomInt(below) })
        return gateway.start({ pools: { client: pool, server: pool } })
      }
      const before = await start()
      const first = await gateway.open(before, { from: 'server' })
      const data = lab.connect('client', first.at, { port: 20 })
      expect(await saysAndHears(data, 'from port 20')).toBe(true)
      await expect.poll(() => first.events).toEqual(['forwarded'])
      const running = when === 'in the same run' ? before : await start()
      for (let count = 0; count < 12; count += 1) {
        const next = await gateway.open(running, { from: 'server' })
        expect(next.at.port).not.toBe(first.at.port)
        next.handle.close()
      }
      data.destroy()
    },
  )

  // Conntrack remembers for ten seconds what the target has reset, and would send the next first packet the same way.
  it.each([
    ['forwarded', 'forwarded'],
    ['forwarded', 'relayed'],
    ['relayed', 'forwarded'],
    ['turned-away', 'forwarded'],
  ])('lead to their own target at once where a %s connection was reset (then %s)', async (before, after) => {
    const range = { first: 30_500, last: 30_500, quarantineMs: 0, share: 1000 }
    const pool = new PortPool({ ...range, random: (below) => randomInt(below) })
    const running = await gateway.start({ pools: { client: pool, server: pool } })
    const resetting = await lab.listen('server', { address: lab.address('server'), port: 0 }, (socket) =>
      socket.once('data', () => socket.resetAndDestroy()),
    )
    lab.nft('insert rule inet filter input tcp dport 30500 accept')
    const holeOf = (kind: string, target: Endpoint) =>
      gateway.open(running, {
        from: 'server',
        ...(kind === 'relayed' ? { target: null, source: null } : { target }),
      })
    const dead =
      before === 'turned-away'
        ? await gateway.open(running, { expect: lab.address('attacker'), target: null, source: null })
        : await holeOf(before, resetting.at)
    const call = lab.connect('client', dead.at, { port: 20 })
    expect(await saysAndHears(call, 'hello')).toBe(before === 'relayed')
    dead.connections[0]?.reset()
    await expect.poll(() => call.destroyed).toBe(true)
    if (before === 'forwarded') await expect.poll(() => dead.events).toEqual(['forwarded', 'ended'])
    const next = await holeOf(after, gateway.echo)
    expect(next.at).toEqual(dead.at)
    const visitor = lab.connect('client', next.at, { port: 20 })
    expect(await saysAndHears(visitor, 'hello')).toBe(true)
    visitor.resetAndDestroy()
    resetting.server.close()
  })

  it('tell the administrator’s own set who is let through, and take it back', async () => {
    lab.nft(droppingGateway(bySet))
    const running = await gateway.start({ theirs: { ip: ftpData, ip6: null } })
    const forwarded = await gateway.open(running)
    const relayed = await gateway.open(running, { target: null, source: null })
    const expected = [
      `${gateway.echo.address} . ${gateway.echo.port}`,
      `${lab.gatewayTowards('client')} . ${relayed.at.port}`,
    ]
    for (const to of expected)
      expect(gateway.table('inet filter')).toContain(`${lab.address('client')} . ${to} timeout`)
    expect(await saysAndHears(lab.connect('client', forwarded.at), 'forwarded')).toBe(true)
    expect(await saysAndHears(lab.connect('client', relayed.at), 'relayed')).toBe(true)
    const unused = await gateway.open(running)
    unused.handle.close()
    await expect.poll(() => gateway.hasElements('inet filter')).toBe(false)
  })

  it.each([
    [{ ...ftpData, set: 'none' }, /set inet filter none: there is no such set, allowed \{ type ipv4_addr/],
    [{ ...ftpData, set: 'endless' }, /set inet filter endless: given type .* flags undefined, allowed \{/],
  ])('refuse a set that cannot hold them (%j)', async (ip, words) => {
    await expect(gateway.start({ theirs: { ip, ip6: null } })).rejects.toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(words) }),
    )
  })

  it('carry the session’s name while they wait, and leave nothing behind', async () => {
    const running = await gateway.start()
    const hole = await gateway.open(running)
    const key = `${lab.address('client')} . ${lab.gatewayTowards('client')} . ${hole.at.port}`
    expect(gateway.table()).toContain(`${key} counter packets 0 bytes 0 timeout 21s expires`)
    expect(gateway.table()).toMatch(/comment "k3v9x0q2m1" : 10\.72\.1\.2 \. \d+/)
    await gateway.open(running)
    await gateway.open(running, { target: null, source: null })
    await running.closeAll()
    expect(gateway.hasElements()).toBe(false)
    expect(await saysAndHears(lab.connect('client', (await gateway.open(running)).at), 'again')).toBe(true)
    await expect.poll(() => gateway.hasElements()).toBe(false)
  })

  it('fail with 425 and leave the others alone when the kernel refuses', async () => {
    const running = await gateway.start({ theirs: { ip: ftpData, ip6: null } })
    const before = await gateway.open(running)
    lab.nft('flush chain inet filter input\nflush chain inet filter forward\ndelete set inet filter ftp_data')
    lab.nft('add rule inet filter forward accept\nadd rule inet filter input accept')
    await expect(gateway.open(running)).rejects.toThrow(
      expect.objectContaining({
        code: 'PINHOLE_FAILED',
        message: 'nft add element inet filter ftp_data failed: ENOENT, no such file or directory',
      }),
    )
    expect(await saysAndHears(lab.connect('client', before.at), 'still open')).toBe(true)
    lab.nft('add set inet filter ftp_data { type ipv4_addr . ipv4_addr . inet_service; flags timeout; }')
    const after = await gateway.open(running)
    expect(await saysAndHears(lab.connect('client', after.at), 'open again')).toBe(true)
  })

  it('come back after somebody flushed the whole rule set', async () => {
    const running = await gateway.start()
    const early = await gateway.open(running)
    lab.nft(droppingGateway(byMark))
    const late = await gateway.open(running)
    expect(gateway.log).toEqual([{ event: 'tables.lose', fields: { restored: true, pinholes: 1 } }])
    for (const hole of [early, late]) {
      expect(await saysAndHears(lab.connect('client', hole.at), 'hello')).toBe(true)
    }
  })

  it.each([
    ['an emptied chain', 'flush chain ip ftp_alg claim'],
    ['a deleted table', 'delete table ip ftp_alg'],
    ['a rule of somebody else’s', 'insert rule ip ftp_alg pre accept'],
  ])('come back after %s, once a pinhole has ended without its peer', async (_, damage) => {
    const running = await gateway.start()
    const early = await gateway.open(running)
    const unused = await gateway.open(running)
    lab.nft(damage)
    unused.handle.close()
    expect(gateway.log).toEqual([{ event: 'tables.change', fields: { restored: true, pinholes: 1 } }])
    const late = await gateway.open(running)
    for (const hole of [early, late]) {
      expect(await saysAndHears(lab.connect('client', hole.at), 'hello')).toBe(true)
    }
    expect(gateway.log).toHaveLength(1)
  })

  it('are relayed where the kernel cannot: for us ourselves, and between address families', async () => {
    const running = await gateway.start()
    const toUs = await gateway.open(running, {
      target: { address: lab.gatewayTowards('server'), port: 5001 },
    })
    expect(toUs.inKernel).toBe(false)
    const fromUs = await gateway.open(running, {
      expect: lab.gatewayTowards('client'),
      client: lab.gatewayTowards('client'),
    })
    expect(fromUs.inKernel).toBe(false)
    const acrossFamilies = await gateway.open(running, {
      expect: lab.address('client', 6),
      client: lab.address('client', 6),
      local: lab.gatewayTowards('client', 6),
      source: null,
    })
    expect(acrossFamilies.inKernel).toBe(false)
    lab.nft('insert rule inet filter input icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept')
    expect(await saysAndHears(lab.connect('client', acrossFamilies.at), 'hello')).toBe(true)
  })

  it('are not used up by an attempt that nobody answered', async () => {
    const running = await gateway.start()
    const target = { ...gateway.echo, port: 9 }
    const hole = await gateway.open(running, { target })
    expect(await saysAndHears(lab.connect('client', hole.at), 'hello?')).toBe(false)
    expect(hole.events).toEqual([])
    const late = await lab.listen('server', target, (socket) => void socket.pipe(socket))
    const visitor = lab.connect('client', hole.at)
    expect(await saysAndHears(visitor, 'hello!')).toBe(true)
    visitor.destroy()
    await expect.poll(() => hole.events).toEqual(['forwarded', 'ended'])
    await expect.poll(() => gateway.hasElements()).toBe(false)
    late.server.close()
  })

  it('report a connection that was reset', async () => {
    const running = await gateway.start()
    const reset = await gateway.open(running)
    const socket = lab.connect('client', reset.at)
    expect(await saysAndHears(socket, 'hello')).toBe(true)
    socket.resetAndDestroy()
    await expect.poll(() => reset.events).toEqual(['forwarded', 'ended'])
  })
})
