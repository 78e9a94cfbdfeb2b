// `ftp-alg run`, `firewall` and `doctor` as somebody who meets them for the first time: without the privilege, without
// koffi, on a machine that does not forward.

import { chmod, cp, mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { debianRootMissing } from '../../support/debian.ts'
import type { Ran, RunningProgram } from '../../support/programs.ts'
import { EdgeLab, ftpAlg } from './lab/edge-lab.ts'
import { dropByDefault } from './lab/rules.ts'
import { configurationOf, nameOf, type Variant } from './lab/variants.ts'

const missing = debianRootMissing('the commands as a user meets them')

const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
/** As the systemd unit runs it. */
const capabilities = ['net_admin', 'net_bind_service'].map((name) => `+${name}`).join()
const serviceUser = [...nobody, `--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`]

/** With few sessions, so that nothing is said about open files. */
const edge = configurationOf(
  { intercept: 'tproxy', source: 'client', backend: 'nftables' },
  'limits: { sessions: 100 }\n',
)
const redirectRelay: Variant = { intercept: 'redirect', source: 'proxy', backend: 'relay' }
const tproxyRelay: Variant = { intercept: 'tproxy', source: 'proxy', backend: 'relay' }
const redirectKernel: Variant = { intercept: 'redirect', source: 'proxy', backend: 'nftables' }
const clientKernel: Variant = { intercept: 'tproxy', source: 'client', backend: 'nftables' }
const named = (variants: readonly Variant[]) => variants.map((variant) => [nameOf(variant), variant] as const)

const plain = 'listeners:\n  - { name: plain, listen: "127.0.0.1:2121", upstream: "127.0.0.1:21" }\n'

describe.skipIf(missing !== null)('ftp-alg as a user meets it', () => {
  let lab: EdgeLab

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'] })
    await chmod(lab.folder, 0o755)
    await lab.network.gateway.firewall(dropByDefault())
  })

  afterAll(() => lab?.close())

  /** Runs a command on the gateway as somebody, with the program at another place where `program` says so. */
  async function runAs(
    who: readonly string[],
    argv: readonly string[],
    { config, program = ftpAlg }: { config: string; program?: readonly string[] },
  ): Promise<Ran> {
    return lab.network.gateway.run([...who, ...program, ...argv, '--config', await fileOf(config)], {
      timeoutMs: 20_000,
    })
  }

  async function fileOf(config: string): Promise<string> {
    const file = join(lab.folder, 'user.yaml')
    await writeFile(file, config)
    return file
  }

  const notOk = ({ stdout }: Ran) =>
    stdout.split('\n').filter((line) => line !== '' && !line.startsWith('ok '))

  describe('without CAP_NET_ADMIN', () => {
    it.each(named([redirectRelay, tproxyRelay, redirectKernel]))(
      'run says what is missing and how to give it: %s',
      async (_name, variant) => {
        const ran = await runAs(nobody, ['run'], { config: configurationOf(variant) })
        expect(ran.exitCode, ran.stdout).toBe(3)
        expect(ran.stderr).toMatch(
          /^ftp-alg: .*CAP_NET_ADMIN.*: run as root, or set AmbientCapabilities=CAP_NET_ADMIN/m,
        )
        expect(ran.stderr.trim().split('\n')).toHaveLength(1)
      },
    )

    it('firewall prints, but neither applies nor removes', async () => {
      const printed = await runAs(nobody, ['firewall'], { config: edge })
      expect(printed).toMatchObject({ exitCode: 0, stderr: '' })
      expect(printed.stdout).toContain('table inet ftp_alg_intercept {')
      for (const action of ['--apply', '--remove']) {
        const ran = await runAs(nobody, ['firewall', action], { config: edge })
        expect(ran.exitCode).toBe(3)
        expect(ran.stderr).toMatch(/^ftp-alg: ftp-alg firewall --\w+ needs CAP_NET_ADMIN: run as root/)
      }
      expect(await lab.nft('list', 'ruleset')).not.toContain('ftp_alg')
    })

    it('doctor names it first, and fails', async () => {
      const ran = await runAs(nobody, ['doctor'], { config: edge })
      expect(ran.exitCode).toBe(3)
      expect(notOk(ran)[0]).toMatch(/^FAIL {2}privilege: CAP_NET_ADMIN is missing {2}-> {2}run as root, or /)
    })

    it('doctor does not ask for it where nothing needs it', async () => {
      const ran = await runAs(nobody, ['doctor'], { config: plain })
      expect(ran.stdout).toMatch(/^ok +privilege: CAP_NET_ADMIN is not granted, and not needed$/m)
    })
  })

  describe('as an unprivileged user with the capabilities of the systemd unit', () => {
    it.each(named([tproxyRelay, redirectKernel, clientKernel]))(
      'everything works: %s',
      async (_name, variant) => {
        const config = configurationOf(variant)
        const applied = await runAs(serviceUser, ['firewall', '--apply'], { config })
        expect(applied).toMatchObject({ exitCode: 0, stderr: '' })
        const doctor = await runAs(serviceUser, ['doctor'], { config })
        expect(doctor.stdout).not.toMatch(/^FAIL/m)
        expect(doctor.exitCode).toBe(0)
        const proxy: RunningProgram = lab.network.gateway.start([
          ...serviceUser,
          ...ftpAlg,
          'run',
          '--config',
          await fileOf(config),
        ])
        await proxy.waitForOutput(/"process\.start"/)
        for (const mode of ['PASV', 'PORT'] as const) {
          const failures = await lab.attempt({
            family: 'ipv4',
            mode,
            target: { address: lab.address('vsftpd'), port: 21 },
          })
          expect(failures).toEqual([])
        }
        proxy.signal('SIGTERM')
        expect(await proxy.exited).toBe(0)
        expect(await runAs(serviceUser, ['firewall', '--remove'], { config })).toMatchObject({
          exitCode: 0,
          stderr: '',
        })
        expect(await lab.nft('list', 'ruleset')).not.toContain('ftp_alg')
      },
    )
  })

  describe('without koffi', () => {
    let program: readonly string[]

    beforeAll(async () => {
      const root = await mkdtemp(join(lab.folder, 'without-koffi-'))
      const source = join(new URL('../../..', import.meta.url).pathname)
      await cp(join(source, 'dist'), join(root, 'dist'), { recursive: true })
      await cp(join(source, 'package.json'), join(root, 'package.json'))
      await mkdir(join(root, 'node_modules'))
      for (const name of await readdir(join(source, 'node_modules'))) {
        if (name === 'koffi' || name.startsWith('@koromix')) continue
        await symlink(join(source, 'node_modules', name), join(root, 'node_modules', name))
      }
      program = [process.execPath, join(root, 'dist/main.js')]
    })

    it.each(['run', 'doctor'])('%s says so, with the cure', async (command) => {
      const ran = await runAs([], [command], { config: edge, program })
      expect(ran.exitCode).toBe(command === 'run' ? 3 : 1)
      expect(ran.stdout + ran.stderr).toMatch(/koffi.*npm install koffi/)
      expect(ran.stderr).not.toMatch(/^\s+at /m)
    })

    it('a plain relay runs', async () => {
      const started = lab.network.gateway.start([...program, 'run', '--config', await fileOf(plain)])
      await started.waitForOutput(/"process\.start"/)
      started.signal('SIGTERM')
      expect(await started.exited).toBe(0)
    })
  })

  describe('on a machine with the wrong settings', () => {
    it('doctor names each with its cure, and the cures cure', async () => {
      const { gateway } = lab.network
      const wrong = [
        'net.ipv4.ip_forward=0',
        'net.ipv6.conf.all.forwarding=0',
        'net.netfilter.nf_conntrack_events=0',
        'net.ipv4.ip_local_port_range=30000 60999',
      ]
      for (const setting of wrong) expect((await gateway.run(['sysctl', '-qw', setting])).exitCode).toBe(0)
      expect((await lab.command(['firewall', '--apply'], edge)).exitCode).toBe(0)
      const ill = await lab.command(['doctor'], edge)
      expect(ill.exitCode).toBe(1)
      const cures = notOk(ill).map((line) => line.split('  ->  ')[1] ?? '')
      expect(cures.map((cure) => cure.split('=')[0])).toEqual([
        'sysctl -w net.ipv4.ip_forward',
        'sysctl -w net.ipv6.conf.all.forwarding',
        'sysctl -w net.netfilter.nf_conntrack_events',
        'sysctl -w net.ipv4.ip_local_reserved_ports',
      ])
      for (const cure of cures) expect((await gateway.run(['sh', '-c', cure])).exitCode).toBe(0)
      const well = await lab.command(['doctor'], edge)
      expect(notOk(well)).toEqual([])
      expect(well.exitCode).toBe(0)
      await lab.command(['firewall', '--remove'], edge)
    })
  })
})
