// Who comes to a data port that the kernel serves and was not expected there: nobody answers him, and we hear of it,
// once for each attempt.

import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'
import { watchAttempts } from '../../../src/kernel/attempt-watch.ts'
import { droppingGateway, GatewayBackend, saysAndHears } from '../../support/gateway-backend.ts'
import { type Family, type Host, Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`strangers at nftables pinholes: skipped, ${obstacle}`)

/** Packets that nobody wanted are counted. */
const dropping = droppingGateway('ct mark 0xf7 accept')
  .replace('chain input {', 'counter dropped { }\n  chain input {')
  .replaceAll(
    'ct state established accept',
    'ct state established accept\n    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
  )
const countDropped = 'add rule inet filter input tcp dport 30000-30999 counter name dropped'

describe.skipIf(obstacle !== null)('a stranger at a data port of the kernel’s', () => {
  let lab: Lab
  let gateway: GatewayBackend
  const knocking: Socket[] = []

  beforeAll(async () => {
    lab = await Lab.create()
    gateway = await GatewayBackend.create(lab)
  })
  afterAll(() => lab.close())
  beforeEach(() => {
    lab.nft(dropping)
    lab.nft(countDropped)
  })
  afterEach(async () => {
    for (const socket of knocking.splice(0)) socket.destroy()
    await gateway.stop()
  })

  /** Tries to connect and is not waited for. */
  function knock(from: Host, to: Endpoint, port = 0): Socket {
    const socket = lab.connect(from, to, { port }).on('error', () => undefined)
    knocking.push(socket)
    return socket
  }

  const droppedPackets = () =>
    Number(
      /packets (\d+)/.exec(lab.exec('gateway', 'nft', 'list', 'counter', 'inet', 'filter', 'dropped'))?.[1],
    )
  const heard = () => expect.poll(() => gateway.intruders.map(({ reason }) => reason))

  it.each([4, 6] as const)(
    'is heard of with his address and the port, once for each attempt (IPv%i)',
    async (family: Family) => {
      const running = await gateway.start()
      const changes =
        family === 4
          ? {}
          : {
              expect: lab.address('client', 6),
              client: lab.address('client', 6),
              local: lab.gatewayTowards('client', 6),
              target: null,
              source: null,
            }
      const { at } = await gateway.open(running, changes)
      knock('attacker', at, 40_001)
      // The kernel of the attacker tries again after a second.
      await expect.poll(droppedPackets, { timeout: 10_000 }).toBeGreaterThanOrEqual(2)
      knock('attacker', at, 40_002)
      await heard().toEqual(['wrong_peer', 'wrong_peer'])
      const from = lab.address('attacker', family)
      expect(gateway.intruders).toEqual([
        { from: { address: from, port: 40_001 }, port: at.port, reason: 'wrong_peer' },
        { from: { address: from, port: 40_002 }, port: at.port, reason: 'wrong_peer' },
      ])
      expect(await saysAndHears(lab.connect('client', at), 'still mine')).toBe(true)
    },
  )

  it('is told apart: a second connection, one that comes too late, one that nobody ever waited for', async () => {
    const running = await gateway.start()
    const used = await gateway.open(running)
    expect(await saysAndHears(lab.connect('client', used.at), 'first')).toBe(true)
    await expect.poll(() => used.events).toContain('forwarded')
    knock('client', used.at)
    await heard().toEqual(['duplicate'])
    knock('attacker', used.at)
    await heard().toEqual(['duplicate', 'late'])
    const relayed = await gateway.open(running, { target: null, source: null })
    expect(await saysAndHears(lab.connect('client', relayed.at), 'first')).toBe(true)
    knock('client', relayed.at)
    await heard().toEqual(['duplicate', 'late', 'duplicate'])
    const closed = await gateway.open(running)
    closed.handle.close()
    await expect.poll(() => gateway.hasElements()).toBe(false)
    knock('client', closed.at)
    await heard().toEqual(['duplicate', 'late', 'duplicate', 'late'])
    const never = { address: lab.gatewayTowards('attacker'), port: 30_500 }
    knock('attacker', never)
    await heard().toEqual(['duplicate', 'late', 'duplicate', 'late', 'wrong_peer'])
  })

  it('is counted once when he gets as far as a port that we listen on ourselves', async () => {
    lab.nft('insert rule inet filter input accept')
    const running = await gateway.start()
    const { at } = await gateway.open(running, { target: null, source: null })
    expect(await saysAndHears(lab.connect('attacker', at), 'let me in')).toBe(false)
    knock('attacker', { ...at, port: 30_999 }, 40_009)
    await heard().toEqual(['wrong_peer', 'wrong_peer'])
    expect(gateway.intruders.map(({ port }) => port)).toEqual([at.port, 30_999])
  })

  it('is nobody who goes elsewhere, or comes for somebody else’s ports', async () => {
    lab.nft('insert rule inet filter forward accept')
    const running = await gateway.start({
      strangers: { ports: [{ first: 30_000, last: 30_999 }], everywhere: true },
    })
    const server = lab.address('server')
    const assumed = await gateway.open(running, { local: server, target: null, source: null })
    // A port of that number on another machine, a port outside the range, and what this machine says to itself.
    knock('attacker', { address: server, port: assumed.at.port === 30_001 ? 30_002 : 30_001 })
    knock('attacker', { address: lab.gatewayTowards('attacker'), port: 31_000 })
    knocking.push(connect(30_000, '127.0.0.1').on('error', () => undefined))
    // At the server's address, where our pinhole stands, he is one.
    knock('attacker', assumed.at, 40_003)
    await heard().toEqual(['wrong_peer'])
    expect(gateway.intruders[0]).toMatchObject({ from: { port: 40_003 }, port: assumed.at.port })
  })

  it('is heard of again after somebody flushed the whole rule set', async () => {
    const running = await gateway.start()
    knock('attacker', { address: lab.gatewayTowards('attacker'), port: 30_001 })
    await heard().toEqual(['wrong_peer'])
    lab.nft(dropping)
    await gateway.open(running)
    knock('attacker', { address: lab.gatewayTowards('attacker'), port: 30_002 })
    await heard().toEqual(['wrong_peer', 'wrong_peer'])
  })

  it('is not heard of while another program takes what the kernel tells, and all else works', async () => {
    const other = watchAttempts(lab.libc, { group: 30_000 }, () => undefined)
    const running = await gateway.start()
    expect(gateway.log).toMatchObject([{ event: 'strangers.ignore', fields: { log_group: 30_000 } }])
    expect(await saysAndHears(lab.connect('client', (await gateway.open(running)).at), 'hello')).toBe(true)
    await gateway.stop()
    other.close()
    await gateway.start()
    expect(gateway.log).toEqual([])
  })
})
