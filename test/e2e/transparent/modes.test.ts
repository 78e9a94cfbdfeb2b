// Clients and servers that know nothing of the gateway between them: every way of setting up data connections × every
// upstream mode × every way to intercept × both backends × both families. curl talks to vsftpd, lftp to pyftpdlib; both
// servers refuse data connections from another address than the control connection's.

import { mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataModes, urlHost } from '../../support/clients/client.ts'
import { curl } from '../../support/clients/curl.ts'
import { lftp } from '../../support/clients/lftp.ts'
import { debianRootMissing } from '../../support/debian.ts'
import type { RunningProxy } from '../../support/proxy.ts'
import { sha256Of } from '../../support/samples.ts'
import { account } from '../../support/servers/server.ts'
import { EdgeLab, families } from './lab/edge-lab.ts'
import { dropByDefault } from './lab/rules.ts'
import { configurationOf, everyPortIsFtp, nameOf, portOf, upstreamModes, variants } from './lab/variants.ts'
import { acquaintances, witnessRules } from './lab/witness.ts'

const missing = debianRootMissing('transparent interception')

const pairs = [
  { client: curl, server: 'vsftpd' },
  { client: lftp, server: 'pyftpdlib' },
] as const

const ways = pairs.flatMap(({ client, server }) =>
  families.flatMap((family) =>
    dataModes
      .filter((mode) => client.cannotUse({ family, mode }) === null)
      .flatMap((mode) =>
        upstreamModes.map((upstreamMode) => ({ client, server, family, mode, upstreamMode })),
      ),
  ),
)
const namedWays = ways.map((way) => [way.client.name, way.family, way.mode, way.upstreamMode, way] as const)

