// How the administrator's own firewall learns whom to let through: by the mark, or by sets of their own. The rules are
// those that `ftp-alg firewall` prints, taken from its output.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { curl } from '../../support/clients/curl.ts'
import { debianRootMissing } from '../../support/debian.ts'
import type { RunningProxy } from '../../support/proxy.ts'
import { EdgeLab } from './lab/edge-lab.ts'
import { dropByDefault } from './lab/rules.ts'
import { configurationOf, everyPortIsFtp, nameOf, portOf, variants } from './lab/variants.ts'

const missing = debianRootMissing('integration with a firewall')

/** Forwarded by the kernel and relayed, called by the client and by the server, in both families. */
const ways = [
  { family: 'ipv4', mode: 'PASV', upstreamMode: 'client' },
  { family: 'ipv6', mode: 'EPRT', upstreamMode: 'client' },
  { family: 'ipv4', mode: 'PORT', upstreamMode: 'passive' },
  { family: 'ipv6', mode: 'EPSV', upstreamMode: 'active' },
] as const

const admitted = variants.filter(({ backend }) => backend === 'nftables')

describe.skipIf(missing !== null)('the administrator’s firewall', () => {
  let lab: EdgeLab
  let proxy: RunningProxy | undefined
  let config = ''

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'] })
    await lab.network.host('vsftpd').firewall(everyPortIsFtp)
  })

  afterEach(() => lab.end(proxy, config))
  afterAll(() => lab?.close())

  async function transferInManyWays(): Promise<void> {
    for (const { family, mode, upstreamMode } of ways) {
      const failures = await lab.attempt({
        family,
        mode,
        target: { address: lab.address('vsftpd', family), port: portOf[upstreamMode] },
      })
      expect(failures).toEqual([])
    }
  }

  it.each(admitted.map((variant) => [nameOf(variant), variant] as const))(
    'goes by its own sets, with the rules that are printed: %s',
    async (_name, variant) => {
      config = configurationOf(variant).replace(
        'pinholes: {',
        'pinholes: { admit: { ipv4: inet filter ftp_data, ipv6: inet filter ftp_data6 },',
      )
      const printed = await lab.command(['firewall'], config)
      const [, instead = ''] = printed.stdout.split('Or, without the mark')
      const sets = [...instead.matchAll(/^# +in table inet filter: +(set .*)$/gm)].map(([, set]) => set)
      const both = [...instead.matchAll(/^# +input, forward: +(.*)$/gm)].map(([, rule]) => rule)
      const input = [...instead.matchAll(/^# +input: +(.*?)(?: +#.*)?$/gm)].map(([, rule]) => rule)
      expect(sets).toHaveLength(2)
      expect(both).toHaveLength(2)
      const rules = { table: sets.join('\n'), both: both.join('\n'), input: input.join('\n') }
      expect(Object.values(rules).join()).not.toContain('mark')
      await lab.network.gateway.firewall(dropByDefault(rules))
      proxy = await lab.start(config)
      const doctor = await lab.command(['doctor'], config)
      expect(doctor.stdout).not.toMatch(/^FAIL/m)
      await transferInManyWays()
      await expect.poll(() => lab.elements()).toEqual([])
    },
  )

  it.each(variants.map((variant) => [nameOf(variant), variant] as const))(
    'goes by a mark of its own choice, with the rules that are printed: %s',
    async (_name, variant) => {
      config = configurationOf(variant).replace('pinholes: {', 'pinholes: { mark: 81,')
      const printed = await lab.command(['firewall'], config)
      const rules = (chain: string) =>
        [...printed.stdout.matchAll(new RegExp(`^# +${chain}: +(\\S.*?)(?: +#.*)?$`, 'gm'))].map(
          ([, rule]) => rule,
        )
      const [input, forward] = [rules('input').join('\n'), rules('forward').join('\n')]
      expect(input).toBe('ct mark 0x51 accept')
      expect(forward).toBe(variant.backend === 'nftables' ? 'ct mark 0x51 accept' : '')
      await lab.network.gateway.firewall(dropByDefault({ both: '', input, forward }))
      proxy = await lab.start(config)
      await transferInManyWays()
    },
  )

  it('is named in the log when it swallows what a pinhole let in', async () => {
    const [variant = variants[0]] = admitted
    if (variant === undefined) throw new Error('no variant')
    config = configurationOf(variant).replace('pinholes: {', 'pinholes: { timeout: 2s,')
    // The administrator has forgotten the forward chain.
    await lab.network.gateway.firewall(dropByDefault({ both: '', input: 'ct mark 0xf7 accept' }))
    proxy = await lab.start(config)
    const run = curl.run({
      place: lab.network.host('client'),
      folder: lab.folder,
      server: { address: lab.address('vsftpd'), port: 21 },
      mode: 'PASV',
      steps: [{ kind: 'download', remote: 'files/1B.bin', local: 'never' }],
      timeoutMs: 5_000,
    })
    const swallowed = await proxy.waitForRecord(({ event }) => event === 'pinhole.swallow', 'the warning')
    expect(swallowed).toMatchObject({ chain: 'forward', client_ip: lab.address('client') })
    const doctor = await lab.command(['doctor'], config)
    expect(doctor.stdout).toMatch(
      /^FAIL {2}your forward chain: .* -> {2}nft insert rule inet filter forward ct mark 0xf7 accept$/m,
    )
    expect((await run).exitCode).not.toBe(0)
  })
})
