// Real HAProxy in front, with PROXY headers on control and data connections: the files of docs/pools.md and docs/scaling.md as
// they stand there, with the addresses of this network.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { endpointOf227, openControlConnection } from '../../support/control-connection.ts'
import { debianRootMissing, debianTree } from '../../support/debian.ts'
import { startProgram } from '../../support/programs.ts'
import { type RunningProxy, startProxy } from '../../support/proxy.ts'
import { curlCommand, type Ground, openGround } from './ground.ts'

const missing = debianRootMissing('HAProxy in front')

const balancer = '10.77.1.1'
const here: Readonly<Record<string, string>> = {
  '203.0.113.7': balancer,
  '10.0.0.10': '10.77.2.10',
  '10.0.0.11': '10.77.2.20',
  '10.0.0.5': '10.77.2.10',
  '10.0.0.1': '10.77.2.1',
  'ftp.internal': '10.77.2.30',
}

describe.skipIf(missing !== null)('one instance behind HAProxy', () => {
  let ground: Ground
  let instance: RunningProxy

  beforeAll(async () => {
    ground = await openBehindHaproxy('pools.md')
    instance = await startProxy({
      place: ground.network.host('one'),
      config: `listeners: [{ listen: 0.0.0.0:2121, upstream: 10.77.2.30, proxyProtocol: { from: [10.77.2.1] } }]\n`,
    })
    ground.cleanup.add(instance.kill)
  })
  afterAll(() => ground?.cleanup.run())

  it.each(['PASV', 'EPSV'] as const)('serves transfers with %s', async (mode) => {
    const target = { address: balancer, port: 21 }
    expect(await ground.transfers({ mode, from: 'client', target, large: true })).toEqual([])
  })

  it('knows the client behind the balancer', async () => {
    const [client] = ground.network.host('client').addresses.ipv4
    const opened = await instance.waitForRecord(({ event }) => event === 'session.open', 'a session')
    expect(opened.client_ip).toBe(client)
  })
})

describe.skipIf(missing !== null)('two instances behind HAProxy', () => {
  let ground: Ground
  const instances: RunningProxy[] = []

  beforeAll(async () => {
    ground = await openBehindHaproxy('scaling.md')
    const config = await fileIn('scaling.md', 'With HAProxy', 'yaml')
    for (const [index, name] of ['one', 'two'].entries()) {
      const env = { FTP_ALG_SLICE_INDEX: String(index) }
      const place = ground.network.host(name)
      const admin = { address: '0.0.0.0', port: 9121 }
      const instance = await startProxy({ place, config, env, admin })
      ground.cleanup.add(instance.kill)
      instances.push(instance)
    }
  })
  afterAll(() => ground?.cleanup.run())

  it('announce the address of the balancer, and ports that lead back to the one that has the session', async () => {
    const slices = new Set<number>()
    await vi.waitFor(async () => {
      const session = await openControlConnection(
        { address: balancer, port: 21 },
        ground.network.host('client'),
      )
      await session.login()
      const { address, port } = endpointOf227(await session.ask('PASV'))
      await session.close()
      expect(address).toBe(balancer)
      slices.add(Math.floor((port - 30_000) / 25))
      expect([...slices].sort()).toEqual([0, 1])
    }, 20_000)
  })

  it.each(['PASV', 'EPSV'] as const)('serve every transfer with %s', async (mode) => {
    for (let round = 0; round < 4; round += 1) {
      const target = { address: balancer, port: 21 }
      expect(await ground.transfers({ mode, from: 'client', target })).toEqual([])
    }
  })

  it('have both worked, and neither was sent the other’s connections', async () => {
    for (const instance of instances) {
      const metrics = await instance.metrics()
      expect(metrics).toMatch(/^ftp_alg_data_connections_total\{[^}]*result="ok"[^}]*\} [1-9]/m)
      expect(metrics).not.toMatch(/^ftp_alg_pinhole_rejected_connections_total\{[^}]*\} [1-9]/m)
    }
  })

  it('lose no new session when one of them ends', async () => {
    await instances[0]?.stop()
    for (let round = 0; round < 4; round += 1) {
      const listing = await ground.network.host('client').run([...curlCommand, `ftp://${balancer}/`])
      expect(listing.exitCode, listing.stderr).toBe(0)
    }
    await instances[1]?.stop()
  })
})

/** HAProxy on the gateway, with the file of this page. */
async function openBehindHaproxy(page: string): Promise<Ground> {
  const tree = await debianTree(['haproxy'])
  const ground = await openGround({
    inside: ['client'],
    outside: ['one', 'two', 'server'],
    server: { on: 'server', address: '10.77.2.30' },
  })
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-haproxy-'))
  const file = join(folder, 'haproxy.cfg')
  await writeFile(
    file,
    await fileIn(page, page === 'pools.md' ? 'PROXY protocol' : 'With HAProxy', 'haproxy'),
  )
  const haproxy = startProgram([tree.program('usr/sbin/haproxy'), '-db', '-V', '-f', file], {
    place: ground.network.gateway,
    env: tree.env,
  })
  ground.cleanup.add(async () => {
    await haproxy.kill()
    await rm(folder, { recursive: true })
  })
  const listens = ['bash', '-c', `until exec 3<>/dev/tcp/${balancer}/21; do sleep 0.05; done`]
  const ready = await ground.network.gateway.run(listens, { timeoutMs: 20_000 })
  if (ready.exitCode !== 0) throw new Error(haproxy.output())
  return ground
}

/** The first block of this language below a heading, with the addresses of this network. */
async function fileIn(page: string, heading: string, language: string): Promise<string> {
  const text = await readFile(new URL(`../../../docs/${page}`, import.meta.url), 'utf8')
  const below = text.slice(text.indexOf(`# ${heading}\n`))
  const [, block] = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(below) ?? []
  if (block === undefined) throw new Error(`docs/${page} has no ${language} below ${heading}`)
  return Object.entries(here).reduce((file, [there, ours]) => {
    return file.replaceAll(new RegExp(`${there.replaceAll('.', '\\.')}(?![0-9])`, 'g'), ours)
  }, block)
}
