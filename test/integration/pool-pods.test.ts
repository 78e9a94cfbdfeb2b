// A pool whose servers come and go behind one name, as the pods of a headless Service do, under clients who never stop.

import { expect, onTestFinished, vi } from 'vitest'
import { resolvingAt, startDnsServer, type Zone } from '../support/peers/dns-server.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import type { ScriptedClient } from '../support/peers/scripted-client.ts'
import type { ScriptedServer } from '../support/peers/scripted-server.ts'
import { type Lab, test } from './lab.ts'

const NAME = 'ftp-headless.test'
const zone = (...addresses: readonly string[]): Zone => ({ a: { [NAME]: addresses }, ttl: 1 })

async function dnsServer(first: Zone) {
  const dns = await startDnsServer(first)
  onTestFinished(() => dns.close())
  return dns
}

/** All on one port, as pods are. */
async function pod(lab: Lab, address: string, port: number): Promise<ScriptedServer> {
  return lab.server(ftpScript({ greeting: `220 ${address}` }), { host: address, port })
}

test('new sessions go to new pods, those of pods that leave go on, and no client is sent away', async ({
  lab,
}) => {
  const { first: port } = await lab.ports()
  const [a, b] = [await pod(lab, '127.0.0.61', port), await pod(lab, '127.0.0.62', port)]
  const dns = await dnsServer(zone('127.0.0.61', '127.0.0.62'))
  const proxy = await lab.process({
    upstream: 'pods',
    more: `upstreams: [{ name: pods, servers: [{ address: '${NAME}:${port}' }], balance: roundRobin, health: { interval: 200ms, timeout: 2s } }]\nworkers: 2`,
    preload: resolvingAt(dns),
  })
  let clients = 0
  const come = async (): Promise<{ readonly client: ScriptedClient; readonly greeting: string }> => {
    clients += 1
    const client = await lab.client(proxy, `127.1.${clients >> 8}.${clients & 255}`)
    return { client, greeting: (await client.reply()).line }
  }
  const greetings = new Set<string>()
  let isOver = false
  const load = (async () => {
    while (!isOver) {
      const { client, greeting } = await come()
      greetings.add(greeting)
      client.close()
    }
  })()
  const staying = await Promise.all([come(), come(), come(), come()])
  await vi.waitFor(() => expect(greetings).toEqual(new Set(['220 127.0.0.61', '220 127.0.0.62'])), 10_000)

  await pod(lab, '127.0.0.63', port)
  dns.serve(zone('127.0.0.62', '127.0.0.63'))

  await vi.waitFor(() => expect(greetings).toContain('220 127.0.0.63'), 10_000)
  await vi.waitFor(async () => {
    greetings.clear()
    await vi.waitFor(() => expect(greetings.size).toBeGreaterThan(1))
    expect(greetings).not.toContain('220 127.0.0.61')
  }, 10_000)
  for (const { client } of staying) expect((await client.command('NOOP')).code).toBe(200)

  // The name goes, and so does a server of it: the other one serves.
  dns.serve(null)
  await proxy.record('names.fail')
  b.close()
  await vi.waitFor(async () => {
    greetings.clear()
    await vi.waitFor(() => expect(greetings.size).toBeGreaterThan(0))
    expect([...greetings]).toEqual(['220 127.0.0.63'])
  }, 10_000)
  isOver = true
  await load
  expect(await (await proxy.ask('/metrics')).text()).toMatch(
    new RegExp(`^ftp_alg_upstream_server_up\\{upstream="pods",server="${NAME}:${port}"\\} 1$`, 'm'),
  )
  for (const { client, greeting } of staying) {
    if (greeting === '220 127.0.0.61') expect((await client.command('NOOP')).code).toBe(200)
  }
  a.close()
})

test('a service has servers of the first priority, then the others; it may move to other ports', async ({
  lab,
}) => {
  const { first } = await lab.ports()
  const [main, spare] = [await pod(lab, '127.0.0.71', first), await pod(lab, '127.0.0.72', first + 1)]
  const service = (mainPort: number): Zone => ({
    a: { 'main.test': ['127.0.0.71'], 'spare.test': ['127.0.0.72'] },
    srv: {
      '_ftp._tcp.test': [
        { priority: 20, weight: 0, port: first + 1, name: 'spare.test' },
        { priority: 10, weight: 5, port: mainPort, name: 'main.test' },
      ],
    },
    ttl: 1,
  })
  const dns = await dnsServer(service(first))
  const proxy = await lab.process({
    upstream: 'service',
    more: 'upstreams: [{ name: service, servers: [{ srv: _ftp._tcp.test }], health: { interval: 100ms, timeout: 2s, rise: 1, fall: 1 } }]',
    preload: resolvingAt(dns),
  })
  const greeting = async () => {
    const client = await lab.client(proxy)
    const { line } = await client.reply()
    client.close()
    return line
  }
  await vi.waitFor(async () => expect(await greeting()).toBe('220 127.0.0.71'), 10_000)
  main.close()
  await vi.waitFor(async () => expect(await greeting()).toBe('220 127.0.0.72'), 10_000)
  await pod(lab, '127.0.0.71', first + 2)
  dns.serve(service(first + 2))
  await vi.waitFor(async () => expect(await greeting()).toBe('220 127.0.0.71'), 10_000)
  expect(await (await proxy.ask('/metrics')).text()).toMatch(
    /^ftp_alg_upstream_server_up\{upstream="service",server="_ftp\._tcp\.test"\} 1$/m,
  )
  spare.close()
})
