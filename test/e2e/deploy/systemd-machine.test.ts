// The units as shipped, from the Debian package, under a systemd that runs, on a gateway: under all their restrictions, with real
// transfers, and with files that have mistakes.

import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openControlConnection } from '../../support/control-connection.ts'
import { cacheFolder, debianRootMissing } from '../../support/debian.ts'
import { registryMissing } from '../../support/images.ts'
import { bootMachine, type Machine } from '../../support/machine.ts'
import { runOrThrow } from '../../support/programs.ts'
import { curlCommand, type Ground, openGround } from './ground.ts'

const deploy = new URL('../../../deploy/', import.meta.url).pathname
const suite = 'the units under systemd'
const missing = debianRootMissing(suite) ?? (await registryMissing(suite))
const architecture = process.arch === 'x64' ? 'amd64' : process.arch
const server = { address: '10.77.2.10', port: 21 }

const gateway = `listeners:
  - { name: edge, listen: '0.0.0.0:2121', intercept: redirect, matches: { interfaces: [side1] } }
pinholes: { backend: nftables }
`
const relay = `listeners: [{ listen: 0.0.0.0:21, upstream: ${server.address} }]
`
const mistake = 'wokers: 2\n'
const complaint = /\/etc\/ftp-alg\/config\.yaml:4:1 wokers: .*did you mean workers\?/

