// AUTH TLS: refused by default; with `tls.mode: passthrough` the session becomes a pipe in which only the two peers
// can read. S15, S16: not a word of plaintext may slip in around the change.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { Arrivals } from '../support/peers/patience.ts'
import { MiB, payload } from '../support/peers/payload.ts'
import type { Script } from '../support/peers/scripted-server.ts'
import { acceptTls, startTls } from '../support/peers/tls.ts'
import type { Wire } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'
import type { ProxyPlan } from './proxy-under-test.ts'

/** Greets, accepts AUTH, and hands the encrypted end over. */
function tlsServer(secured: Arrivals<Wire>): Script {
  return async (visit) => {
    visit.reply('220 Ready.')
    for (let command = await visit.nextCommand(); command !== null; command = await visit.nextCommand()) {
      if (command.verb !== 'AUTH') {
        visit.reply('530 Please use TLS.')
        continue
      }
      visit.reply('234 Go ahead.')
      secured.add(await acceptTls(visit.wire))
      return
    }
  }
}

async function secure(lab: Lab, plan: ProxyPlan = {}) {
  const secured = new Arrivals<Wire>()
  const server = await lab.server(tlsServer(secured))
  const proxy = await lab.proxy(server, { passthrough: 'explicit', ...plan })
  const client = await lab.client(proxy)
  await client.reply()
  expect((await client.command('AUTH TLS')).line).toBe('234 Go ahead.')
  const clientEnd = await startTls(client.wire)
  return { proxy, client, server, clientEnd, serverEnd: await secured.next('the encrypted connection') }
}

describe('passthrough', () => {
  test('carries a real handshake, and what follows is between the two peers', async ({ lab }) => {
    const { clientEnd, serverEnd, proxy } = await secure(lab, { logLevel: 'debug' })
    void clientEnd.send('USER joe\r\nPASS hunter2\r\nPORT 127,0,0,66,1,1\r\n')
    expect(await serverEnd.readLine()).toBe('USER joe')
    expect(await serverEnd.readLine()).toBe('PASS hunter2')
    expect(await serverEnd.readLine()).toBe('PORT 127,0,0,66,1,1')
    void serverEnd.send('227 Entering Passive Mode (10,0,0,1,20,20)\r\n')
    expect(await clientEnd.readLine()).toBe('227 Entering Passive Mode (10,0,0,1,20,20)')
    expect(proxy.log).not.toContain('hunter2')
    expect(proxy.log).not.toContain('USER joe')
    expect(proxy.remains.pinholes_active).toBe(0)
  })

  test('carries much in both directions at once, and ends with each side', async ({ lab }) => {
    const { clientEnd, serverEnd } = await secure(lab)
    const size = 4 * MiB
    const [up, down] = [serverEnd.collect(), clientEnd.collect()]
    await Promise.all([clientEnd.send(payload(size)), serverEnd.send(payload(size + 1))])
    clientEnd.halfClose()
    serverEnd.halfClose()
    expect((await up).byteCount).toBe(size)
    expect((await down).byteCount).toBe(size + 1)
  })

  test('holds a fast peer back where the other does not read', async ({ lab }) => {
    const { clientEnd, client, serverEnd } = await secure(lab)
    clientEnd.pause()
    client.wire.socket.pause()
    const rssBefore = process.memoryUsage.rss()
    const block = payload(MiB)
    let sent = 0
    const pouring = async () => {
      for (; sent < 64; sent += 1) await serverEnd.send(block)
    }
    const done = pouring()
    let before = -1
    const isStill = () => {
      const same = sent === before
      before = sent
      return same
    }
    await expect.poll(isStill, { interval: 300 }).toBe(true)
    expect(sent).toBeLessThan(64)
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(32 * MiB)
    const received = clientEnd.collect()
    client.wire.socket.resume()
    await done
    serverEnd.halfClose()
    expect((await received).byteCount).toBe(64 * MiB)
  })

  test('has no login time, but an idle time; the end is not announced in plaintext', async ({ lab }) => {
    const { clientEnd, serverEnd } = await secure(lab, { limits: { loginMs: 1_500, idleMs: 2_500 } })
    const sinceMs = performance.now()
    while (performance.now() - sinceMs < 3_500) {
      void clientEnd.send('NOOP\r\n')
      expect(await serverEnd.readLine()).toBe('NOOP')
    }
    const errors: Error[] = []
    clientEnd.socket.on('error', (error) => errors.push(error))
    expect(await clientEnd.ended()).toBe('fin')
    expect(errors).toEqual([])
  })

  test('is counted, told once, and shown on the session view', async ({ lab }) => {
    const { clientEnd, serverEnd, proxy } = await secure(lab)
    await clientEnd.send('NOOP\r\n')
    await serverEnd.readLine()
    expect(await proxy.metric('ftp_alg_passthrough_sessions_total')).toBe(1)
    expect(proxy.recordsOf('tls.pass')).toMatchObject([{ level: 'info', begins: 'AUTH' }])
    expect(proxy.sessions).toMatchObject([{ state: 'passthrough', user: null }])
  })

  test('goes on through a drain until it is cut off', async ({ lab }) => {
    const { clientEnd, serverEnd, proxy } = await secure(lab)
    const drained = proxy.app.drain(800)
    await clientEnd.send('NOOP\r\n')
    expect(await serverEnd.readLine()).toBe('NOOP')
    await serverEnd.send('200 Here.\r\n')
    expect(await clientEnd.readLine()).toBe('200 Here.')
    await drained
    expect(await serverEnd.ended()).toBeTruthy()
    expect(proxy.recordsOf('drain.timeout')).toHaveLength(1)
    expect(proxy.recordsOf('session.close')).toMatchObject([{ reason: 'drain' }])
  })

  test.for(['client', 'server'] as const)('a reset by the %s is one for the other', async (side, { lab }) => {
    const { client, server, clientEnd, serverEnd } = await secure(lab)
    const atServer = server.visits[0]?.wire
    const [resetter, other] = side === 'client' ? [client.wire, serverEnd] : [atServer, clientEnd]
    resetter?.reset()
    expect(await other.ended()).toBe('reset')
  })

  test('that begins with something else on either side is closed without a word', async ({ lab }) => {
    const server = await lab.server(ftpScript({ verbs: { AUTH: (visit) => visit.reply('234 Go ahead.') } }))
    const proxy = await lab.proxy(server, { passthrough: 'explicit' })
    const client = await lab.client(proxy)
    await client.reply()
    await client.command('AUTH TLS')
    await client.send('USER joe')
    expect(await client.wire.readRest()).toBe('')
    expect(server.visits[0]?.lines).toEqual(['AUTH TLS'])
    expect(await proxy.metric('ftp_alg_protocol_errors_total', { side: 'client', reason: 'not_tls' })).toBe(1)
    expect(await proxy.metric('ftp_alg_passthrough_sessions_total')).toBe(0)
  })

  test('that the server refuses leaves an ordinary session', async ({ lab }) => {
    const server = await lab.server(ftpScript({ verbs: { AUTH: (visit) => visit.reply('502 No TLS.') } }))
    const proxy = await lab.proxy(server, { passthrough: 'explicit' })
    const client = await lab.client(proxy)
    await client.reply()
    expect((await client.command('AUTH TLS')).code).toBe(502)
    expect((await client.command('USER joe')).code).toBe(331)
    expect((await client.command('PASS x')).code).toBe(230)
    expect((await client.download('RETR 5')).codes).toEqual([150, 226])
  })
})

