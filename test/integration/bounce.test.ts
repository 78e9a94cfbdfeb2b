// S1–S5, S9, S10, S29: whatever a peer says, nobody but the two peers is ever connected to.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { receive } from '../support/peers/scripted-client.ts'
import type { Visit } from '../support/peers/scripted-server.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyPlan } from './proxy-under-test.ts'

async function through(lab: Lab, plan: ProxyPlan = {}, verbs: Parameters<typeof ftpScript>[0] = {}) {
  const server = await lab.server(ftpScript(verbs))
  const proxy = await lab.proxy(server, plan)
  return { server, proxy, client: await (await lab.client(proxy)).login() }
}

function portLine({ address, port }: { address: string; port: number }): string {
  return `PORT ${address.replaceAll('.', ',')},${port >> 8},${port & 255}`
}

describe('a client names somebody else', () => {
  for (const upstreamMode of ['client', 'passive', 'active'] as const) {
    test(`in PORT and EPRT: 501, nothing upstream, no connection (${upstreamMode})`, async ({ lab }) => {
      const third = await lab.bystander()
      const { client, server, proxy } = await through(lab, { upstreamMode })
      const before = server.visits[0]?.lines.length
      expect((await client.command(portLine(third))).code).toBe(501)
      expect((await client.command(`EPRT |1|${third.address}|${third.port}|`)).code).toBe(501)
      expect((await client.command(`EPRT !1!${third.address}!${third.port}!`)).code).toBe(501)
      expect(server.visits[0]?.lines.length).toBe(before)
      expect((await client.download('RETR 100', 'PORT')).data.sha256).toBe(payloadSha256(100))
      expect(third.connections).toBe(0)
      const denied = await proxy.metric('ftp_alg_commands_denied_total', { reason: 'bounce' })
      expect(denied).toBe(3)
      await lab.servesNext(proxy)
    })
  }

  test('ten times: 421 and the session is over', async ({ lab }) => {
    const third = await lab.bystander()
    const { client, proxy } = await through(lab)
    for (let refusal = 1; refusal <= 10; refusal += 1) {
      expect((await client.command(portLine(third))).code).toBe(501)
    }
    expect((await client.reply()).code).toBe(421)
    expect(await client.wire.ended()).toBe('fin')
    client.close()
    expect(await proxy.record('session.close')).toMatchObject({ reason: 'refusals' })
    expect(third.connections).toBe(0)
    await lab.servesNext(proxy)
  })

  test('with use-control-peer: the client itself is connected to', async ({ lab }) => {
    const { client } = await through(lab, { policy: { bounce: 'use-control-peer' } })
    const door = await client.openDoor()
    const third = await lab.bystander('127.0.0.66', door.port)
    expect((await client.command(portLine(third))).code).toBe(200)
    void client.send('RETR 100')
    expect((await receive(await door.accept())).sha256).toBe(payloadSha256(100))
    expect(third.connections).toBe(0)
  })
})

describe('a client names itself wrongly', () => {
  test('a port below 1024: 504', async ({ lab }) => {
    const { client } = await through(lab)
    for (const port of [1, 21, 22, 80, 1023]) {
      expect((await client.command(portLine({ address: '127.0.0.1', port }))).code).toBe(504)
    }
    expect((await client.command('EPRT |1|127.0.0.1|443|')).code).toBe(504)
  })

  test('numbers that are none: 501', async ({ lab }) => {
    const { client, server } = await through(lab, { limits: { refusals: 1000 } })
    const before = server.visits[0]?.lines.length
    const malformed = [
      'PORT',
      'PORT 127,0,0,1,256,1',
      'PORT 127,0,0,1,4,999',
      'PORT 127,0,0,257,19,137',
      'PORT 127,0,0,1,+19,137',
      'PORT 127,0,0,1,-19,137',
      'PORT 127,0,0,1,0x13,137',
      'PORT 127,0,0,1, 19,137',
      'PORT 127,0,0,1,19',
      'PORT 127,0,0,1,19,137,1',
      'PORT 127,0,0,1,0,0',
      'PORT 127.0.0.1,19,137',
      'PORT 127,0,0,1,19,137 ',
      'EPRT |1|127.0.0.1|65557|',
      'EPRT |1|127.0.0.1|0|',
      'EPRT |1|127.0.0.1|+5001|',
      'EPRT |1|127.0.0.1|0x1389|',
      'EPRT |1|127.0.0.1|5001',
      'EPRT |1|127.1|5001|',
      'EPRT |1|0177.0.0.1|5001|',
      'EPRT |1|2130706433|5001|',
      'EPRT ||127.0.0.1|5001|',
      'EPRT |1|127.0.0.1%lo|5001|',
    ]
    for (const line of malformed) {
      const { code } = await client.command(line)
      expect(`${line} -> ${code}`).toBe(`${line} -> 501`)
    }
    expect(server.visits[0]?.lines.length).toBe(before)
  })
})

