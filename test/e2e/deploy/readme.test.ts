// Follows README word for word on a machine with a system of its own, Debian with systemd and podman: the ways to get ftp-alg, each to the
// first transfer, and from the packages alone a private server's proxy, a gateway, and the sidecars of an old client and of a server.

import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openControlConnection } from '../../support/control-connection.ts'
import { debianRootMissing } from '../../support/debian.ts'
import { registryMissing } from '../../support/images.ts'
import { runOrThrow, startProgram } from '../../support/programs.ts'
import { checkout, digest, openReleaseMachine, type ReleaseMachine, readmeBlocks } from './release-machine.ts'

const missing = debianRootMissing('README') ?? (await registryMissing('README'))
const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))
const publicAddress = { address: '203.0.113.9', port: 2121 }
const publicUrl = 'ftp://203.0.113.9:2121/'
const NET_ADMIN = 12

describe.skipIf(missing !== null)('README', { timeout: 300_000 }, () => {
  let ground: ReleaseMachine

  beforeAll(async () => {
    ground = await openReleaseMachine()
  }, 900_000)

  afterAll(() => ground?.cleanup.run())

  it('gives the ways that are tried here, and no other', () => {
    const part =
      /^## Get it\n([\s\S]*?)^## /m.exec(readFileSync(join(checkout, 'README.md'), 'utf8'))?.[1] ?? ''
    const titles = [...part.matchAll(/^### (.*)$/gm)].map(([, title]) => title)
    expect(titles).toEqual(['Debian package', 'Container image', 'npm', 'The first transfer'])
    expect(readmeBlocks('Container image')).toHaveLength(2)
    expect(block('The first transfer')).toMatch(new RegExp(`^curl ${publicUrl} `))
  })

  it('installs the Debian package, which serves as its unit says', async () => {
    await ground.type(block('Debian package'))
    await ground.transfers(publicUrl)
    const first = ['bash', '-ec', block('The first transfer')]
    expect((await ground.network.host('client').run(first)).stdout).toContain('welcome.txt')
    const shown = await ground.type('systemctl show -p User -p StatusText ftp-alg; journalctl -qu ftp-alg')
    expect(shown.split('\n')).toEqual(expect.arrayContaining(['User=ftp-alg', 'StatusText=Running']))
    // koffi is there: TLS, interception and epoll need it.
    expect(shown).not.toContain('tcp.fallback')
    await ground.type('systemctl disable --now ftp-alg')
  })

  it('puts the package in front of a private server, with a file', async () => {
    await ground.type('echo 203.0.113.9 ftp.example.net >>/etc/hosts')
    await inFolder('ftp-alg.yaml', block('In front of a private server', 'yaml'))
    await startLast(block('In front of a private server', 'sh', 1))
    await ground.transfers(publicUrl)
    await stop()
  })

  it('makes the package a gateway, with the file and the commands for the edge', async () => {
    await inFolder('edge.yaml', block('At the edge', 'yaml'))
    await startLast(block('At the edge'))
    // The client speaks to the server itself.
    await ground.transfers('ftp://192.168.1.10/')
    const [seen = ''] = readmeBlocks('Seeing what it does').map(({ text }) => text)
    const metrics = await ground.type(seen)
    expect(metrics).toMatch(/^ftp_alg_sessions_total\{listener="edge"\} [5-9]/m)
    const kernel = /data_bytes_total\{listener="edge",direction="download",path="kernel"\} (\d+)/.exec(
      metrics,
    )
    expect(Number(kernel?.[1])).toBeGreaterThan(4 * 1024 * 1024)
    await stop()
    await ground.type('ftp-alg firewall --config edge.yaml --remove && ! nft list ruleset | grep ftp_alg')
  })

  it('makes the package the sidecar of an old client, whose network lets nothing in', async () => {
    const [, file] = readmeBlocks('As a sidecar').filter(({ language }) => language === 'yaml')
    await writeFile(join(ground.machine.root, 'etc/ftp-alg/config.yaml'), String(file?.text))
    await ground.type(`echo 192.168.1.10 ftp.partner.example >>/etc/hosts
nft 'add table inet closed { chain input { type filter hook input priority 0; iifname side2 ct state new drop; }; }'
ftp-alg check --quiet && systemctl start ftp-alg`)
    // 127.0.0.1 is all that the application knows, and PORT all that it can.
    const fetch =
      "curl -sS -m 20 --ftp-port - --disable-eprt ftp://127.0.0.1/welcome.txt | sha256sum | cut -d' ' -f1"
    expect(await ground.type(fetch)).toBe(`${digest}\n`)
    await ground.type('nft delete table inet closed; apt-get -qq purge ftp-alg')
  })

  // The RPM, with the commands that README has for the other package; rpm itself, as dnf would call it.
  const rpm = (command: string, release?: number) => {
    const file = `./ftp-alg-${version}-${release}.$(uname -m).rpm`
    return `rpm --force-debian --nodeps ${command} ${release === undefined ? 'ftp-alg' : file}`
  }
  const mainPid = async () => (await ground.type('systemctl show --value -p MainPID ftp-alg')).trim()
  const configFile = () => join(ground.machine.root, 'etc/ftp-alg/config.yaml')

  it('installs the RPM, with the same commands after it', async () => {
    const [, ...rest] = block('Debian package').split('\n')
    await ground.type([rpm('--install', 1), ...rest].join('\n'))
    await ground.transfers(publicUrl)
    const changed = (await ground.type(`${rpm('--verify')} || true`)).trim().split('\n')
    expect(changed).toEqual([expect.stringMatching(/^\S+ +c \/etc\/ftp-alg\/config\.yaml$/)])
    expect(await ground.type('systemctl show -p User ftp-alg')).toBe('User=ftp-alg\n')
  })

  it('leaves what runs alone when a newer RPM does not accept the configuration, and says what to do', async () => {
    const before = await mainPid()
    const session = await openControlConnection(publicAddress, ground.network.host('client'))
    expect(await session.ask('USER anonymous')).toMatch(/^230 /)
    const configuration = await readFile(configFile(), 'utf8')
    await writeFile(configFile(), `${configuration}wokers: 2\n`)
    const said = await ground.type(`${rpm('--upgrade', 2)} 2>&1`)
    for (const text of ['did you mean workers?', 'the old one goes on running', 'systemctl restart ftp-alg'])
      expect(said).toContain(text)
    expect(await mainPid()).toBe(before)
    expect(await session.ask('PASV')).toMatch(/^227 /)
    await ground.transfers(publicUrl)
    await writeFile(configFile(), configuration)
    expect(await session.ask('QUIT')).toMatch(/^221 /)
  })

  it('is restarted by an RPM that accepts the configuration, which stays, and is erased', async () => {
    const before = await mainPid()
    const configuration = await readFile(configFile(), 'utf8')
    await ground.type(rpm('--upgrade --oldpackage', 1))
    await vi.waitFor(async () => expect(await mainPid()).not.toBe(before), { timeout: 10_000, interval: 100 })
    await ground.transfers(publicUrl)
    expect(await readFile(configFile(), 'utf8')).toBe(configuration)
    await ground.type(rpm('--erase'))
    expect(await readFile(`${configFile()}.rpmsave`, 'utf8')).toBe(configuration)
    const find =
      "find / -xdev -name '*ftp-alg*' ! -path '/root/*' ! -path '/etc/ftp-alg' ! -path '/var/log/*'"
    expect(await ground.type(`${find}; systemctl is-active ftp-alg || true`)).toBe('inactive\n')
  })

  const images = [
    { image: 'relay', number: 0, uid: 65532, capabilities: [] },
    { image: 'nftables', number: 1, uid: 0, capabilities: [NET_ADMIN] },
  ]
  it.each(images)('runs the image $image, which has no more rights than it says', async (wanted) => {
    await ground.type(block('Container image', 'sh', wanted.number))
    await ground.transfers(publicUrl)
    const inspect = "podman inspect --format '{{.State.Pid}} {{.HostConfig.ReadonlyRootfs}}' ftp-alg"
    const seen = await ground.type(`read pid readonly < <(${inspect}); echo $readonly; cat /proc/$pid/status`)
    const allowed = wanted.capabilities.reduce((sum, capability) => sum + 2 ** capability, 0)
    const set = allowed.toString(16).padStart(16, '0')
    expect(seen).toMatch(/^true$/m)
    expect(seen).toMatch(new RegExp(`^Uid:(\t${wanted.uid}){4}$`, 'm'))
    expect(seen).toMatch(new RegExp(`^CapEff:\t${set}$`, 'm'))
    expect(seen).toMatch(new RegExp(`^CapBnd:\t${set}$`, 'm'))
    expect(await ground.type('podman logs ftp-alg')).not.toContain('tcp.fallback')
    await endContainer()
  })

  it('makes the image the sidecar of a server that listens on loopback only', async () => {
    await ground.serve(ground.network.gateway, '127.0.0.1')
    await inFolder('config.yaml', block('As a sidecar', 'yaml'))
    const options = '--read-only --cap-drop all --network host -v ~/config.yaml:/etc/ftp-alg/config.yaml:ro'
    await ground.type(`podman run --detach --name ftp-alg ${options} ftp-alg:${version}`)
    await ground.transfers(publicUrl)
    await endContainer()
  })

  it('installs the npm package, with this Node.js and below a prefix that was empty', async () => {
    const [install = '', run = ''] = block('npm').trim().split('\n')
    expect(install).toMatch(/^npm install /)
    const prefix = join(ground.folder, 'prefix')
    await mkdir(prefix)
    const env = { npm_config_prefix: prefix, PATH: `${join(prefix, 'bin')}:${process.env.PATH}` }
    const cwd = join(ground.machine.root, 'root')
    await runOrThrow(['bash', '-ec', install], { cwd, env, timeoutMs: 120_000 })
    const proxy = startProgram(['bash', '-ec', `exec ${run}`], { cwd, env, place: ground.network.gateway })
    await proxy.waitForOutput(/"process.start"/)
    expect(proxy.output()).not.toContain('tcp.fallback')
    await ground.transfers(publicUrl)
    proxy.signal('SIGTERM')
    expect(await proxy.exited, proxy.output()).toBe(0)
  })

  function block(chapter: string, language = 'sh', number = 0): string {
    const found = readmeBlocks(chapter).filter((each) => each.language === language)[number]
    if (found === undefined) throw new Error(`${chapter} has no block ${number} of ${language}`)
    return found.text
  }

  function inFolder(name: string, text: string): Promise<void> {
    return writeFile(join(ground.machine.root, 'root', name), text)
  }

  /** Types commands of which the last one stays in the foreground, as if a second terminal were there. */
  async function startLast(commands: string): Promise<void> {
    const lines = commands.trim().split('\n')
    const last = lines.pop()?.replace(/#.*$/, '')
    expect(last).toMatch(/^ftp-alg run /)
    await ground.type([...lines, `${last} >run.log 2>&1 & echo $! >run.pid`].join('\n'))
  }

  async function stop(): Promise<void> {
    const over = 'while kill -0 $pid 2>/dev/null; do sleep 0.05; done'
    await ground.type(`pid=$(cat run.pid); kill $pid; ${over}`)
  }

  async function endContainer(): Promise<void> {
    const inspect = "podman inspect --format '{{.State.ExitCode}}' ftp-alg"
    const ended = await ground.type(
      `podman stop ftp-alg >/dev/null; ${inspect}; podman rm ftp-alg >/dev/null`,
    )
    expect(ended).toBe('0\n')
  }
})
