// The units, judged by systemd's own tools, and the process under a real notification socket and real socket
// activation. systemd-machine.test.ts has them under a systemd that runs.

import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { printConfig } from '../../../src/config/effective.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { openControlConnection } from '../../support/control-connection.ts'
import { debianRootMissing } from '../../support/debian.ts'
import { createNetwork, type Network } from '../../support/netns.ts'
import { openNotifySocket } from '../../support/notify-socket.ts'
import { runOrThrow, runProgram, startProgram } from '../../support/programs.ts'
import { startProxy } from '../../support/proxy.ts'
import { startPyftpdlib } from '../../support/servers/pyftpdlib.ts'
import type { FtpServer } from '../../support/servers/server.ts'

const units = new URL('../../../deploy/systemd/', import.meta.url).pathname
const main = new URL('../../../dist/main.js', import.meta.url).pathname
const restrict = new URL('../../support/address-families.py', import.meta.url).pathname
const missing = debianRootMissing('the systemd units') ?? systemdMissing()

describe.skipIf(missing !== null)('the systemd units', () => {
  let root: string

  beforeAll(async () => {
    root = await systemRoot()
  })
  afterAll(() => rm(root, { recursive: true, force: true }))

  it('are accepted by systemd-analyze without a word', async () => {
    expect(await verify()).toBe('')
  })

  it('would not be, with a key that systemd does not know', async () => {
    const file = join(root, 'etc/systemd/system/ftp-alg.service')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('[Service]', '[Service]\nNoNewPriviledges=yes'))
    expect(await verify()).toMatch(/Unknown key.*NoNewPriviledges/)
    await writeFile(file, text)
  })

  it('leave little exposed: 2.0 of 10 at most, and less as a relay only', async () => {
    const whole = await exposure()
    expect(whole).toBeLessThanOrEqual(2)
    const folder = join(root, 'etc/systemd/system/ftp-alg.service.d')
    await mkdir(folder)
    await copyFile(join(units, 'relay-only.conf'), join(folder, 'relay-only.conf'))
    expect(await exposure()).toBeLessThan(whole)
    expect(await verify()).toBe('')
    await rm(folder, { recursive: true })
  })

  it('bring a user of their own', async () => {
    await mkdir(join(root, 'usr/lib/sysusers.d'), { recursive: true })
    await copyFile(join(units, 'ftp-alg.sysusers'), join(root, 'usr/lib/sysusers.d/ftp-alg.conf'))
    await runOrThrow(['systemd-sysusers', `--root=${root}`])
    const passwd = await readFile(join(root, 'etc/passwd'), 'utf8')
    expect(passwd).toMatch(/^ftp-alg:x:\d+:\d+:[^:]*:\/:\/usr\/sbin\/nologin$/m)
  })

  it('give a drain the time that it may take', async () => {
    const text = await readFile(join(units, 'ftp-alg.service'), 'utf8')
    const stopSeconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1])
    const { config } = loadConfig({ flags: { upstream: 'ftp.example.net' }, environment: {} })
    expect(stopSeconds * 1000).toBeGreaterThan(config.shutdown.drainTimeoutMs)
  })

  it('open the port of the listener that the configuration calls default', async () => {
    const text = await readFile(join(units, 'ftp-alg.socket'), 'utf8')
    const { config } = loadConfig({ flags: { upstream: 'ftp.example.net' }, environment: {} })
    const [listener] = parse(printConfig(config)).listeners
    expect(/^FileDescriptorName=(.*)$/m.exec(text)?.[1]).toBe(listener.name)
  })

  /** What systemd-analyze complains about: its exit code is 0 even when it ignores a key. */
  async function verify(): Promise<string> {
    const argv = ['systemd-analyze', 'verify', `--root=${root}`, 'ftp-alg.service', 'ftp-alg.socket']
    const { stdout, stderr } = await runProgram(argv)
    return stdout + stderr
  }

  /** `systemd-analyze security`, from 0 (nothing) to 10. */
  async function exposure(): Promise<number> {
    const argv = ['systemd-analyze', 'security', '--offline=true', `--root=${root}`, '--threshold=20']
    const { exitCode, stdout, stderr } = await runProgram([...argv, 'ftp-alg.service'])
    expect(exitCode, stdout + stderr).toBe(0)
    return Number(/Overall exposure level for ftp-alg.service: ([\d.]+)/.exec(stdout)?.[1])
  }
})