describe('plaintext around AUTH', () => {
  const plan: ProxyPlan = { passthrough: 'explicit' }

  test('behind it in the same segment: closed, nothing of it goes upstream', async ({ lab }) => {
    const secured = new Arrivals<Wire>()
    const server = await lab.server(tlsServer(secured))
    const proxy = await lab.proxy(server, plan)
    const client = await lab.client(proxy)
    await client.reply()
    await client.wire.send('AUTH TLS\r\nUSER evil\r\nPASS evil\r\n')
    const rest = await client.wire.readRest()
    expect(rest).not.toContain('234')
    expect(rest).toMatch(/^421 [^\r]*\r\n$/)
    client.close()
    expect(server.visits[0]?.lines).toEqual(['AUTH TLS'])
    expect(await proxy.metric('ftp_alg_commands_denied_total', { reason: 'plaintext_after_auth' })).toBe(1)
  })

  for (const [what, injected] of [
    ['a whole line', 'USER evil\r\n'],
    ['half a line', 'US'],
  ] as const) {
    test(`${what} before the server has answered: closed`, async ({ lab }) => {
      const asked = new Arrivals<() => void>()
      const server = await lab.server(async (visit) => {
        visit.reply('220 Ready.')
        await visit.nextCommand()
        asked.add(() => visit.reply('234 Go ahead.'))
        await visit.wire.ended()
      })
      const proxy = await lab.proxy(server, plan)
      const client = await lab.client(proxy)
      await client.reply()
      await client.send('AUTH TLS')
      const answer = await asked.next('AUTH at the server')
      const readBefore = await proxy.metric('ftp_alg_control_bytes_total')
      await client.wire.send(injected)
      await expect.poll(() => proxy.metric('ftp_alg_control_bytes_total')).toBe(readBefore + injected.length)
      answer()
      expect(await client.wire.readRest()).toMatch(/^421 [^\r]*\r\n$/)
      client.close()
      expect(server.visits[0]?.wire.text).toBe('')
    })
  }

  for (const [what, answer] of [
    ['another reply', '234 Go ahead.\r\n230 You are in.\r\n'],
    ['the beginning of one', '234 Go ahead.\r\n2'],
  ] as const) {
    test(`${what} behind the server's 234: closed, and the client does not see it`, async ({ lab }) => {
      const server = await lab.server(ftpScript({ verbs: { AUTH: (visit) => visit.wire.send(answer) } }))
      const proxy = await lab.proxy(server, plan)
      const client = await lab.client(proxy)
      await client.reply()
      await client.send('AUTH TLS')
      expect(await client.wire.readRest()).toMatch(/^421 [^\r]*\r\n$/)
    })
  }
})

test('by default AUTH is refused, does not reach the server, and FEAT does not offer it', async ({ lab }) => {
  const server = await lab.server(
    ftpScript({
      verbs: {
        FEAT: (visit) => void visit.wire.send('211-F\r\n AUTH TLS\r\n PBSZ\r\n PROT\r\n UTF8\r\n211 End\r\n'),
      },
    }),
  )
  const proxy = await lab.proxy(server)
  const client = await lab.client(proxy)
  await client.reply()
  expect((await client.command('AUTH TLS')).code).toBe(502)
  expect((await client.command('AUTH SSL')).code).toBe(502)
  const { text } = await client.command('FEAT')
  expect(text).toContain(' UTF8\r\n')
  expect(text).not.toMatch(/AUTH|PBSZ|PROT/)
  expect(server.visits[0]?.lines).toEqual(['FEAT'])
})
