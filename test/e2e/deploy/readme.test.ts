// Follows README's ways to get ftp-alg word for word, each to the first transfer, on a machine with a system of its own: Debian with
// systemd and podman, a network as README describes it, and the files of a release in the folder where the commands are typed.

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Cleanup, createCleanup } from '../../support/cleanup.ts'
import { openControlConnection } from '../../support/control-connection.ts'
import { cacheFolder, debianRootMissing, debianTree } from '../../support/debian.ts'
import { registryMissing, runWithBuildah } from '../../support/images.ts'
import { bootMachine, type Machine } from '../../support/machine.ts'
import { createNetwork, type Network } from '../../support/netns.ts'
import { runOrThrow, startProgram } from '../../support/programs.ts'
import { startPublicVsftpd } from '../../support/servers/public-vsftpd.ts'
import { serverPackages } from '../../support/servers/server.ts'

const checkout = new URL('../../../', import.meta.url).pathname
const scripts = join(checkout, 'deploy/packages')
const missing = debianRootMissing('README') ?? (await registryMissing('README'))
const chapters = commandsOf(readFileSync(join(checkout, 'README.md'), 'utf8'))
const architecture = process.arch === 'x64' ? 'amd64' : process.arch
const NET_ADMIN = 12

const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))
const publicAddress = { address: '203.0.113.9', port: 2121 }

/** 1 MiB, as text: more than one packet, and more than what a proxy holds. */
const content = randomBytes(512 * 1024).toString('hex')
const digest = createHash('sha256').update(content).digest('hex')
const modes = [[], ['--disable-epsv'], ['--ftp-port', '-', '--disable-eprt'], ['--ftp-port', '-']]

