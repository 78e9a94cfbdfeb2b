// What README assumes: a machine with the files of a release in root's folder, the FTP server 192.168.1.10 behind it, and a client that
// comes to its address 203.0.113.9.

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { type Cleanup, createCleanup } from '../../support/cleanup.ts'
import { cacheFolder, debianTree } from '../../support/debian.ts'
import { runWithBuildah } from '../../support/images.ts'
import { bootMachine, type Machine } from '../../support/machine.ts'
import { createNetwork, type Network } from '../../support/netns.ts'
import { type Place, runOrThrow } from '../../support/programs.ts'
import { startPublicVsftpd } from '../../support/servers/public-vsftpd.ts'
import { serverPackages } from '../../support/servers/server.ts'

export interface ReleaseMachine {
  readonly network: Network
  readonly machine: Machine
  /** Of this machine, for the test. */
  readonly folder: string
  readonly cleanup: Cleanup
  /** Types commands at the machine's prompt, and gives what they print; throws when one fails. */
  type(commands: string): Promise<string>
  /** Another server with the same file, somewhere else. */
  serve(place: Place, address: string): Promise<void>
  /** Has the client list a folder, as soon as it can, and fetch the file in every mode. */
  transfers(url: string): Promise<void>
}

export const checkout = new URL('../../../', import.meta.url).pathname
/** As Debian calls it. */
export const architecture = process.arch === 'x64' ? 'amd64' : process.arch
export const modes = [[], ['--disable-epsv'], ['--ftp-port', '-', '--disable-eprt'], ['--ftp-port', '-']]

const scripts = join(checkout, 'deploy/packages')

/** 1 MiB, as text: more than what a proxy holds. */
const content = randomBytes(512 * 1024).toString('hex')
/** SHA-256 of the file `welcome.txt`. */
export const digest = createHash('sha256').update(content).digest('hex')

export async function openReleaseMachine(): Promise<ReleaseMachine> {
  const cleanup = createCleanup()
  try {
    const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-readme-'))
    cleanup.add(() => rm(folder, { recursive: true, force: true }))
    await chmod(folder, 0o755)
    await debianTree(serverPackages)
    const network = await createNetwork({ inside: ['client'], outside: ['server'] })
    cleanup.add(network.close)
    await renumber(network)
    const machine = await bootMachine(network.gateway)
    cleanup.add(machine.close)
    await release(machine)
    const serve: ReleaseMachine['serve'] = async (place, address) => {
      const log = join(folder, 'vsftpd.log')
      const server = await startPublicVsftpd({ place, address, log, files: { 'welcome.txt': content } })
      cleanup.add(server.stop)
    }
    await serve(network.host('server'), '::')
    return {
      network,
      machine,
      folder,
      cleanup,
      serve,
      type: async (commands) => {
        const ran = await machine.shell(commands, { timeoutMs: 120_000 })
        expect(ran, `${commands}\n${ran.stderr}${ran.stdout}`).toMatchObject({ exitCode: 0 })
        return ran.stdout
      },
      transfers: (url) => transfers(network, url),
    }
  } catch (error) {
    await cleanup.run()
    throw error
  }
}

async function transfers(network: Network, url: string): Promise<void> {
  const client = network.host('client')
  await vi.waitFor(
    async () => {
      const listed = await client.run(['curl', '-sS', '-m', '10', url])
      expect(listed.stdout, listed.stderr).toContain('welcome.txt')
    },
    { timeout: 10_000, interval: 200 },
  )
  for (const mode of modes) {
    const { stdout, stderr } = await client.run(['curl', '-sS', '-m', '20', ...mode, `${url}welcome.txt`])
    expect(createHash('sha256').update(stdout).digest('hex'), mode.join(' ') + stderr).toBe(digest)
  }
}

/** What `npm run package` makes, for this architecture, uncompressed. */
async function release(machine: Machine): Promise<void> {
  const target = join(machine.root, 'root')
  const tree = join(target, 'tree')
  const env = { FAST: '1', PACKAGE_CACHE: join(cacheFolder(), 'packages') }
  const options = { env, timeoutMs: 600_000 }
  await runOrThrow([join(scripts, 'tree'), architecture, tree], options)
  const buildImage = (kind: string) =>
    runWithBuildah([join(scripts, 'build-image'), kind, tree, target], options)
  const pack = ['npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', target]
  await Promise.all([
    runOrThrow([join(scripts, 'build-deb'), architecture, tree, target], options),
    runOrThrow(pack, { cwd: checkout, timeoutMs: 60_000 }),
    buildImage('relay').then(() => buildImage('nftables')),
  ])
  // rpmbuild is the machine's.
  await cp(scripts, join(target, 'checkout/deploy/packages'), { recursive: true })
  await cp(join(checkout, 'CHANGELOG.md'), join(target, 'checkout/CHANGELOG.md'))
  for (const number of [1, 2]) {
    const build = `FAST=1 RPM_RELEASE=${number} checkout/deploy/packages/build-rpm ${architecture} tree .`
    const ran = await machine.shell(`PATH=~/tree/usr/lib/ftp-alg/bin:$PATH; ${build}`)
    if (ran.exitCode !== 0) throw new Error(`${build}: ${ran.stderr}`)
  }
}

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
  await at(
    'client',
    'ip address flush dev eth0 && ip address add 203.0.113.20/24 dev eth0',
    'ip route add default via 203.0.113.9',
  )
  await at(
    'server',
    'ip address flush dev eth0 && ip address add 192.168.1.10/24 dev eth0',
    'ip route add default via 192.168.1.2',
  )
}

export interface Block {
  /** `sh` or `yaml`. */
  readonly language: string
  readonly text: string
}

/** README's blocks of commands and files by the title of the chapter they stand in. */
export function readmeBlocks(chapter: string): readonly Block[] {
  const page = readFileSync(join(checkout, 'README.md'), 'utf8').replaceAll('amd64', architecture)
  const parts = page.split(/^##+ /m)
  const part = parts.find((each) => each.startsWith(`${chapter}\n`))
  if (part === undefined) throw new Error(`README has no chapter ${chapter}`)
  return [...part.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({
    language,
    text,
  }))
}
