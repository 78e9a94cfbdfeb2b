// A client with few ports names the same one again soon. First the gateway calls it in the server's name, from the server's
// port 20; then the kernel forwards the server's own call, between the very same two ends.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { debianRootMissing } from '../../support/debian.ts'
import { runOrThrow } from '../../support/programs.ts'
import type { RunningProxy } from '../../support/proxy.ts'
import { account } from '../../support/servers/server.ts'
import { EdgeLab } from './lab/edge-lab.ts'
import { dropByDefault } from './lab/rules.ts'
import { configurationOf, everyPortIsFtp, nameOf, portOf, variants } from './lab/variants.ts'

const missing = debianRootMissing('clients with few ports')

describe.skipIf(missing !== null)('a client that names the same port again', () => {
  let lab: EdgeLab
  let fewPorts = 50_000

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'] })
    await lab.network.host('vsftpd').firewall(everyPortIsFtp)
  })

  afterAll(() => lab?.close())

  it.each(
    variants
      .filter(({ backend }) => backend === 'nftables')
      .map((variant) => [nameOf(variant), variant] as const),
  )('is served, whoever calls it: relay, then %s', async (_name, variant) => {
    // Others each time: what a client has used rests for a minute.
    fewPorts += 100
    const range = `net.ipv4.ip_local_port_range=${fewPorts} ${fewPorts + 29}`
    await runOrThrow(['sysctl', '-q', '-w', range], { place: lab.network.host('client') })
    for (const backend of ['relay', 'nftables'] as const) {
      const config = configurationOf({ ...variant, backend })
      await lab.network.gateway.firewall(dropByDefault())
      const proxy: RunningProxy = await lab.start(config)
      try {
        for (let transfer = 0; transfer < 6; transfer += 1) expect(await download()).toBe('')
      } finally {
        await lab.end(proxy, config)
      }
    }
  })

  /** What curl says when it fails, else nothing. */
  async function download(): Promise<string> {
    const [small] = lab.samples.small
    const url = `ftp://${lab.address('vsftpd')}:${portOf.client}/files/${small?.name}`
    const user = `${account.user}:${account.password}`
    const argv = [
      'curl',
      '--silent',
      '--verbose',
      '--max-time',
      '6',
      '--user',
      user,
      '--ftp-port',
      '-',
      '--output',
      '/dev/null',
      url,
    ]
    const { exitCode, stderr } = await lab.network.host('client').run(argv)
    return exitCode === 0 ? '' : `exit code ${exitCode}\n${stderr}`
  }
})