describe.skipIf(missing !== null)('README', { timeout: 300_000 }, () => {
  const cleanup: Cleanup = createCleanup()
  let network: Network
  let machine: Machine
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-readme-'))
    cleanup.add(() => rm(folder, { recursive: true, force: true }))
    await chmod(folder, 0o755)
    await debianTree(serverPackages)
    network = await createNetwork({ inside: ['client'], outside: ['server'] })
    cleanup.add(network.close)
    await renumber(network)
    machine = await bootMachine(network.gateway)
    cleanup.add(machine.close)
    await release(join(machine.root, 'root'))
    const log = join(folder, 'vsftpd.log')
    const files = { 'welcome.txt': content }
    const server = await startPublicVsftpd({ place: network.host('server'), files, log })
    cleanup.add(server.stop)
  }, 900_000)

  afterAll(() => cleanup.run())

  it('gives the ways that are tried here, and no other', () => {
    expect(Object.keys(chapters)).toEqual(['Debian package', 'Container image', 'npm', 'The first transfer'])
    expect(commands('Container image', 2)).toBeUndefined()
  })

  it('installs the Debian package, which serves as its unit says', async () => {
    await type('Debian package')
    await transfers()
    const shown = await machine.shell('systemctl show -p User -p StatusText ftp-alg; journalctl -qu ftp-alg')
    expect(shown.stdout.split('\n')).toEqual(expect.arrayContaining(['User=ftp-alg', 'StatusText=Running']))
    // koffi is there: TLS, interception and epoll need it.
    expect(shown.stdout).not.toContain('tcp.fallback')
    const purged = await machine.shell('apt-get -qq purge ftp-alg')
    expect(purged, purged.stderr).toMatchObject({ exitCode: 0 })
  })

  // The RPM, with the commands that README has for the other package; rpm itself, as dnf would call it.
  const rpm = (command: string, release?: number) => {
    const file = `./ftp-alg-${version}-${release}.$(uname -m).rpm`
    return `rpm --force-debian --nodeps ${command} ${release === undefined ? 'ftp-alg' : file}`
  }
  const mainPid = async () => (await machine.shell('systemctl show --value -p MainPID ftp-alg')).stdout.trim()
  const configFile = () => join(machine.root, 'etc/ftp-alg/config.yaml')

  it('installs the RPM, with the same commands after it', async () => {
    const [, ...rest] = commands('Debian package')?.split('\n') ?? []
    const ran = await machine.shell([rpm('--install', 1), ...rest].join('\n'))
    expect(ran, ran.stderr + ran.stdout).toMatchObject({ exitCode: 0 })
    await transfers()
    const { stdout } = await machine.shell(`${rpm('--verify')} || true`)
    expect(stdout.trim().split('\n')).toEqual([
      expect.stringMatching(/^\S+ +c \/etc\/ftp-alg\/config\.yaml$/),
    ])
    expect((await machine.shell('systemctl show -p User ftp-alg')).stdout).toBe('User=ftp-alg\n')
  })

  it('leaves what runs alone when a newer RPM does not accept the configuration, and says what to do', async () => {
    const before = await mainPid()
    const session = await openControlConnection(publicAddress, network.host('client'))
    expect(await session.ask('USER anonymous')).toMatch(/^230 /)
    const configuration = await readFile(configFile(), 'utf8')
    await writeFile(configFile(), `${configuration}wokers: 2\n`)
    const upgraded = await machine.shell(rpm('--upgrade', 2))
    expect(upgraded, upgraded.stderr).toMatchObject({ exitCode: 0 })
    for (const said of ['did you mean workers?', 'the old one goes on running', 'systemctl restart ftp-alg'])
      expect(upgraded.stderr).toContain(said)
    expect(await mainPid()).toBe(before)
    expect(await session.ask('PASV')).toMatch(/^227 /)
    await transfers()
    await writeFile(configFile(), configuration)
    expect(await session.ask('QUIT')).toMatch(/^221 /)
  })

  it('is restarted by a newer RPM that accepts the configuration, which stays, and is erased', async () => {
    const before = await mainPid()
    const configuration = await readFile(configFile(), 'utf8')
    const upgraded = await machine.shell(rpm('--upgrade', 3))
    expect(upgraded, upgraded.stderr).toMatchObject({ exitCode: 0 })
    await vi.waitFor(async () => expect(await mainPid()).not.toBe(before), { timeout: 10_000, interval: 100 })
    await transfers()
    expect(await readFile(configFile(), 'utf8')).toBe(configuration)
    const erased = await machine.shell(rpm('--erase'))
    expect(erased, erased.stderr).toMatchObject({ exitCode: 0 })
    expect(await readFile(`${configFile()}.rpmsave`, 'utf8')).toBe(configuration)
    const find =
      "find / -xdev -name '*ftp-alg*' ! -path '/root/*' ! -path '/etc/ftp-alg' ! -path '/var/log/*'"
    expect((await machine.shell(`${find}; systemctl is-active ftp-alg || true`)).stdout).toBe('inactive\n')
  })

  const images = [
    { image: 'relay', block: 0, uid: 65532, capabilities: [] },
    { image: 'nftables', block: 1, uid: 0, capabilities: [NET_ADMIN] },
  ]
  it.each(images)('runs the image $image, which has no more rights than it says', async (wanted) => {
    await type('Container image', wanted.block)
    await transfers()
    const inspect = "podman inspect --format '{{.State.Pid}} {{.HostConfig.ReadonlyRootfs}}' ftp-alg"
    const looked = await machine.shell(
      `read pid readonly < <(${inspect}); echo $readonly; cat /proc/$pid/status`,
    )
    const allowed = wanted.capabilities.reduce((sum, capability) => sum + 2 ** capability, 0)
    const set = allowed.toString(16).padStart(16, '0')
    expect(looked.stdout).toMatch(/^true$/m)
    expect(looked.stdout).toMatch(new RegExp(`^Uid:(\t${wanted.uid}){4}$`, 'm'))
    expect(looked.stdout).toMatch(new RegExp(`^CapEff:\t${set}$`, 'm'))
    expect(looked.stdout).toMatch(new RegExp(`^CapBnd:\t${set}$`, 'm'))
    expect((await machine.shell('podman logs ftp-alg')).stdout).not.toContain('tcp.fallback')
    const stop =
      "podman stop ftp-alg; podman inspect --format '{{.State.ExitCode}}' ftp-alg; podman rm ftp-alg"
    const ended = await machine.shell(stop)
    expect(ended.stdout, ended.stderr).toMatch(/^0$/m)
  })

  it('installs the npm package, with this Node.js and below a prefix that was empty', async () => {
    const [install = '', run = ''] = commands('npm')?.trim().split('\n') ?? []
    expect(install).toMatch(/^npm install /)
    const prefix = join(folder, 'prefix')
    await mkdir(prefix)
    const env = { npm_config_prefix: prefix, PATH: `${join(prefix, 'bin')}:${process.env.PATH}` }
    const cwd = join(machine.root, 'root')
    await runOrThrow(['bash', '-ec', install], { cwd, env, timeoutMs: 120_000 })
    const proxy = startProgram(['bash', '-ec', `exec ${run}`], { cwd, env, place: network.gateway })
    await proxy.waitForOutput(/"process.start"/)
    expect(proxy.output()).not.toContain('tcp.fallback')
    await transfers()
    proxy.signal('SIGTERM')
    expect(await proxy.exited, proxy.output()).toBe(0)
  })

  function commands(chapter: string, block = 0): string | undefined {
    return chapters[chapter]?.[block]?.replaceAll('amd64', architecture)
  }

  /** At the prompt of the machine. */
  async function type(chapter: string, block = 0): Promise<void> {
    const script = commands(chapter, block)
    if (script === undefined) throw new Error(`README has no block ${block} in ${chapter}`)
    const ran = await machine.shell(script, { timeoutMs: 120_000 })
    expect(ran, ran.stderr + ran.stdout).toMatchObject({ exitCode: 0 })
  }

  /** What README has a client do, which comes seconds later; then a file in every mode. */
  async function transfers(): Promise<void> {
    const client = network.host('client')
    const first = ['bash', '-ec', commands('The first transfer') ?? '']
    await vi.waitFor(
      async () => {
        const listed = await client.run(first, { timeoutMs: 10_000 })
        expect(listed.stdout, listed.stderr).toContain('welcome.txt')
      },
      { timeout: 10_000, interval: 200 },
    )
    for (const mode of modes) {
      const argv = ['curl', '-sS', '-m', '20', ...mode, 'ftp://203.0.113.9:2121/welcome.txt']
      const { stdout, stderr } = await client.run(argv)
      expect(createHash('sha256').update(stdout).digest('hex'), mode.join(' ') + stderr).toBe(digest)
    }
  }

  /** What `npm run package` makes, for this architecture, uncompressed. */
  async function release(target: string): Promise<void> {
    const tree = join(target, 'tree')
    const env = { FAST: '1', PACKAGE_CACHE: join(cacheFolder(), 'packages') }
    const options = { env, timeoutMs: 600_000 }
    await runOrThrow([join(scripts, 'tree'), architecture, tree], options)
    const buildImage = (kind: string) =>
      runWithBuildah([join(scripts, 'build-image'), kind, tree, target], options)
    await Promise.all([
      runOrThrow([join(scripts, 'build-deb'), architecture, tree, target], options),
      runOrThrow(['npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', target], {
        cwd: checkout,
        timeoutMs: 60_000,
      }),
      buildImage('relay').then(() => buildImage('nftables')),
    ])
    // rpmbuild is the machine's.
    await cp(scripts, join(target, 'checkout/deploy/packages'), { recursive: true })
    await cp(join(checkout, 'CHANGELOG.md'), join(target, 'checkout/CHANGELOG.md'))
    for (const number of [1, 2, 3]) {
      const build = `FAST=1 RPM_RELEASE=${number} checkout/deploy/packages/build-rpm ${architecture} tree .`
      const ran = await machine.shell(`PATH=~/tree/usr/lib/ftp-alg/bin:$PATH; ${build}`)
      if (ran.exitCode !== 0) throw new Error(`${build}: ${ran.stderr}`)
    }
  }
})