describe.skipIf(missing !== null)('under systemd, the process', () => {
  let network: Network
  let server: FtpServer

  beforeAll(async () => {
    network = await createNetwork({ inside: ['client'], outside: ['server'] })
    server = await startPyftpdlib({
      place: network.host('server'),
      address: '10.77.2.10',
      port: 21,
      passivePorts: { first: 40_000, last: 49_999 },
    })
  })
  afterAll(async () => {
    await server?.stop()
    await network?.close()
  })

  it('says that it is ready, reloads, lives and stops', async () => {
    const socket = await openNotifySocket()
    const proxy = await startProxy({
      place: network.gateway,
      flags: ['--upstream', '10.77.2.10'],
      env: { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '200000' },
    })
    const heard = (wanted: RegExp) => (messages: readonly string[]) =>
      messages.some((text) => wanted.test(text))
    await socket.waitFor(heard(/^READY=1\nSTATUS=./), 'ready')
    await socket.waitFor(heard(/^WATCHDOG=1$/), 'a sign of life')
    proxy.signal('SIGHUP')
    await socket.waitFor(heard(/^RELOADING=1\nMONOTONIC_USEC=\d+$/), 'the reload')
    const readies = (messages: readonly string[]) =>
      messages.filter((text) => text.startsWith('READY=1')).length
    await socket.waitFor((messages) => readies(messages) === 2, 'the end of the reload')
    await proxy.stop()
    await socket.waitFor(heard(/^STOPPING=1\nSTATUS=./), 'the stop')
    await socket.close()
  })

  it.each([
    ['the unit', []],
    ['the unit as a relay only', ['relay-only.conf']],
  ])('can say what it must know with no more address families than %s allows', async (_what, dropIns) => {
    const families = await allowedFamilies(['ftp-alg.service', ...dropIns])
    const restricted = ['python3', restrict, families.join(','), process.execPath, main]
    // A wildcard and the server's own port: only who knows this machine's addresses can tell the two apart.
    const flags = ['run', '--listen', '0.0.0.0:21', '--upstream', '10.77.2.10:21', '--admin', 'off']
    const proxy = startProgram([...restricted, ...flags], { place: network.gateway })
    await proxy.waitForOutput(/"process.start"/)
    const session = await openControlConnection({ address: '10.77.1.1', port: 21 }, network.host('client'))
    await session.login()
    expect(await session.ask('PASV')).toMatch(/^227 /)
    await session.close()
    proxy.signal('SIGTERM')
    expect(await proxy.exited, proxy.output()).toBe(0)
    expect(proxy.output()).not.toContain('"error"')
  })

  it('takes the control port that systemd opened', async () => {
    const flags = ['run', '--listen', '10.77.1.1:21', '--upstream', '10.77.2.10', '--admin', 'off']
    const command = [process.execPath, main, ...flags]
    const activated = startProgram(
      ['systemd-socket-activate', '--listen=10.77.1.1:21', '--fdname=default', ...command],
      { place: network.gateway },
    )
    await activated.waitForOutput(/Listening on 10\.77\.1\.1:21/)
    // The first connection starts the process.
    const session = await openControlConnection({ address: '10.77.1.1', port: 21 }, network.host('client'))
    await session.login()
    expect(await session.ask('PASV')).toMatch(/^227 /)
    await session.close()
    activated.signal('SIGTERM')
    expect(await activated.exited, activated.output()).toBe(0)
    expect(activated.output()).toContain('"listener.start"')
  })

  it('hands that port to its workers, and to those that replace them', async () => {
    const flags = ['run', '--listen', '10.77.1.1:21', '--upstream', '10.77.2.10', '--workers', '2']
    const activated = startProgram(
      [
        'systemd-socket-activate',
        '--listen=10.77.1.1:21',
        '--fdname=default',
        process.execPath,
        main,
        ...flags,
      ],
      { place: network.gateway },
    )
    await activated.waitForOutput(/Listening on 10\.77\.1\.1:21/)
    const loggedIn = async () => {
      const session = await openControlConnection({ address: '10.77.1.1', port: 21 }, network.host('client'))
      await session.login()
      expect(await session.ask('PASV')).toMatch(/^227 /)
      await session.close()
    }
    const listening = (times: number) => (output: string) =>
      output.split('"listener.start"').length - 1 === times
    await loggedIn()
    await activated.waitForOutput(listening(2), { what: 'two workers' })
    const file = `/proc/${activated.pid}/task/${activated.pid}/children`
    const workers = (await readFile(file, 'latin1')).trim().split(' ')
    expect(workers).toHaveLength(2)
    // All of them at once: nobody but the supervisor has the socket meanwhile.
    for (const pid of workers) process.kill(Number(pid), 'SIGKILL')
    await activated.waitForOutput(listening(4), { what: 'two new workers' })
    for (let session = 0; session < 4; session += 1) await loggedIn()
    activated.signal('SIGTERM')
    expect(await activated.exited, activated.output()).toBe(0)
  })
})

/** What RestrictAddressFamilies= comes to; an empty value takes back those before it. */
async function allowedFamilies(files: readonly string[]): Promise<string[]> {
  let families: string[] = []
  for (const file of files) {
    const text = await readFile(join(units, file), 'utf8')
    for (const [, value = ''] of text.matchAll(/^RestrictAddressFamilies=(.*)$/gm)) {
      families = value === '' ? [] : [...families, ...value.split(' ')]
    }
  }
  return families
}

/** A folder that stands for `/`, with our units in it, the targets they name, and the programs they start. */
async function systemRoot(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-systemd-'))
  for (const path of ['etc/systemd/system', 'usr/lib/systemd/system', 'usr/bin', 'bin']) {
    await mkdir(join(folder, path), { recursive: true })
  }
  for (const unit of ['ftp-alg.service', 'ftp-alg.socket']) {
    await copyFile(join(units, unit), join(folder, 'etc/systemd/system', unit))
  }
  const system = '/usr/lib/systemd/system'
  await runOrThrow(['sh', '-c', `cp ${system}/*.target ${system}/*.slice ${folder}${system}/`])
  for (const program of ['usr/bin/ftp-alg', 'bin/kill']) {
    await writeFile(join(folder, program), '', { mode: 0o755 })
  }
  return folder
}

function systemdMissing(): string | null {
  const programs = ['systemd-analyze', 'systemd-sysusers', 'systemd-socket-activate']
  const absent = programs.filter((name) => !existsSync(`/usr/bin/${name}`))
  if (absent.length === 0) return null
  const line = `the systemd units are skipped: ${absent.join(', ')} not found`
  if (process.env.CI === 'true') throw new Error(line)
  console.warn(line)
  return line
}
