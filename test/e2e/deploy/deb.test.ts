// The Debian package, built as a release builds it but not compressed: installed with dpkg into a Debian made for it, started as its
// unit starts it, upgraded under a running session, and purged. What this leaves out: systemd itself, for which a program stands that
// writes down what the package's scripts ask of it.

import { existsSync, readFileSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openControlConnection } from '../../support/control-connection.ts'
import { cacheFolder, debianRootMissing } from '../../support/debian.ts'
import { debianRootArchive } from '../../support/debian-root.ts'
import { registryMissing } from '../../support/images.ts'
import { type RunningProgram, runOrThrow, runProgram, startProgram } from '../../support/programs.ts'
import { type Ground, openGround } from './ground.ts'

const scripts = new URL('../../../deploy/packages/', import.meta.url).pathname
const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
const missing = debianRootMissing('the Debian package') ?? (await registryMissing('the Debian package'))
const architecture = process.arch === 'x64' ? 'amd64' : process.arch

const configuration = `listeners:
  - listen: 0.0.0.0:2121
    upstream: 10.77.2.10:21
`
const systemctl = `#!/bin/sh
echo "$*" >> /systemctl.log
`

describe.skipIf(missing !== null)('the Debian package', { timeout: 600_000 }, () => {
  let ground: Ground
  let folder: string
  let root: string
  let proxy: RunningProgram

  /** Runs a program as if the Debian were the machine. */
  const inside = (...argv: readonly string[]) => ['chroot', root, ...argv]
  const calls = async () => {
    const text = await readFile(join(root, 'systemctl.log'), 'utf8').catch(() => '')
    await rm(join(root, 'systemctl.log'), { force: true })
    return text.trimEnd().split('\n')
  }
  const install = (release: string) =>
    runProgram(inside('dpkg', '--install', `/ftp-alg_${release}_${architecture}.deb`), {
      timeoutMs: 120_000,
    })

  beforeAll(async () => {
    ground = await openGround({
      inside: ['client'],
      outside: ['server'],
      server: { on: 'server', address: '10.77.2.10' },
    })
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-deb-'))
    ground.cleanup.add(() => rm(folder, { recursive: true, force: true }))
    root = join(folder, 'root')
    await mkdir(root)
    const tree = join(folder, 'tree')
    const env = { FAST: '1', PACKAGE_CACHE: join(cacheFolder(), 'packages') }
    const archive = await debianRootArchive()
    await Promise.all([
      runOrThrow([join(scripts, 'tree'), architecture, tree], { env, timeoutMs: 300_000 }),
      runOrThrow(['tar', '-xf', archive, '-C', root, '--exclude=./dev/*'], { timeoutMs: 120_000 }),
    ])
    for (const release of [`${version}-1`, `${version}-2`]) {
      const argv = [join(scripts, 'build-deb'), architecture, tree, root]
      await runOrThrow(argv, { env: { ...env, DEB_VERSION: release }, timeoutMs: 120_000 })
    }
    await runOrThrow(['mknod', '-m', '666', join(root, 'dev/null'), 'c', '1', '3'])
  }, 600_000)

  afterAll(() => ground?.cleanup.run())

  it('installs into a Debian that has no Node, with a user, a configuration that is valid, manual and completion', async () => {
    const installed = await install(`${version}-1`)
    expect(installed, installed.stderr).toMatchObject({ exitCode: 0 })
    expect(await runOrThrow(inside('ftp-alg', '--version'))).toBe(`${version}\n`)
    expect((await runProgram(inside('ftp-alg', 'check', '--quiet'))).exitCode).toBe(0)
    expect(await readFile(join(root, 'etc/passwd'), 'utf8')).toMatch(/^ftp-alg:x:.*nologin$/m)
    for (const file of [
      'usr/lib/systemd/system/ftp-alg.service',
      'usr/share/man/man8/ftp-alg.8.gz',
      'usr/share/man/man5/ftp-alg.yaml.5.gz',
      'usr/share/bash-completion/completions/ftp-alg',
      'usr/share/doc/ftp-alg/sbom.cdx.json',
    ]) {
      expect(existsSync(join(root, file)), file).toBe(true)
    }
    expect(await runOrThrow(inside('find', '/usr/lib/ftp-alg', '!', '-user', 'root'))).toBe('')
    expect(await runOrThrow(inside('dpkg', '--verify', 'ftp-alg'))).toBe('')
  })

  it('carries transfers as its own user, from the file in /etc', async () => {
    await writeFile(join(root, 'etc/ftp-alg/config.yaml'), configuration)
    // As in the unit: what the user may, and nothing more. Node wants /proc.
    const start = `mount -t proc proc ${root}/proc && exec chroot --userspec=ftp-alg:ftp-alg ${root} ftp-alg run`
    proxy = startProgram(['unshare', '--mount', 'sh', '-c', start], { place: ground.network.gateway })
    await proxy.waitForOutput(/"process.start"/)
    // koffi is there: TLS, interception and epoll need it.
    expect(proxy.output()).not.toContain('tcp.fallback')
    const target = { address: ground.network.gateway.inside.ipv4, port: 2121 }
    for (const mode of ['EPSV', 'PORT'] as const) {
      expect(await ground.transfers({ mode, from: 'client', target }), proxy.output()).toEqual([])
    }
  })

  it('is upgraded under a running session, which goes on, and asks for a restart that waits for it', async () => {
    const at = { address: ground.network.gateway.inside.ipv4, port: 2121 }
    const session = await openControlConnection(at, ground.network.host('client'))
    await session.login()
    await mkdir(join(root, 'run/systemd/system'), { recursive: true })
    await writeFile(join(root, 'usr/bin/systemctl'), systemctl, { mode: 0o755 })
    const upgraded = await install(`${version}-2`)
    expect(upgraded, upgraded.stderr).toMatchObject({ exitCode: 0 })
    expect(await calls()).toEqual([
      'daemon-reload',
      'daemon-reload',
      '--quiet is-active ftp-alg.service',
      '--no-block try-restart ftp-alg.service',
    ])
    expect(await readFile(join(root, 'etc/ftp-alg/config.yaml'), 'utf8')).toBe(configuration)
    expect(await session.ask('PASV')).toMatch(/^227 /)
    await session.close()
  })

  it('leaves what runs alone when the new version does not accept the configuration', async () => {
    await appendFile(join(root, 'etc/ftp-alg/config.yaml'), 'wokers: 2\n')
    const upgraded = await install(`${version}-2`)
    expect(upgraded.exitCode).toBe(0)
    expect(upgraded.stderr).toContain('did you mean workers?')
    expect(upgraded.stderr).toContain('so the old one goes on running')
    expect((await calls()).filter((call) => call.includes('restart'))).toEqual([])
    await writeFile(join(root, 'etc/ftp-alg/config.yaml'), configuration)
  })

  it('is purged without a rest, but for the user', async () => {
    proxy.signal('SIGTERM')
    expect(await proxy.exited, proxy.output()).toBe(0)
    await mkdir(join(root, 'var/log/ftp-alg'))
    const purged = await runProgram(inside('dpkg', '--purge', 'ftp-alg'), { timeoutMs: 60_000 })
    expect(purged, purged.stderr).toMatchObject({ exitCode: 0 })
    expect(await calls()).toEqual([
      'stop ftp-alg.socket ftp-alg.service',
      '--quiet --no-reload disable ftp-alg.socket ftp-alg.service',
      'daemon-reload',
      'daemon-reload',
    ])
    const rest = await runOrThrow(inside('find', '/', '-xdev', '-name', '*ftp-alg*', '!', '-name', '*.deb'))
    expect(rest).toBe('')
  })
})