/** The blocks of commands by chapter of "Get it". */
function commandsOf(page: string): Readonly<Record<string, readonly string[]>> {
  const part = /^## Get it\n([\s\S]*?)^## /m.exec(page)?.[1] ?? ''
  const [, ...parts] = part.split(/^### /m)
  return Object.fromEntries(
    parts.map((text) => [
      text.slice(0, text.indexOf('\n')),
      [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, commands = '']) => commands),
    ]),
  )
}

/** The addresses of README: 192.168.1.10 serves, 203.0.113.9 is where clients come. */
async function renumber(network: Network): Promise<void> {
  const at = (name: string, ...lines: readonly string[]) => {
    const place = name === 'machine' ? network.gateway : network.host(name)
    return runOrThrow(['sh', '-ec', lines.join('\n')], { place })
  }
  await at(
    'machine',
    'for knob in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do [ ! -e "$knob" ] || echo 0 >"$knob"; done',
    'ip address flush dev side1 && ip address add 203.0.113.9/24 dev side1',
    'ip address flush dev side2 && ip address add 192.168.1.2/24 dev side2',
  )
  await at('client', 'ip address flush dev eth0 && ip address add 203.0.113.20/24 dev eth0')
  await at('server', 'ip address flush dev eth0 && ip address add 192.168.1.10/24 dev eth0')
}