describe.skipIf(missing !== null)('the units under a systemd that runs', { timeout: 300_000 }, () => {
  let ground: Ground
  let machine: Machine

  beforeAll(async () => {
    ground = await openGround({
      inside: ['client'],
      outside: ['server'],
      server: { on: 'server', address: server.address },
    })
    const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-units-'))
    ground.cleanup.add(() => rm(folder, { recursive: true, force: true }))
    const scripts = join(deploy, 'packages')
    const tree = join(folder, 'tree')
    const env = { FAST: '1', PACKAGE_CACHE: join(cacheFolder(), 'packages') }
    await runOrThrow([join(scripts, 'tree'), architecture, tree], { env, timeoutMs: 300_000 })
    machine = await bootMachine(ground.network.gateway)
    ground.cleanup.add(machine.close)
    const target = join(machine.root, 'root')
    await runOrThrow([join(scripts, 'build-deb'), architecture, tree, target], { env, timeoutMs: 120_000 })
    await successOf('dpkg --install /root/ftp-alg_*.deb')
  }, 900_000)

  afterAll(() => ground?.cleanup.run())

  async function successOf(script: string): Promise<string> {
    const ran = await machine.shell(script)
    expect(ran, ran.stderr + ran.stdout).toMatchObject({ exitCode: 0 })
    return ran.stdout
  }

  const configure = (text: string) => writeFile(join(machine.root, 'etc/ftp-alg/config.yaml'), text)

  /** `systemctl show`: `{ ActiveState: 'active', … }`. */
  async function shown(...names: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const lines = await successOf(`systemctl show ${names.map((name) => `-p ${name}`).join(' ')} ftp-alg`)
    return Object.fromEntries(
      lines
        .trim()
        .split('\n')
        .map((line) => [line.split('=', 1)[0], line.replace(/^\w+=/, '')]),
    )
  }

  const mainProcess = async () => {
    const { MainPID } = await shown('MainPID')
    // 0 when nothing runs: to `kill` that would be the whole group, this test included.
    expect(MainPID).toMatch(/^[1-9]\d*$/)
    return MainPID ?? ''
  }
  /** What has reached the journal at this priority or a worse one, since it was asked last. */
  const journal = async (priority: string) =>
    successOf(`journalctl --sync; journalctl -q -o cat -u ftp-alg -p ${priority}`)
  const forgetJournal = () => successOf('journalctl -q --rotate --vacuum-time=1us')

  const throughGateway = (mode: 'EPSV' | 'PORT') => ground.transfers({ mode, from: 'client', target: server })
  const session = async () => {
    const opened = await openControlConnection(server, ground.network.host('client'))
    await opened.login()
    return opened
  }

  it('let it intercept and forward in the kernel, and do nothing else', async () => {
    await configure(gateway)
    await successOf('ftp-alg firewall --apply && systemctl start ftp-alg')
    expect(await throughGateway('EPSV'), await journal('debug')).toEqual([])
    expect(await throughGateway('PORT'), await journal('debug')).toEqual([])
    expect(await shown('StatusText', 'User')).toEqual({ StatusText: 'Running', User: 'ftp-alg' })
    const status = await successOf(`cat /proc/${await mainProcess()}/status`)
    // NET_BIND_SERVICE is 10, NET_ADMIN 12. Seccomp 2: a filter.
    for (const line of [/^CapEff:\t0{12}1400$/m, /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m])
      expect(status).toMatch(line)
    const warnings = (await journal('warning')).split('\n').filter((line) => line !== '')
    // A machine that is itself a container may have a lower limit than LimitNOFILE asks for.
    expect(warnings.filter((line) => !line.includes('"descriptors.low"'))).toEqual([])
    expect(await journal('info')).toContain('"process.start"')
  })

  it('refuse a reload at a mistake in the file, and what runs goes on', async () => {
    const before = await mainProcess()
    const open = await session()
    await configure(gateway + mistake)
    const reload = await machine.shell('systemctl reload ftp-alg')
    expect(reload.exitCode).not.toBe(0)
    expect(await journal('err')).toMatch(complaint)
    expect(await shown('ActiveState', 'StatusText', 'MainPID')).toEqual({
      ActiveState: 'active',
      StatusText: 'Running',
      MainPID: before,
    })
    expect(await open.ask('PASV')).toMatch(/^227 /)
    await configure(`${gateway}limits: { idle: 5m }\n`)
    await successOf('systemctl reload ftp-alg')
    // ExecReload sends a signal and does not wait.
    await vi.waitFor(async () => expect(await journal('info')).toContain('"config.reload"'), {
      timeout: 10_000,
      interval: 100,
    })
    expect(await open.ask('NOOP')).toMatch(/^2/)
    await open.close()
  })

  it('are not restarted at a mistake by the command that the unit names', async () => {
    const before = await mainProcess()
    const open = await session()
    await configure(gateway + mistake)
    const restart = await machine.shell('ftp-alg check --quiet && systemctl restart ftp-alg')
    expect(restart).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(complaint) })
    expect(await mainProcess()).toBe(before)
    expect(await open.ask('PASV')).toMatch(/^227 /)
    await open.close()
  })

  it('say that a restart by itself has failed, and do not try for ever', async () => {
    await forgetJournal()
    const restart = await machine.shell('systemctl restart ftp-alg')
    expect(restart.exitCode).not.toBe(0)
    // Not auto-restart, which is the state between two attempts.
    expect(await shown('SubState', 'Result', 'ExecMainStatus', 'NRestarts')).toEqual({
      SubState: 'failed',
      Result: 'exit-code',
      ExecMainStatus: '2',
      NRestarts: '0',
    })
    expect(await journal('err')).toMatch(complaint)
    await configure(gateway)
    await successOf('systemctl start ftp-alg')
    expect(await throughGateway('EPSV'), await journal('debug')).toEqual([])
  })

  it('start it again after it was killed', async () => {
    await successOf(`kill -9 ${await mainProcess()}`)
    const restarted = { ActiveState: 'active', SubState: 'running', NRestarts: '1' }
    await vi.waitFor(async () => expect(await shown(...Object.keys(restarted))).toEqual(restarted), {
      timeout: 15_000,
      interval: 200,
    })
    expect(await throughGateway('EPSV'), await journal('debug')).toEqual([])
  })

  it('let transfers finish when it is stopped', async () => {
    const url = `ftp://${server.address}/files/${ground.samples.large.name}`
    const client = ground.network.host('client')
    const slow = client.start([
      ...curlCommand,
      '--limit-rate',
      '20M',
      '-o',
      '/dev/null',
      '-w',
      '%{size_download}',
      url,
    ])
    await vi.waitFor(
      async () => expect(await successOf('ftp-alg status --json')).toMatch(/"data_connections_active":\s*1/),
      { timeout: 10_000, interval: 100 },
    )
    await successOf('systemctl stop ftp-alg')
    expect(await slow.exited, slow.output()).toBe(0)
    expect(slow.output()).toBe(String(ground.samples.large.bytes))
    expect(await shown('ActiveState', 'Result')).toEqual({ ActiveState: 'inactive', Result: 'success' })
  })

  it('serve port 21 as a relay without any capability, started by the first client', async () => {
    await successOf('ftp-alg firewall --remove')
    const dropIns = join(machine.root, 'etc/systemd/system/ftp-alg.service.d')
    await mkdir(dropIns, { recursive: true })
    await copyFile(join(deploy, 'systemd/relay-only.conf'), join(dropIns, 'relay-only.conf'))
    // A wildcard and the server's own port: only who knows this machine's addresses can tell the two apart.
    await configure(relay)
    await successOf('systemctl daemon-reload && systemctl start ftp-alg.socket')
    expect((await shown('ActiveState')).ActiveState).toBe('inactive')
    const target = { address: ground.network.gateway.inside.ipv4, port: 21 }
    for (const mode of ['EPSV', 'PORT'] as const) {
      expect(await ground.transfers({ mode, from: 'client', target }), await journal('debug')).toEqual([])
    }
    const status = await successOf(`cat /proc/${await mainProcess()}/status`)
    for (const line of [/^CapEff:\t0{16}$/m, /^CapBnd:\t0{16}$/m, /^Seccomp:\t2$/m])
      expect(status).toMatch(line)
    expect((await shown('StatusText')).StatusText).toBe('Running')
  })
})