describe('IPv6 in disguise', () => {
  test('an IPv4 client of a dual-stack listener is an IPv4 client, in every mode', async ({ lab }) => {
    for (const upstreamMode of ['client', 'passive', 'active'] as const) {
      const server = await lab.server(ftpScript())
      const proxy = await lab.proxy(server, { listen: '::', upstreamMode })
      const client = await (await lab.client(proxy, '127.0.0.4')).login()
      expect((await client.passive()).address).toBe('127.0.0.1')
      for (const verb of ['PASV', 'EPSV', 'PORT', 'EPRT'] as const) {
        expect(await client.download('RETR 100', verb)).toMatchObject({
          codes: [150, 226],
          data: { sha256: payloadSha256(100) },
        })
      }
      expect(proxy.recordsOf('session.open')[0]).toMatchObject({ client_ip: '127.0.0.4' })
    }
  })

  test('mapped and scoped addresses in EPRT open nothing', async ({ lab }) => {
    const third = await lab.bystander()
    const server = await lab.server(ftpScript())
    const proxy = await lab.proxy(server, { listen: '::1', upstreamMode: 'passive' })
    const client = await (await lab.client(proxy)).login()
    for (const address of [
      `::ffff:${third.address}`,
      '::ffff:7f00:42',
      '::1%lo',
      'fe80::1%1',
      '::127.0.0.66',
      '0:0:0:0:0:0:0:2',
    ]) {
      const { code } = await client.command(`EPRT |2|${address}|${third.port}|`)
      expect([501, 522]).toContain(code)
    }
    expect((await client.command(`EPRT |1|${third.address}|${third.port}|`)).code).toBe(522)
    expect((await client.download('RETR 100', 'EPRT')).data.sha256).toBe(payloadSha256(100))
    expect(third.connections).toBe(0)
  })

  test('its own address written at length is the client itself', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.proxy(server, { listen: '::1' })
    const client = await (await lab.client(proxy)).login()
    const door = await client.openDoor('EPRT')
    expect((await client.command(`EPRT |2|0:0:0:0:0:0:0:1|${door.port}|`)).code).toBe(200)
    void client.send('RETR 100')
    expect((await receive(await door.accept())).sha256).toBe(payloadSha256(100))
  })

  test('old commands on IPv6 say which new ones to use', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.proxy(server, { listen: '::1' })
    const client = await (await lab.client(proxy)).login()
    expect(await client.command('PASV')).toMatchObject({ code: 425, line: expect.stringContaining('EPSV') })
    expect(await client.command('PORT 127,0,0,1,19,137')).toMatchObject({
      code: 501,
      line: expect.stringContaining('EPRT'),
    })
    expect(await client.command('EPSV 1')).toMatchObject({ code: 522, line: expect.stringContaining('(2)') })
  })
})

