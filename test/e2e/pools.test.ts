// A pool of real servers that fall ill one after another under load: no new session fails while one of them lives.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCleanup } from '../support/cleanup.ts'
import { debianRootMissing, debianTree } from '../support/debian.ts'
import { createNetwork, type Network } from '../support/netns.ts'
import { runProgram } from '../support/programs.ts'
import { type RunningProxy, startProxy } from '../support/proxy.ts'
import { createSamples, type Samples, sha256Of } from '../support/samples.ts'
import { startServer } from '../support/servers/all.ts'
import { account, type FtpServer, serverPackages } from '../support/servers/server.ts'
import { sharedFolder, shareSamples } from '../support/transfers.ts'

const missing = debianRootMissing('the suite of server pools')
const kinds = ['vsftpd', 'proftpd', 'pyftpdlib'] as const
type Kind = (typeof kinds)[number]

describe.skipIf(missing !== null)('a pool of vsftpd, ProFTPD and pyftpdlib', () => {
  let network: Network
  let samples: Samples
  let proxy: RunningProxy
  const servers = new Map<Kind, FtpServer>()
  const cleanup = createCleanup()

  beforeAll(async () => {
    await debianTree(serverPackages)
    samples = await createSamples()
    cleanup.add(() => rm(samples.folder, { recursive: true, force: true }))
    network = await createNetwork({ inside: ['client'], outside: kinds })
    cleanup.add(network.close)
    for (const kind of kinds) {
      const passivePorts = { first: 40_000, last: 49_999 }
      const place = network.host(kind)
      const server = await startServer(kind, { place, address: '::', port: 21, passivePorts })
      servers.set(kind, server)
      cleanup.add(server.stop)
      await shareSamples(server, samples)
    }
    const addresses = kinds.map((kind) => `{ address: '${network.host(kind).addresses.ipv4[0]}:21' }`)
    proxy = await startProxy({
      place: network.gateway,
      config: `
upstreams:
  - name: files
    servers: [${addresses.join(', ')}]
    balance: roundRobin
    health: { interval: 500ms, timeout: 1s, rise: 1, fall: 2 }
listeners: [{ name: public, listen: '0.0.0.0:2121', upstream: files }]
limits: { connect: 1s }
`,
    })
    cleanup.add(proxy.stop)
  })

  afterAll(() => cleanup.run())

  /** Downloads by sessions of their own, so many at a time; gives those that were not whole. */
  async function failures(sessions: number, atOnce = 10): Promise<readonly string[]> {
    const folder = await mkdtemp(join(samples.folder, 'pool-'))
    const url = `ftp://${account.user}:${account.password}@${network.gateway.inside.ipv4}:2121/${sharedFolder}/${samples.middle.name}`
    const failed: string[] = []
    let next = 0
    const work = async () => {
      for (let index = next; index < sessions; index = next) {
        next += 1
        const local = join(folder, String(index))
        const argv = ['curl', '-sS', '--disable-epsv', '--max-time', '30', '-o', local, url]
        const { exitCode, stderr } = await runProgram(argv, { place: network.host('client') })
        if (exitCode !== 0) failed.push(stderr)
        else if ((await sha256Of(local)) !== samples.middle.sha256) failed.push('another file')
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    return failed
  }

  const up = async () => {
    const lines = (await proxy.metrics()).match(/^ftp_alg_upstream_server_up\{.*\} [01]$/gm) ?? []
    return lines.map((line) => line.endsWith(' 1'))
  }
  const run = async (kind: Kind, command: string) => {
    expect(await network.host(kind).run(command.split(' '))).toMatchObject({ exitCode: 0 })
  }

  it('serves fifty sessions from all of them', async () => {
    expect(await failures(50)).toEqual([])
    expect(await up()).toEqual([true, true, true])
  })

  it('is let in by all of them where checks log in, and hears which password they refuse', async () => {
    const passwordFile = join(samples.folder, 'check.password')
    await writeFile(passwordFile, `${account.password}\n`)
    const servers = kinds.map((kind) => `{ address: '${network.host(kind).addresses.ipv4[0]}:21' }`)
    const checking = await startProxy({
      place: network.gateway,
      admin: { address: '127.0.0.1', port: 9122 },
      config: `
upstreams:
  - name: files
    servers: [${servers.join(', ')}]
    health: { interval: 500ms, timeout: 10s, expect: login, user: ${account.user}, passwordFile: ${passwordFile}, rise: 1, fall: 1 }
listeners: [{ listen: '127.0.0.1:2122', upstream: files }]
dataPorts: 33000-33009
`,
    })
    try {
      const said = (event: string) => checking.records().filter((record) => record.event === event)
      await writeFile(passwordFile, 'another\n')
      await expect.poll(() => said('upstream.lose').length, { timeout: 20_000 }).toBe(3)
      for (const { detail } of said('upstream.lose')) {
        expect(detail).toMatch(new RegExp(`^it refuses the login of ${account.user} with 5`))
      }
      await writeFile(passwordFile, `${account.password}\n`)
      await expect.poll(() => said('upstream.recover').length, { timeout: 20_000 }).toBe(3)
      expect(checking.output()).not.toContain(account.password)
    } finally {
      await checking.stop()
    }
  })

  it('fails no session while one is silent, is cut off, and comes back', async () => {
    await run('vsftpd', 'nft add table ip mute')
    await run('vsftpd', 'nft add chain ip mute out { type filter hook output priority 0; policy drop; }')
    expect(await failures(50)).toEqual([])
    await expect.poll(up, { timeout: 20_000 }).toEqual([false, true, true])
    await run('vsftpd', 'nft delete table ip mute')
    await expect.poll(up, { timeout: 20_000 }).toEqual([true, true, true])
    await run('proftpd', 'ip link set eth0 down')
    expect(await failures(20)).toEqual([])
    await expect.poll(up, { timeout: 20_000 }).toEqual([true, false, true])
  })

  it('serves from the last one', async () => {
    await servers.get('vsftpd')?.stop()
    expect(await failures(20)).toEqual([])
    await expect.poll(up, { timeout: 20_000 }).toEqual([false, false, true])
    const lost = () => proxy.records().filter(({ event }) => event === 'upstream.lose')
    await expect.poll(() => lost().length).toBeGreaterThanOrEqual(3)
    console.log(
      lost()
        .map(({ server, detail }) => `${server}: ${detail}`)
        .join('\n'),
    )
  })
})
