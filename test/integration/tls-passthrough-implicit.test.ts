// TLS from the first byte that we cannot see into: joined as it is, once both peers have begun with it; in clear nothing gets
// through, and nothing is said.

import { describe, expect } from 'vitest'
import { issueCertificate } from '../support/certificates.ts'
import { Arrivals } from '../support/peers/patience.ts'
import type { Script } from '../support/peers/scripted-server.ts'
import { acceptTls, startTlsWithAnybody } from '../support/peers/tls.ts'
import type { Wire } from '../support/peers/wire.ts'
import { test } from './lab.ts'

const pair = issueCertificate({ name: 'ftp.example.net' })
const plan = { passthrough: 'implicit' } as const
/** The head of a handshake record, and a little of it. */
const hello = '\x16\x03\x01\x00\x05\x01'

/** Greets inside TLS, after `header` in clear, and answers one command. */
function secureServer({ headers }: { readonly headers?: Arrivals<string> } = {}): Script {
  return async (visit) => {
    if (headers !== undefined) {
      const { wire } = visit
      headers.add(await wire.readBytes(28))
      // The hello may have come with it.
      wire.pause()
      wire.socket.unshift(Buffer.from(wire.text, 'latin1'))
    }
    const secure = await acceptTls(visit.wire, pair)
    await secure.send('220 Secret.\r\n')
    const line = await secure.readLine()
    await secure.send(`200 ${line}\r\n`)
    secure.halfClose()
  }
}

/** A server that shows what it hears. */
function listener(heard: Arrivals<Wire>, greeting = ''): Script {
  return async (visit) => {
    if (greeting !== '') visit.reply(greeting)
    heard.add(visit.wire)
    await visit.wire.ended()
    visit.wire.close()
  }
}

describe.concurrent('implicit TLS that passes through', () => {
  test('is between client and server alone, and ends whole', async ({ lab }) => {
    const server = await lab.server(secureServer())
    const proxy = await lab.proxy(server, plan)
    const { wire: client, by } = await startTlsWithAnybody(await lab.wire(proxy))
    expect(by).toBe('ftp.example.net')
    expect(await client.readLine()).toBe('220 Secret.')
    expect(proxy.sessions).toMatchObject([{ state: 'passthrough' }])
    await client.send('NOOP\r\n')
    expect(await client.readLine()).toBe('200 NOOP')
    expect(await client.ended()).toBe('fin')
    client.close()
    expect(proxy.recordsOf('tls.pass')).toMatchObject([{ begins: 'first byte' }])
    expect(await proxy.metric('ftp_alg_passthrough_sessions_total')).toBe(1)
    expect(
      await proxy.metric('ftp_alg_control_bytes_total', { direction: 'client_to_server' }),
    ).toBeGreaterThan(200)
  })

  test('reaches a server of a pool that greets inside it, behind the header that says who the client is', async ({
    lab,
  }) => {
    const headers = new Arrivals<string>()
    const { address, port } = await lab.server(secureServer({ headers }))
    const proxy = await lab.process({
      upstream: 'far',
      inListener: 'tls: { mode: passthrough-implicit }',
      more: `upstreams: [{ name: far, servers: [{ address: '${address}:${port}' }], proxyProtocol: v2, health: false }]`,
    })
    const raw = await lab.wire(proxy)
    const { wire: client } = await startTlsWithAnybody(raw)
    const header = Buffer.from(await headers.next('a PROXY header'), 'latin1')
    expect(header.subarray(0, 12)).toEqual(Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'))
    expect(header.readUInt16BE(24)).toBe(raw.socket.localPort)
    expect(await client.readLine()).toBe('220 Secret.')
    client.close()
  })

  test('comes together from single bytes, the first of which are there before the server is', async ({
    lab,
  }) => {
    const heard = new Arrivals<Wire>()
    const proxy = await lab.proxy(await lab.server(listener(heard)), plan)
    const client = await lab.wire(proxy)
    await client.sendByteByByte(hello)
    const server = await heard.next('the connection of the server')
    expect(await server.readBytes(hello.length)).toBe(hello)
    await server.sendByteByByte('\x16\x03\x03more')
    expect(await client.readBytes(7)).toBe('\x16\x03\x03more')
    client.close()
  })
})

describe.concurrent('in clear', () => {
  for (const said of ['USER joe\r\n', 'GET / HTTP/1.1\r\n', '\x16\x02']) {
    test(`a client (${JSON.stringify(said)}) is closed without a word, and its server hears nothing`, async ({
      lab,
    }) => {
      const heard = new Arrivals<Wire>()
      const proxy = await lab.proxy(await lab.server(listener(heard)), plan)
      const client = await lab.wire(proxy)
      await client.send(said)
      expect(await client.readRest()).toBe('')
      client.close()
      expect(await (await heard.next('the server')).readRest()).toBe('')
      const errors = { side: 'client', reason: 'not_tls' }
      expect(await proxy.metric('ftp_alg_protocol_errors_total', errors)).toBe(1)
    })
  }

  test('a server is not heard by its client, and the log says what it said', async ({ lab }) => {
    const heard = new Arrivals<Wire>()
    const proxy = await lab.proxy(await lab.server(listener(heard, '220 Plain.')), plan)
    const client = await lab.wire(proxy)
    await client.send(hello)
    expect(await client.readRest()).toBe('')
    client.close()
    expect(await proxy.record('protocol.error')).toMatchObject({
      side: 'server',
      reason: 'not_tls',
      detail: expect.stringContaining('220 Plain.'),
    })
  })
})

describe.concurrent('without a word', () => {
  test('who says nothing at all is closed after the login time, without a word', async ({ lab }) => {
    const heard = new Arrivals<Wire>()
    const limits = { loginMs: 300 }
    const proxy = await lab.proxy(await lab.server(listener(heard)), { ...plan, limits })
    const client = await lab.wire(proxy)
    expect(await client.readRest()).toBe('')
    client.close()
    expect(await proxy.record('session.close')).toMatchObject({ reason: 'login_timeout' })
  })

  test('a server that cannot be reached closes without a word', async ({ lab }) => {
    const proxy = await lab.proxy({ address: '127.0.0.1', port: 1 }, plan)
    const client = await lab.wire(proxy)
    expect(await client.readRest()).toBe('')
    client.close()
  })
})