describe('a server names somebody else', () => {
  /** PASV answered with another host, on the port where the server itself listens too. */
  const naming = (host: string) => ({
    verbs: {
      PASV: async (visit: Visit) => {
        const port = await visit.listen()
        visit.reply(`227 Entering Passive Mode (${host.replaceAll('.', ',')},${port >> 8},${port & 255}).`)
      },
    },
  })

  test('by default its own address is used and the third host hears nothing', async ({ lab }) => {
    const thirds: { readonly connections: number }[] = []
    const PASV = async (visit: Visit) => {
      const port = await visit.listen()
      // Listens too, and would take the bytes.
      thirds.push(await lab.bystander('127.0.0.66', port))
      visit.reply(`227 Entering Passive Mode (127,0,0,66,${port >> 8},${port & 255}).`)
    }
    const { client, server, proxy } = await through(lab, {}, { verbs: { PASV } })
    expect((await client.download('RETR 100')).data.sha256).toBe(payloadSha256(100))
    expect(server.failures).toEqual([])
    await lab.servesNext(proxy)
    expect(thirds.map(({ connections }) => connections)).toEqual([0, 0])
  })

  test('with must-match, or an allow-list that means others: 425', async ({ lab }) => {
    for (const pasvAddress of ['must-match', ['10.0.0.0/8'], ['127.0.0.0/8']] as const) {
      const { client } = await through(lab, { policy: { pasvAddress } }, naming('127.0.0.66'))
      expect((await client.command('PASV')).code).toBe(425)
      expect((await client.command('NOOP')).code).toBe(200)
    }
  })

  for (const [verb, reply] of [
    ['PASV', '227 Entering Passive Mode (127,0,0,1,0,22)'],
    ['PASV', '227 Entering Passive Mode (127,0,0,1,0,25)'],
    ['PASV', '227 Entering Passive Mode (127,0,0,1,3,255)'],
    ['PASV', '227 Entering Passive Mode (127,0,0,1,256,1)'],
    ['PASV', '227 Entering Passive Mode (127,0,0,1,0,0)'],
    ['PASV', '227 nothing to see'],
    ['PASV', '229 Entering Extended Passive Mode (|||40000|)'],
    ['EPSV', '229 Entering Extended Passive Mode (|||22|)'],
    ['EPSV', '229 Entering Extended Passive Mode (|||65557|)'],
    // The address in it is not looked at: nobody listens at that port of the server's.
    ['EPSV', '229 Entering Extended Passive Mode (|1|127.0.0.66|4000|)'],
    ['EPSV', '229 no port'],
  ] as const) {
    test(`${verb} answered "${reply}": refused, and no data port`, async ({ lab }) => {
      const answer = (visit: Visit) => visit.reply(reply)
      const { client, proxy } = await through(lab, {}, { verbs: { [verb]: answer } })
      const { code } = await client.command(verb)
      // A client that is told 522 tries PASV; a port that is not allowed is not the verb's fault.
      expect(code).toBe(verb === 'EPSV' && !reply.includes('(|||22|)') ? 522 : 425)
      expect(proxy.remains.pinholes_active).toBe(0)
      expect((await client.command('NOOP')).code).toBe(200)
    })
  }

  test('with its own control port: 425', async ({ lab }) => {
    const PASV = (visit: Visit) => {
      const { port } = visit.at
      visit.reply(`227 Entering Passive Mode (127,0,0,1,${port >> 8},${port & 255}).`)
    }
    const { client, server } = await through(lab, {}, { verbs: { PASV } })
    expect((await client.command('PASV')).code).toBe(425)
    expect(server.visits).toHaveLength(1)
  })
})

describe('a 227 that nobody asked for', () => {
  test('is text wherever it stands, and opens nothing', async ({ lab }) => {
    const third = await lab.bystander()
    const { port } = third
    const evil = `227 Entering Passive Mode (127,0,0,66,${port >> 8},${port & 255}).`
    const { client, proxy } = await through(
      lab,
      {},
      {
        verbs: {
          CWD: (visit) => visit.reply(evil),
          HELP: (visit) => void visit.wire.send(`214-Help\r\n${evil}\r\n 229 x (|||22|)\r\n214 End\r\n`),
          NOOP: (visit) => void visit.wire.send(`${evil}\r\n200 Done.\r\n`),
          SYST: (visit) => void visit.wire.send(`215 UNIX\r\n229 Extended (|||${port}|)\r\n`),
        },
      },
    )
    const masked = evil.replace(/(?<!^)\d(?!\d?\d? Enter)/g, '*')
    expect((await client.command('CWD /')).line).toBe(masked)
    expect((await client.command('HELP')).text).toContain(masked)
    expect((await client.command('NOOP')).line).toBe(masked)
    expect((await client.reply()).code).toBe(200)
    expect((await client.command('SYST')).code).toBe(215)
    expect((await client.reply()).code).toBe(229)
    expect(proxy.remains).toMatchObject({ pinholes_active: 0, ports: 0 })
    expect((await client.download('RETR 100')).data.sha256).toBe(payloadSha256(100))
    expect(third.connections).toBe(0)
    const counted = { reason: 'unsolicited_endpoint' }
    expect(await proxy.metric('ftp_alg_protocol_errors_total', counted)).toBeGreaterThan(0)
  })
})