describe.skipIf(missing !== null)('behind a gateway that drops by default', () => {
  let lab: EdgeLab

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd', 'pyftpdlib'] })
    await lab.network.gateway.firewall(dropByDefault())
  })

  afterAll(() => lab?.close())

  it('nothing passes before ftp-alg runs', async () => {
    for (const family of families) {
      const run = await lab.network
        .host('client')
        .run(['bash', '-c', 'exec 3<>"/dev/tcp/$0/21"', lab.address('vsftpd', family)], { timeoutMs: 1000 })
      expect(run.exitCode).not.toBe(0)
    }
  })

  describe.each(variants.map((variant) => [nameOf(variant), variant] as const))('%s', (_name, variant) => {
    // So few that nothing is said about open files.
    const config = configurationOf(variant, 'limits: { sessions: 1000 }\n')
    let proxy: RunningProxy | undefined

    beforeAll(async () => {
      await lab.network.host('client').firewall(witnessRules())
      for (const { server } of pairs) await lab.network.host(server).firewall(witnessRules(everyPortIsFtp))
      proxy = await lab.start(config)
    })

    afterAll(() => lab.end(proxy, config))

    it.concurrent.each(namedWays)(
      '%s transfers over %s with %s, upstreamMode %s',
      async (_client, _family, _mode, _upstreamMode, { client, server, family, mode, upstreamMode }) => {
        const failures = await lab.attempt({
          client,
          server: lab.server(server),
          family,
          mode,
          target: { address: lab.address(server, family), port: portOf[upstreamMode] },
        })
        expect(failures).toEqual([])
      },
    )

    it('showed the client nobody but its servers, and the servers nobody but whom it should', async () => {
      for (const family of families) {
        const servers = pairs.map(({ server }) => lab.address(server, family)).sort()
        expect(await acquaintances(lab.network.host('client'), family)).toEqual({
          callers: servers,
          called: servers,
        })
        const seen =
          variant.source === 'client' ? lab.address('client', family) : lab.network.gateway.outside[family]
        for (const { server } of pairs) {
          expect(await acquaintances(lab.network.host(server), family)).toEqual({
            callers: [seen],
            called: [seen],
          })
        }
      }
    })

    /** Data bytes so far: of one upstream mode, on one path. */
    const bytesMoved = async () => {
      const metrics = (await proxy?.metrics()) ?? ''
      return (upstreamMode: string, path: string) =>
        [...metrics.matchAll(/^ftp_alg_data_bytes_total\{listener="(\w+?)6?",.*path="(\w+)"\} (\d+)$/gm)]
          .filter(([, listener, by]) => listener === upstreamMode && by === path)
          .reduce((total, [, , , count]) => total + Number(count), 0)
    }

    it('moved the bytes where it should: in the kernel unless it converts', async () => {
      const bytes = await bytesMoved()
      const inKernel = variant.backend === 'nftables'
      for (const upstreamMode of upstreamModes) {
        expect(bytes(upstreamMode, 'kernel') > 0, `${upstreamMode} kernel`).toBe(inKernel)
        const isRelayed = !inKernel || upstreamMode !== 'client'
        expect(bytes(upstreamMode, 'relay') > 0, `${upstreamMode} relay`).toBe(isRelayed)
      }
    })

    it.each(families)('50 MiB each way over %s cost the process what they should', async (family) => {
      const bytesRead = async () => {
        const io = await readFile(`/proc/${proxy?.pid}/io`, 'latin1')
        return Number(/^rchar: (\d+)$/m.exec(io)?.[1])
      }
      const { large } = lab.samples
      const before = await bytesRead()
      const relayedBefore = (await bytesMoved())('client', 'relay')
      const folder = await mkdtemp(join(lab.folder, 'plain-'))
      // As a user would type it: no option about addresses or modes.
      const url = `ftp://${urlHost(lab.address('vsftpd', family))}/`
      const user = `${account.user}:${account.password}`
      const argv = ['curl', '-sSv', '-m', '60', '-u', user, '-o', 'down', `${url}files/${large.name}`]
      const upload = ['-u', user, '-T', join(lab.samples.folder, large.name), `${url}up-${family}.bin`]
      const ran = await lab.network
        .host('client')
        .run([...argv, '--next', '-sSv', '-m', '60', ...upload], { cwd: folder, timeoutMs: 120_000 })
      expect(ran.exitCode, ran.stderr).toBe(0)
      expect(await sha256Of(join(folder, 'down'))).toBe(large.sha256)
      expect(await sha256Of(join(lab.server('vsftpd').home, `up-${family}.bin`))).toBe(large.sha256)
      // What is relayed may be spliced: it passes through the process, but is not read.
      const relayed = (await bytesMoved())('client', 'relay') - relayedBefore
      expect(relayed).toBe(variant.backend === 'nftables' ? 0 : 2 * large.bytes)
      if (variant.backend === 'nftables') expect((await bytesRead()) - before).toBeLessThan(1_000_000)
    })

    it('tells curl an address that it accepts: the server’s own', async () => {
      const run = await curl.run({
        place: lab.network.host('client'),
        folder: await mkdtemp(join(lab.folder, 'told-')),
        server: { address: lab.address('vsftpd'), port: 21 },
        mode: 'PASV',
        steps: [{ kind: 'download', remote: 'files/1B.bin', local: '1B.bin' }],
      })
      const told = [...run.dialogue.matchAll(/^< 227 .*\((\d+,\d+,\d+,\d+),\d+,\d+\)/gm)].map(([, address]) =>
        address?.replaceAll(',', '.'),
      )
      expect(told, run.dialogue).toEqual([lab.address('vsftpd')])
    })

    it('leaves no element and no session behind', async () => {
      await expect.poll(() => lab.elements()).toEqual([])
      await expect
        .poll(async () => JSON.parse((await proxy?.get('/api/v1/sessions'))?.body ?? '{}'), {
          timeout: 90_000,
        })
        .toMatchObject({ total: 0 })
      expect(proxy?.records().filter(({ level }) => level === 'error' || level === 'warn')).toEqual([])
    }, 120_000)
  })
})
