// Clients that come through a balancer: who they are is what its PROXY headers say, on control and data connections.

import { describe, expect } from 'vitest'
import { writeProxyHeader } from '../../src/tcp/proxy-protocol/header.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { KiB, payload, payloadSha256 } from '../support/peers/payload.ts'
import type { Collected } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'

const vip = '127.0.0.77'
const balancerAddress = '127.0.0.7'
const clientAddress = '127.0.0.20'
const server = (lab: Lab, uploads = new Map<string, Collected>()) => lab.server(ftpScript({ uploads }))

/** The proxy behind a balancer, and a client before it. */
async function behindBalancer(
  lab: Lab,
  version: 'v1' | 'v2',
  more: { uploads?: Map<string, Collected>; withoutKoffi?: boolean } = {},
) {
  const proxy = await lab.process({
    upstream: await server(lab, more.uploads),
    inListener: `proxyProtocol: { from: [${balancerAddress}] }`,
    withoutKoffi: more.withoutKoffi === true,
  })
  const ports = new Map([[proxy.port, { address: proxy.address, port: proxy.port }]])
  const { first, last } = proxy.dataPorts
  for (let port = first; port <= last; port += 1) ports.set(port, { address: proxy.address, port })
  await lab.balancer({ at: vip, from: balancerAddress, version, ports })
  const client = () => lab.client({ address: vip, port: proxy.port }, clientAddress)
  return { proxy, client }
}

for (const withoutKoffi of [false, true]) {
  describe.each(['v1', 'v2'] as const)(`%s${withoutKoffi ? ', without koffi' : ''}`, (version) => {
    test('files go through, and the client is who the header says', async ({ lab }) => {
      const uploads = new Map<string, Collected>()
      const { proxy, client: newClient } = await behindBalancer(lab, version, { uploads, withoutKoffi })
      const client = await (await newClient()).login()
      for (const verb of ['PASV', 'EPSV'] as const) {
        const { address } = await client.passive(verb)
        expect(address).toBe(vip)
        const size = 300 * KiB
        expect((await client.download(`RETR ${size}`, verb)).data).toMatchObject({
          sha256: payloadSha256(size),
        })
        expect((await client.upload('STOR file', payload(size), verb)).codes).toEqual([150, 226])
        expect(uploads.get('file')).toMatchObject({ sha256: payloadSha256(size), ending: 'fin' })
      }
      const opened = await proxy.record('session.open')
      expect(opened).toMatchObject({ client_ip: clientAddress })
    })
  })
}

test('an active client is called at the address that the header names', async ({ lab }) => {
  const { client: newClient } = await behindBalancer(lab, 'v2')
  const client = await (await newClient()).login()
  const size = 100 * KiB
  expect((await client.download(`RETR ${size}`, 'PORT')).data).toMatchObject({ sha256: payloadSha256(size) })
  expect((await client.command('PORT 127,0,0,7,200,10')).code).toBe(501)
})

test('a server in the balancers’ networks calls without a header', async ({ lab }) => {
  const proxy = await lab.process({
    upstream: await server(lab),
    inListener: 'proxyProtocol: { from: [127.0.0.0/24] }\nupstreamMode: active',
  })
  const wire = await lab.wire(proxy)
  await wire.send('PROXY TCP4 127.0.1.20 127.0.0.77 1025 21\r\n')
  expect(await wire.readLine()).toContain('220')
  for (const line of ['USER joe', 'PASS x']) {
    await wire.send(`${line}\r\n`)
    await wire.readLine()
  }
  await wire.send('EPSV\r\n')
  const port = Number(/\|(\d+)\|/.exec(await wire.readLine())?.[1])
  const data = await lab.wire({ address: proxy.address, port }, '127.0.1.20')
  await wire.send('RETR 5000\r\n')
  expect(await wire.readLine()).toMatch(/^150/)
  expect((await data.collect()).byteCount).toBe(5000)
})

test('whoever comes directly is spoken to as ever, and its PROXY is refused', async ({ lab }) => {
  const { proxy } = await behindBalancer(lab, 'v1')
  const client = await lab.client(proxy, clientAddress)
  expect((await client.reply()).code).toBe(220)
  expect((await client.command('PROXY TCP4 10.0.0.1 10.0.0.2 1 2')).code).toBe(421)
  await lab.servesNext(proxy)
})

test('a balancer that sends none, or a false one, is turned away with a count', async ({ lab }) => {
  const { proxy } = await behindBalancer(lab, 'v1')
  const lines = ['USER joe\r\n', 'PROXY TCP4 127.0.0.20 127.0.0.77 0 21\r\n', 'PROXY TCP4 ::1 ::1 1 21\r\n']
  for (const line of lines) {
    const wire = await lab.wire(proxy, balancerAddress)
    await wire.send(line)
    expect(await wire.ended()).toBe('reset')
  }
  const rejected = await proxy.record('session.reject', lines.length)
  expect(rejected).toMatchObject({ reason: 'proxy_header', client_ip: balancerAddress })
  await lab.servesNext(proxy)
})

test('a data port tells one client of a balancer from another', async ({ lab }) => {
  const { proxy, client: newClient } = await behindBalancer(lab, 'v2')
  const client = await (await newClient()).login()
  const at = await client.passive()
  const stranger = await lab.wire(at, '127.0.0.30')
  expect(await stranger.ended()).toBe('reset')
  expect(await proxy.record('pinhole.intrude')).toMatchObject({
    client_ip: '127.0.0.30',
    reason: 'wrong_peer',
  })
  const data = await client.connectData(at, clientAddress)
  expect((await client.command('RETR 1000')).code).toBe(150)
  expect(await data.collect()).toMatchObject({ sha256: payloadSha256(1000) })
})

test('the name of the TLS that a client has with its balancer decides about its route', async ({ lab }) => {
  const [a, b] = [
    await lab.server(ftpScript({ greeting: '220 a' })),
    await lab.server(ftpScript({ greeting: '220 b' })),
  ]
  const proxy = await lab.process({
    upstream: a,
    inListener: `proxyProtocol: { from: [127.0.0.1] }\nroutes: [{ serverName: 'b.*', upstream: '127.0.0.1:${b.port}' }]`,
  })
  const source = { address: '198.51.100.7', port: 50_000 }
  const greeting = async (authority: string | null) => {
    const wire = await lab.wire(proxy)
    const tls = { alpn: null, authority, version: 'TLSv1.3', cipher: 'x', commonName: null, isResumed: false }
    await wire.send(
      writeProxyHeader('v2', { source, destination: { address: '198.51.100.1', port: 990 } }, tls),
    )
    return wire.readLine()
  }
  expect(await greeting('b.example.net')).toBe('220 b')
  expect(await greeting('a.example.net')).toBe('220 a')
  expect(await greeting(null)).toBe('220 a')
  expect(await proxy.record('session.open')).toMatchObject({
    server_name: 'b.example.net',
    protocol: 'TLSv1.3',
  })
})
