// Servers that are not simply connected to: behind a proxy, behind a PROXY header, or known to DNS as a service.

import dns from 'node:dns/promises'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkLimits } from '../../../src/cli/doctor/limits.ts'
import { checkUpstreams, upstreamsOf } from '../../../src/cli/doctor/upstream.ts'
import { startDnsServer } from '../../support/peers/dns-server.ts'
import { startForwardProxy } from '../../support/peers/forward-proxy.ts'
import { configOf } from '../config/sources.ts'

async function serverThat(behaves: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    behaves(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  // A server of TCP that listens has an address of that kind.
  return (server.address() as AddressInfo).port
}

const greets = (socket: Socket) => void socket.write('220 Hello.\r\n')

const poolOf = (more: string) =>
  configOf(
    `upstreams: [{ name: inner, upstreamMode: passive, ${more} }]\nlisteners: [{ listen: ':2121', upstream: inner }]\n`,
  )

const check = (more: string) => checkUpstreams(upstreamsOf(poolOf(more)), 3000)

describe('doctor', () => {
  test('reaches servers through the proxy of their pool, by names that only it knows', async () => {
    const port = await serverThat(greets)
    const proxy = await startForwardProxy({ kind: 'socks5', names: { 'ftp.hidden': '127.0.0.1' } })
    onTestFinished(() => proxy.close())
    const pool = `servers: [{ address: 'ftp.hidden:${port}' }], via: 'socks5://127.0.0.1:${proxy.port}'`
    const way = `ftp.hidden port ${port} through the socks5 proxy 127.0.0.1 port ${proxy.port}`
    expect(await check(pool)).toEqual([
      { check: 'server of pool inner', state: 'ok', found: `${way} says 220 Hello.` },
    ])
    expect(await checkLimits(poolOf(pool), { sessions: 3, timeoutMs: 3000 })).toMatchObject([
      { state: 'ok', found: expect.stringContaining(`${way} takes 3 sessions from here at once`) },
    ])
    proxy.close()
    expect(await check(pool)).toMatchObject([
      { state: 'fail', found: expect.stringContaining('ECONNREFUSED') },
    ])
  })

  test('introduces itself to servers that want a PROXY header', async () => {
    const port = await serverThat((socket) =>
      socket.once('data', (bytes) => {
        if (String(bytes).startsWith('PROXY UNKNOWN\r\n')) greets(socket)
        else socket.destroy()
      }),
    )
    const pool = `servers: [{ address: '127.0.0.1:${port}' }], proxyProtocol: v1`
    const found = `127.0.0.1 port ${port}, behind a PROXY header (v1) says 220 Hello.`
    expect(await check(pool)).toMatchObject([{ state: 'ok', found }])
  })

  test('asks DNS for the servers of a service', async () => {
    const port = await serverThat(greets)
    const record = { priority: 0, weight: 1, port, name: 'localhost' }
    const server = await startDnsServer({ srv: { '_ftp._tcp.pods': [record] }, ttl: 60 })
    const before = dns.getServers()
    const useServers = (servers: readonly string[]) => {
      dns.setServers(servers)
      // The functions are new ones then.
      syncBuiltinESMExports()
    }
    useServers([server.address])
    onTestFinished(() => {
      useServers(before)
      server.close()
    })
    expect(await check(`servers: [{ srv: _ftp._tcp.pods }]`)).toMatchObject([
      { state: 'ok', found: `localhost port ${port} says 220 Hello.` },
    ])
    expect(await check(`servers: [{ srv: _ftp._tcp.none }]`)).toMatchObject([
      { state: 'fail', found: expect.stringMatching(/^_ftp\._tcp\.none \(SRV\): .*ENOTFOUND/) },
    ])
  })
})
