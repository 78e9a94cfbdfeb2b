// Servers behind a SOCKS5 or HTTP proxy, which alone knows their names.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { KiB, payload, payloadSha256 } from '../support/peers/payload.ts'
import type { Endpoint } from '../support/peers/scripted-server.ts'
import type { Collected } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'

interface Behind {
  readonly via: string
  readonly servers: readonly string[]
  readonly more?: string
}

function behind(lab: Lab, { via, servers, more = 'health: false' }: Behind) {
  const list = servers.map((address) => `{ address: '${address}' }`).join(', ')
  return lab.process({
    upstream: 'far',
    inListener: 'upstreamMode: passive',
    more: `upstreams: [{ name: far, balance: first, servers: [${list}], via: '${via}', ${more} }]`,
  })
}

const credentials = { user: 'gate way', password: 'p@ss:word' }
const userInfo = 'gate%20way:p%40ss%3Aword'
const urlOf = (kind: 'socks5' | 'http', { address, port }: Endpoint, user = '') =>
  `${kind}://${user}${address}:${port}`

describe.concurrent.for(['socks5', 'http'] as const)('through %s', (kind) => {
  test.for(['PASV', 'EPSV', 'PORT', 'EPRT'] as const)('files go both ways with %s', async (verb, { lab }) => {
    const uploads = new Map<string, Collected>()
    const server = await lab.server(ftpScript({ uploads }))
    const gate = await lab.forwardProxy({ kind, credentials, names: { 'ftp.far.invalid': '127.0.0.1' } })
    const proxy = await behind(lab, {
      via: urlOf(kind, gate, `${userInfo}@`),
      servers: [`ftp.far.invalid:${server.port}`],
    })
    const client = await (await lab.client(proxy)).login()
    for (const size of [0, 1, 300 * KiB]) {
      const { data, codes } = await client.download(`RETR ${size}`, verb)
      expect(codes).toEqual([150, 226])
      expect(data).toEqual({ byteCount: size, sha256: payloadSha256(size), ending: 'fin' })
      await client.upload(`STOR up${size}`, payload(size), verb)
      expect(uploads.get(`up${size}`)).toEqual({
        byteCount: size,
        sha256: payloadSha256(size),
        ending: 'fin',
      })
    }
    // One control connection and six of data, all by name: nothing goes past the proxy.
    expect(gate.asked).toHaveLength(7)
    expect(gate.asked.every((each) => each.startsWith('ftp.far.invalid:'))).toBe(true)
  })

  test('a server that refuses is the server’s failure, and the next one is asked', async ({ lab }) => {
    const server = await lab.server(ftpScript({ greeting: '220 Second.' }))
    const gate = await lab.forwardProxy({ kind })
    const proxy = await behind(lab, {
      via: urlOf(kind, gate),
      servers: ['127.0.0.1:1', `127.0.0.1:${server.port}`],
    })
    expect((await (await lab.client(proxy)).reply()).line).toBe('220 Second.')
    const failure = await proxy.record('upstream.fail')
    expect(failure).toMatchObject({ reason: kind === 'socks5' ? 'refused' : 'unreachable' })
    expect(await proxy.record('upstream.lose')).toMatchObject({ server: '127.0.0.1:1' })
  })

  test('wrong credentials are not the server’s failure', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const gate = await lab.forwardProxy({ kind, credentials })
    const proxy = await behind(lab, {
      via: urlOf(kind, gate, 'gate%20way:guess@'),
      servers: [`127.0.0.1:${server.port}`],
      more: 'health: { interval: 100ms, fall: 1, timeout: 1s }',
    })
    const client = await lab.client(proxy)
    expect((await client.reply()).line).toBe(
      '421 The proxy before the FTP server refuses or cannot be reached, try again later.',
    )
    expect(await proxy.record('upstream.fail')).toMatchObject({ reason: 'proxy_refused' })
    const metrics = await (await proxy.ask('/metrics')).text()
    expect(metrics).toMatch(/^ftp_alg_upstream_connect_failures_total\{.*reason="proxy_refused".*\} 1$/m)
    // Checks went through the same proxy, and blamed the server for nothing.
    expect(metrics).toMatch(/^ftp_alg_upstream_server_up\{.*\} 1$/m)
    expect(proxy.output).not.toContain('upstream.lose')
    expect(proxy.output).not.toContain('guess')
  })

  test('a proxy that is not there, or hangs up, is not the server’s failure', async ({ lab }) => {
    const proxy = await behind(lab, {
      via: `${kind}://127.0.0.1:1`,
      servers: ['ftp.far.invalid', 'other.far.invalid'],
    })
    expect((await (await lab.client(proxy)).reply()).code).toBe(421)
    expect(await proxy.record('upstream.fail')).toMatchObject({ reason: 'proxy_unreachable' })
    expect(proxy.output).not.toContain('upstream.lose')
  })
})
