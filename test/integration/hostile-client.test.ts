// S11–S14, S22: what a client may send that is not FTP, or too much of it. Nothing hangs, memory is bounded, and the
// next client is served.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { MiB } from '../support/peers/payload.ts'
import { ScriptedClient } from '../support/peers/scripted-client.ts'
import type { Wire } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyPlan } from './proxy-under-test.ts'

async function through(lab: Lab, plan: ProxyPlan = {}, script = ftpScript()) {
  const server = await lab.server(script)
  const proxy = await lab.proxy(server, plan)
  return { server, proxy }
}

/** Sends the same bytes again and again without reading, until the other side takes no more. Gives how many it took. */
async function flood(wire: Wire, text: string, most: number): Promise<number> {
  const block = Buffer.from(text.repeat(Math.ceil((64 * 1024) / text.length)), 'latin1')
  const pouring = async () => {
    while (wire.socket.bytesWritten < most && wire.socket.writable) await wire.send(block)
  }
  void pouring()
  let before = -1
  const isStill = () => {
    const now = wire.socket.bytesWritten - wire.socket.writableLength
    const same = now === before
    before = now
    return same
  }
  await expect.poll(isStill, { interval: 300, timeout: 20_000 }).toBe(true)
  return before
}

describe('something else than FTP', () => {
  for (const [what, bytes] of [
    [
      'an HTTP POST',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nUSER joe\r\nPASS x\r\nPORT 127,0,0,66,20,20\r\n',
    ],
    ['an HTTP GET', 'GET /PORT%20127 HTTP/1.0\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03'],
    ['an SSH banner', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['an SMTP greeting', 'EHLO there\r\n'],
    ['a SIP request', 'REGISTER sip:x SIP/2.0\r\n'],
    ['binary noise', '\x00\x01\x02\x03\x04'],
    ['bytes above 127', '\xf0\x9f\x92\xa9\r\n'],
  ] as const) {
    test(`${what} gets 421 and nothing of it goes upstream`, async ({ lab }) => {
      const { server, proxy } = await through(lab)
      const whole = await lab.wire(proxy)
      await whole.send(bytes)
      expect(await whole.readRest()).toMatch(/^(220 [^\r]*\r\n)?421 [^\r]*\r\n$/)
      const slow = await lab.wire(proxy)
      void slow.sendByteByByte(bytes)
      expect(await slow.readRest()).toMatch(/^(220 [^\r]*\r\n)?421 [^\r]*\r\n$/)
      whole.close()
      slow.close()
      expect(server.visits.flatMap(({ lines }) => lines)).toEqual([])
      expect(proxy.remains.pinholes_active).toBe(0)
      expect(await proxy.metric('ftp_alg_commands_denied_total', { reason: 'not_ftp' })).toBe(2)
      await lab.servesNext(proxy)
    })
  }

  test('unknown verbs before login: the third gets 421', async ({ lab }) => {
    const { server, proxy } = await through(lab)
    const client = await lab.client(proxy)
    await client.reply()
    expect((await client.command('NOOP')).code).toBe(200)
    expect((await client.command('FROB 1')).code).toBe(500)
    expect((await client.command('FROB 2')).code).toBe(500)
    expect((await client.command('FROB 3')).code).toBe(500)
    expect((await client.reply()).code).toBe(421)
    expect(await client.wire.ended()).toBe('fin')
    expect(server.visits[0]?.lines).toEqual(['NOOP'])
  })

  test('PORT and EPRT before login: 530, and PASV too where it would become PORT', async ({ lab }) => {
    const { server, proxy } = await through(lab, { upstreamMode: 'active' })
    const client = await lab.client(proxy)
    await client.reply()
    expect((await client.command((await client.openDoor()).announcement)).code).toBe(530)
    expect((await client.command((await client.openDoor('EPRT')).announcement)).code).toBe(530)
    expect((await client.command('PASV')).code).toBe(530)
    expect(server.visits[0]?.lines).toEqual([])
    expect(proxy.remains.pinholes_active).toBe(0)
  })
})

describe('lines', () => {
  test('may come one byte at a time', async ({ lab }) => {
    const { server, proxy } = await through(lab)
    const client = await lab.client(proxy)
    await client.reply()
    for (const [line, code] of [
      ['USER joe', 331],
      ['PASS secret', 230],
      ['CWD a b  c', 250],
    ] as const) {
      await client.wire.sendByteByByte(`${line}\r\n`)
      expect((await client.reply()).code).toBe(code)
    }
    await client.wire.sendByteByByte('NOOP\n')
    expect((await client.reply()).code).toBe(200)
    expect(server.visits[0]?.lines).toEqual(['USER joe', 'PASS secret', 'CWD a b  c', 'NOOP'])
  })

  test('with control characters inside are refused whole', async ({ lab }) => {
    const { server, proxy } = await through(lab, { limits: { refusals: 100 } })
    const client = await (await lab.client(proxy)).login()
    const before = server.visits[0]?.lines.length
    for (const line of [
      'CWD a\rDELE b',
      'CWD a\0b',
      'CWD a\rDELE b\r',
      'RETR a\x0bb',
      'SITE \x1b[2J',
      'CWD \x7f',
      'DE\xff\xf1LE b',
    ]) {
      const { code } = await client.command(line)
      expect(`${JSON.stringify(line)} ${code}`).toBe(`${JSON.stringify(line)} 500`)
    }
    // Telnet inside a line is no Telnet.
    void client.send('DE\xff\xfb\x01LE b')
    expect(await client.wire.readLine()).toMatch(/^500 /)
    expect(server.visits[0]?.lines.length).toBe(before)
  })

  test('of one megabyte: 500, then 421 for the second, with little memory', async ({ lab }) => {
    const { server, proxy } = await through(lab)
    const client = await (await lab.client(proxy)).login()
    const before = server.visits[0]?.lines.length
    await client.wire.send(`CWD ${'a'.repeat(MiB)}\r\n`)
    expect((await client.reply()).code).toBe(500)
    expect((await client.command('NOOP')).code).toBe(200)
    void client.wire.send(`CWD ${'b'.repeat(MiB)}`)
    expect((await client.reply()).code).toBe(500)
    expect((await client.reply()).code).toBe(421)
    client.close()
    expect(server.visits[0]?.lines.slice(before)).toEqual(['NOOP'])
    await lab.servesNext(proxy)
  })

  test('with Telnet inside are understood; negotiation is refused and not relayed', async ({ lab }) => {
    const { server, proxy } = await through(lab)
    const client = await (await lab.client(proxy)).login()
    await client.wire.send('\xff\xfb\x01\xff\xfd\x03NOOP\r\n')
    expect(await client.wire.readBytes(6)).toBe('\xff\xfe\x01\xff\xfc\x03')
    expect((await client.reply()).code).toBe(200)
    expect((await client.command('CWD \xff\xff\xe9t\xe9')).code).toBe(250)
    expect(server.visits[0]?.lines.slice(2)).toEqual(['NOOP', 'CWD \xff\xff\xe9t\xe9'])
  })
})

describe('too much at once', () => {
  test('commands sent in one segment go upstream at once and are answered in order', async ({ lab }) => {
    const { server, proxy } = await through(lab, {}, async (visit) => {
      visit.reply('220 Ready.')
      const verbs: string[] = []
      // Nothing is answered before all have come.
      while (verbs.length < 4) verbs.push((await visit.nextCommand())?.verb ?? '')
      for (const verb of verbs) visit.reply(verb === 'PASS' ? '230 In.' : `331 ${verb}.`)
      visit.reply(`331 ${(await visit.nextCommand())?.verb}.`)
    })
    const client = await lab.client(proxy)
    await client.reply()
    await client.wire.send('USER a\r\nPASS b\r\nCWD c\r\nNOOP\r\nUSER d\r\n')
    const lines = []
    for (let count = 0; count < 5; count += 1) lines.push((await client.reply()).line)
    // NOOP is answered with nothing but 200: what else comes goes on as it is.
    expect(lines).toEqual(['331 USER.', '230 In.', '331 CWD.', '331 NOOP.', '331 USER.'])
    expect(server.visits[0]?.lines).toEqual(['USER a', 'PASS b', 'CWD c', 'NOOP', 'USER d'])
  })

  test('ten thousand commands without reading are all answered, in order', async ({ lab }) => {
    const { server, proxy } = await through(
      lab,
      {},
      ftpScript({ verbs: { SIZE: (visit, { argument }) => visit.reply(`213 ${argument}`) } }),
    )
    const client = await (await lab.client(proxy)).login()
    const all = Array.from({ length: 10_000 }, (_, count) => count)
    client.wire.pause()
    await client.wire.send(all.map((count) => `SIZE ${count}\r\n`).join(''))
    const answers = all.map((count) => `213 ${count}\r\n`).join('')
    client.wire.resume()
    expect(await client.wire.readBytes(answers.length)).toBe(answers)
    expect(server.visits[0]?.lines).toHaveLength(10_002)
  })

  for (const [what, line] of [
    ['commands for the server', 'HELP\r\n'],
    ['commands that the proxy answers itself', 'EPSV ALL\r\n'],
  ] as const) {
    test(`a client that never reads is not read any more: ${what}`, async ({ lab }) => {
      const long = `214-Help\r\n${' no help at all\r\n'.repeat(60)}214 End`
      const { proxy } = await through(lab, {}, ftpScript({ verbs: { HELP: (visit) => visit.reply(long) } }))
      const client = await (await lab.client(proxy)).login()
      client.wire.pause()
      const rssBefore = process.memoryUsage.rss()
      const taken = await flood(client.wire, line, 96 * MiB)
      expect(taken).toBeLessThan(32 * MiB)
      expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(24 * MiB)
      await lab.servesNext(proxy)
      client.close()
    })
  }

  test('hundreds of PASV leave one pinhole', async ({ lab }) => {
    const { proxy } = await through(lab)
    const client = await (await lab.client(proxy)).login()
    for (let count = 0; count < 300; count += 1) await client.passive()
    expect(proxy.remains).toMatchObject({ pinholes_active: 1, ports: 1 })
    await lab.servesNext(proxy)
  })

  test('a flood of Telnet options is not answered for ever', async ({ lab }) => {
    const { proxy } = await through(lab)
    const client = await (await lab.client(proxy)).login()
    await client.wire.send('\xff\xfb\x01'.repeat(5000))
    await client.wire.send('NOOP\r\n')
    const reply = await client.wire.readLine()
    expect(reply.endsWith('200 Nothing done.')).toBe(true)
    expect(reply.length).toBeLessThan(1000)
  })

  test('a thousand connects and closes leave nothing', async ({ lab }) => {
    const { server, proxy } = await through(lab)
    for (let round = 0; round < 20; round += 1) {
      const wires = await Promise.all(Array.from({ length: 50 }, () => ScriptedClient.connect(proxy)))
      wires.forEach(({ wire }, index) => {
        if (index % 3 === 0) wire.reset()
        else if (index % 3 === 1) wire.close()
        else wire.halfClose()
      })
      await proxy.forgetsEverything()
      for (const { wire } of wires) wire.close()
    }
    expect(proxy.listener.sessions_total + proxy.listener.sessions_rejected_total).toBeLessThanOrEqual(1000)
    await lab.servesNext(proxy)
    await expect.poll(() => server.visits.every(({ wire }) => wire.ending !== null)).toBe(true)
  })
})
