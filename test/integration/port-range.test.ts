// Which port is announced, to whom, and what happens when there is none.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { receive } from '../support/peers/scripted-client.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyPlan } from './proxy-under-test.ts'

async function through(lab: Lab, plan: ProxyPlan = {}) {
  const server = await lab.server(ftpScript())
  const proxy = await lab.proxy(server, plan)
  const login = async (from?: string) => (await lab.client(proxy, from)).login()
  return { server, proxy, login }
}

const eightClients = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 1}`)

describe('a range of few ports', () => {
  test('one port serves eight clients at once, each its own file', async ({ lab }) => {
    const { first } = await lab.ports()
    const { login } = await through(lab, { dataPorts: { first, last: first } })
    const clients = await Promise.all(eightClients.map(login))
    const announced = await Promise.all(clients.map((client) => client.passive()))
    expect(announced.map(({ port }) => port)).toEqual(eightClients.map(() => first))
    // All connect before any of them transfers.
    const connected = await Promise.all(
      clients.map((client, index) => client.connectData(announced[index] ?? { address: '', port: 0 })),
    )
    const received = await Promise.all(
      clients.map(async (client, index) => {
        const data = connected[index]?.collect()
        await client.command(`RETR ${1000 + index}`)
        return data
      }),
    )
    expect(received.map((each) => each?.sha256)).toEqual(
      eightClients.map((_, index) => payloadSha256(1000 + index)),
    )
  })

  test('exhaustion is answered 425 at once, and the port is free again after use', async ({ lab }) => {
    const { first } = await lab.ports()
    const { login, proxy } = await through(lab, { dataPorts: { first, last: first } })
    const [one, other] = [await login(), await login()]
    const at = await one.passive()
    const askedMs = performance.now()
    expect((await other.command('PASV')).code).toBe(425)
    expect((await other.command('EPSV')).code).toBe(425)
    expect(performance.now() - askedMs).toBeLessThan(5_000)
    expect(proxy.remains).toMatchObject({ pinholes_active: 1, ports: 1 })
    const received = receive(await one.connectData(at))
    expect((await one.command('RETR 10')).code).toBe(150)
    expect((await received).byteCount).toBe(10)
    expect((await one.reply()).code).toBe(226)
    expect((await other.download('RETR 20')).data.byteCount).toBe(20)
    await expect.poll(() => proxy.remains).toMatchObject({ pinholes_active: 0, ports: 0 })
    expect(await proxy.metric('ftp_alg_pinhole_failures_total', { reason: 'exhausted' })).toBe(2)
    expect(await proxy.metric('ftp_alg_pinholes_active')).toBe(0)
  })

  test('exhaustion does not count as a misdeed of the client', async ({ lab }) => {
    const { first } = await lab.ports()
    const { login } = await through(lab, { dataPorts: { first, last: first } })
    const [one, other] = [await login(), await login()]
    await one.passive()
    for (let round = 0; round < 15; round += 1) expect((await other.command('PASV')).code).toBe(425)
    expect((await other.command('NOOP')).code).toBe(200)
  })

  test('one client gets no more than its share of what a server connects to', async ({ lab }) => {
    const { first } = await lab.ports()
    const { login } = await through(lab, { dataPorts: { first, last: first + 3 } })
    const greedy = await Promise.all([login('127.0.0.5'), login('127.0.0.5'), login('127.0.0.5')])
    const codes: number[] = []
    for (const client of greedy) {
      codes.push((await client.command((await client.openDoor()).announcement)).code)
    }
    expect(codes).toEqual([200, 200, 425])
    const modest = await login('127.0.0.6')
    expect((await modest.download('RETR 30', 'PORT')).data.byteCount).toBe(30)
  })
})

describe('a range of many ports', () => {
  test('ports come at random from all of the range and never from outside', async ({ lab }) => {
    const { first } = await lab.ports()
    const last = first + 49
    const { login } = await through(lab, { dataPorts: { first, last } })
    const client = await login()
    const ports: number[] = []
    for (let round = 0; round < 120; round += 1) ports.push((await client.passive()).port)
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(first)
    expect(Math.max(...ports)).toBeLessThanOrEqual(last)
    // A port rests for two seconds: these take far less.
    expect(new Set(ports.slice(0, 20)).size).toBe(20)
    // 120 draws of 50 that do not repeat while others are free: all of them have come.
    expect(new Set(ports).size).toBeGreaterThan(40)
    const neighbours = ports.filter((port, index) => Math.abs(port - (ports[index - 1] ?? 0)) === 1)
    expect(neighbours.length).toBeLessThan(30)
  })

  test('a port that another program holds is passed over', async ({ lab }) => {
    const { first } = await lab.ports()
    const dataPorts = { first, last: first + 1 }
    const { login: loginElsewhere } = await through(lab, { dataPorts: { first, last: first } })
    await (await loginElsewhere()).passive()
    const { login } = await through(lab, { dataPorts })
    const client = await login()
    for (let round = 0; round < 6; round += 1) {
      expect(await client.passive()).toMatchObject({ port: first + 1 })
    }
  })

  test('both sides draw from their own ranges where they are apart', async ({ lab }) => {
    const { first } = await lab.ports()
    const client = { first, last: first + 9 }
    const server = { first: first + 20, last: first + 29 }
    const { login, server: upstream } = await through(lab, {
      dataPorts: { client, server },
      upstreamMode: 'active',
    })
    const ftp = await login()
    for (let round = 0; round < 5; round += 1) {
      const { port } = await ftp.passive()
      expect(port).toBeGreaterThanOrEqual(client.first)
      expect(port).toBeLessThanOrEqual(client.last)
      const told = upstream.visits[0]?.targeted?.port
      expect(told).toBeGreaterThanOrEqual(server.first)
      expect(told).toBeLessThanOrEqual(server.last)
    }
  })
})

describe('what is announced', () => {
  test('a balancer in front maps ports: the announced one is not the one listened on', async ({ lab }) => {
    const { first } = await lab.ports()
    const dataPorts = { first, last: first + 9, announceOffset: 10_000 }
    const { login } = await through(lab, { dataPorts })
    const client = await login()
    const announced = await client.passive()
    expect(announced.port).toBeGreaterThanOrEqual(first + 10_000)
    expect(announced.port).toBeLessThanOrEqual(first + 10_009)
    const mapped = { address: announced.address, port: announced.port - 10_000 }
    const received = receive(await client.connectData(mapped))
    expect((await client.command('RETR 40')).code).toBe(150)
    expect((await received).byteCount).toBe(40)
    expect((await client.reply()).code).toBe(226)
    const extended = await client.passive('EPSV')
    expect(extended.port).toBeGreaterThanOrEqual(first + 10_000)
  })

  test('the first rule that fits the client gives the address in 227', async ({ lab }) => {
    const { login } = await through(lab, {
      advertise: {
        clients: [
          { to: '127.0.0.2/32', address: '192.0.2.1' },
          { to: '127.0.0.0/30', address: '192.0.2.2' },
          { to: 'any', address: '198.51.100.3' },
        ],
      },
    })
    const told = async (from: string) => (await (await login(from)).passive()).address
    expect(await told('127.0.0.2')).toBe('192.0.2.1')
    expect(await told('127.0.0.3')).toBe('192.0.2.2')
    expect(await told('127.0.0.9')).toBe('198.51.100.3')
  })

  test('a DNS name is announced as the address it has now', async ({ lab }) => {
    const { login } = await through(lab, { advertise: { clients: [{ to: 'any', address: 'localhost' }] } })
    const client = await login('127.0.0.7')
    expect((await client.passive()).address).toBe('127.0.0.1')
    expect((await client.download('RETR 50')).data.byteCount).toBe(50)
  })

  test('servers are told their own rule in PORT and EPRT', async ({ lab }) => {
    const { login, server } = await through(lab, {
      upstreamMode: 'active',
      advertise: {
        clients: [{ to: 'any', address: '192.0.2.1' }],
        servers: [{ to: '127.0.0.0/8', address: '198.51.100.7' }],
      },
    })
    const client = await login()
    expect((await client.passive()).address).toBe('192.0.2.1')
    expect(server.visits[0]?.targeted?.address).toBe('198.51.100.7')
    await client.passive('EPSV')
    expect(server.visits[0]?.lines.at(-1)).toMatch(/^EPRT \|1\|198\.51\.100\.7\|\d+\|$/)
  })

  test('a rule without an address of the client’s family does not fit', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.proxy(server, {
      listen: '::1',
      upstreamMode: 'active',
      advertise: { clients: [{ to: 'any', address: '192.0.2.1' }] },
    })
    const client = await (await lab.client(proxy)).login()
    expect((await client.download('RETR 60', 'EPSV')).data.byteCount).toBe(60)
  })

  test('each peer meets the address it knows, in 227 and as the source of data connections', async ({
    lab,
  }) => {
    const seen: [string | undefined, string][] = []
    const server = await lab.server(
      ftpScript({
        verbs: {
          RETR: async (visit) => {
            visit.reply('150 Look.')
            const data = await visit.data()
            seen.push([data.socket.remoteAddress, visit.from.address])
            data.socket.end('x')
            await data.ended()
            visit.reply('226 Seen.')
          },
        },
      }),
      { host: '127.0.0.9' },
    )
    const proxy = await lab.proxy(server, { listen: '0.0.0.0' })
    const client = await (await lab.client({ address: '127.0.0.7', port: proxy.port }, '127.0.0.3')).login()
    expect((await client.passive()).address).toBe('127.0.0.7')
    expect((await client.download('RETR x', 'EPSV')).data.byteCount).toBe(1)
    const door = await client.openDoor()
    expect((await client.command(door.announcement)).code).toBe(200)
    void client.send('RETR x')
    const data = await door.accept()
    expect(data.socket.remoteAddress).toBe('127.0.0.7')
    expect((await receive(data)).byteCount).toBe(1)
    expect(seen.map(([from, control]) => from === control)).toEqual([true, true])
  })
})
