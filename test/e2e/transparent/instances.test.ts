// Two instances on one gateway: each with a name for its tables, or the second one does not start.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../../src/ftp/endpoints.ts'
import { debianRootMissing } from '../../support/debian.ts'
import { type RunningProxy, startProxy } from '../../support/proxy.ts'
import { Dialogue, downloads, type Waiting } from './lab/dialogue.ts'
import { EdgeLab, ftpAlg } from './lab/edge-lab.ts'
import { dropByDefault } from './lab/rules.ts'
import { everyPortIsFtp, portOf } from './lab/variants.ts'

const missing = debianRootMissing('two instances on a gateway')

interface Instance {
  readonly config: string
  readonly admin: Endpoint
  /** The server's port that this one intercepts. */
  readonly port: number
}

/** `number` counts from 0; everything that cannot be shared differs by it. */
function instance(number: number, { port, pinholes = '' }: { port: number; pinholes?: string }): Instance {
  const admin = { address: '127.0.0.1', port: 9121 + number }
  return {
    port,
    admin,
    config: `listeners:
  - name: only
    listen: '127.0.0.1:${2121 + number}'
    intercept: tproxy
    matches: { ports: [${port}] }
pinholes: { backend: nftables${pinholes} }
dataPorts: ${30_000 - number * 1_000}-${30_999 - number * 1_000}
`,
  }
}

const first = instance(0, { port: portOf.client })
const second = instance(1, { port: portOf.passive, pinholes: ', table: ftp_alg_two' })
const namesake = instance(2, { port: portOf.active })

describe.skipIf(missing !== null)('two instances', () => {
  let lab: EdgeLab
  const running: RunningProxy[] = []
  const open: { close(): void }[] = []

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'] })
    await lab.network.gateway.firewall(dropByDefault())
    await lab.network.host('vsftpd').firewall(everyPortIsFtp)
  })
  afterEach(async () => {
    for (const each of open.splice(0)) each.close()
    for (const proxy of running.splice(0)) await proxy.stop()
    for (const { config } of [first, second]) await lab.command(['firewall', '--remove'], config)
  })
  afterAll(() => lab?.close())

  async function start({ config, admin }: Instance): Promise<RunningProxy> {
    const applied = await lab.command(['firewall', '--apply'], config)
    if (applied.exitCode !== 0) throw new Error(applied.stderr)
    const proxy = await startProxy({ place: lab.network.gateway, config, admin })
    running.push(proxy)
    return proxy
  }

  /** A session that waits for its data connection. */
  async function waiting({ port }: Instance): Promise<Waiting> {
    const client = await Dialogue.begin(lab.network.host('client'), { address: lab.address('vsftpd'), port })
    open.push(client)
    return { client, hole: await client.passive('ipv4') }
  }

  const tables = async () =>
    (await lab.nft('list', 'tables')).split('\n').filter((line) => /ftp_alg/.test(line))
  const rules = async () => (await lab.network.gateway.run(['ip', 'rule'])).stdout

  it('with a name each start, stop and are taken away without the other', async () => {
    const one = await start(first)
    const early = await waiting(first)
    await start(second)
    expect(await tables()).toEqual([
      'table inet ftp_alg_intercept',
      'table ip ftp_alg',
      'table ip6 ftp_alg',
      'table inet ftp_alg_two_intercept',
      'table ip ftp_alg_two',
      'table ip6 ftp_alg_two',
    ])
    const other = await waiting(second)
    expect(await downloads(early)).toBe(65_536)
    early.client.close()
    await one.stop()
    running.shift()
    const removed = await lab.command(['firewall', '--remove'], first.config)
    expect(removed.stdout.trim().split('\n')).toEqual([
      'nft: table inet ftp_alg_intercept is gone',
      'nft: table ip ftp_alg is gone',
      'nft: table ip6 ftp_alg is gone',
    ])
    expect(await downloads(other)).toBe(65_536)
    expect(await downloads(await waiting(second))).toBe(65_536)
    expect(await rules()).toContain('lookup 2121')
    await lab.command(['firewall', '--remove'], second.config)
    expect(await tables()).toEqual([])
    expect(await rules()).not.toContain('lookup 2121')
  })

  it('of one name do not run together: the second one says so and leaves the first alone', async () => {
    const proxy = await start(first)
    const early = await waiting(first)
    const file = join(lab.folder, 'namesake.yaml')
    await writeFile(file, namesake.config)
    for (const workers of ['1', '2']) {
      const flags = ['run', '--config', file, '--admin', 'off', '--workers', workers]
      const { exitCode, stderr } = await lab.network.gateway.run([...ftpAlg, ...flags])
      expect(exitCode).toBe(1)
      expect(stderr.trim()).toBe(
        `ftp-alg: another ftp-alg runs here with the tables ftp_alg (process ${proxy.pid}): stop it, or give one of the two a pinholes.table of its own, such as ftp_alg_two`,
      )
    }
    expect(await downloads(early)).toBe(65_536)
  })

  it('begin without what an earlier run with other workers has left, and leave the other’s', async () => {
    const left = ['ip ftp_alg_30000', 'ip6 ftp_alg_30500', 'ip ftp_alg_two', 'ip ftp_alg_two_31000']
    for (const table of left) await lab.nft('add', 'table', ...table.split(' '))
    await start(first)
    expect((await tables()).sort()).toEqual([
      'table inet ftp_alg_intercept',
      'table ip ftp_alg',
      'table ip ftp_alg_two',
      'table ip ftp_alg_two_31000',
      'table ip6 ftp_alg',
    ])
    await running.shift()?.stop()
    await start({ ...first, config: `${first.config}workers: 2\n` })
    await expect
      .poll(async () => (await tables()).filter((line) => !line.includes('two')).sort())
      .toEqual([
        'table inet ftp_alg_intercept',
        'table ip ftp_alg_30000',
        'table ip ftp_alg_30500',
        'table ip6 ftp_alg_30000',
        'table ip6 ftp_alg_30500',
      ])
    expect(await downloads(await waiting(first))).toBe(65_536)
  })
})
