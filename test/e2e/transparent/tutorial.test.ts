// Follows docs/edge-gateway.md literally: its files, its commands, on machines with its addresses.

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { debianRootMissing, debianTree } from '../../support/debian.ts'
import { createNetwork, type Gateway, type Host, type Network } from '../../support/netns.ts'
import { type RunningProgram, runOrThrow } from '../../support/programs.ts'
import { startPublicVsftpd } from '../../support/servers/public-vsftpd.ts'
import { type FtpServer, serverPackages } from '../../support/servers/server.ts'
import { ftpAlg } from './lab/edge-lab.ts'
import { missingLines, onlyLooks, parseTutorial, type TutorialStep } from './lab/tutorial.ts'

const missing = debianRootMissing('the tutorial')
const page = await readFile(new URL('../../../docs/edge-gateway.md', import.meta.url), 'utf8')
const steps = parseTutorial(page)

/** Machines of the page, as hosts of the network. */
const machines: Readonly<Record<string, string>> = {
  'the gateway': 'gateway',
  'a client': 'client',
  'a machine outside': 'visitor',
  'the server': 'server',
}

/** With a page that is read, not run. */
const patience = { timeout: 30_000, interval: 500 }

const addresses: Readonly<Record<string, readonly string[]>> = {
  client: ['192.168.1.20/24', '2001:db8:1::20/64'],
  inner: ['192.168.1.10/24', '2001:db8:1::10/64'],
  server: ['203.0.113.21/24', '2001:db8:2::21/64'],
  visitor: ['203.0.113.99/24', '2001:db8:2::99/64'],
}

describe.skipIf(missing !== null)('docs/edge-gateway.md', () => {
  let network: Network
  let folder: string
  const shells = new Map<string, RunningProgram>()
  const servers: FtpServer[] = []

  beforeAll(async () => {
    await debianTree(serverPackages)
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-tutorial-'))
    network = await createNetwork({ inside: ['client', 'inner'], outside: ['server', 'visitor'] })
    await renumber()
    await mkdir(join(folder, 'bin'))
    await writeFile(join(folder, 'bin/ftp-alg'), `#!/bin/sh\nexec ${ftpAlg.join(' ')} "$@"\n`, {
      mode: 0o755,
    })
    for (const name of ['gateway', ...Object.keys(addresses)]) shells.set(name, await openShell(name))
    await serve('server', { 'welcome.txt': 'Welcome to ftp.example.net.\n' })
    await serve('inner', { 'inner.txt': 'This file is on 192.168.1.10.\n' })
  })

  afterAll(async () => {
    for (const shell of shells.values()) await shell.kill()
    for (const server of servers) await server.stop()
    await network?.close()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })

  it('has steps on every kind of machine', () => {
    const used = steps.flatMap((step) => (step.kind === 'shell' ? [step.machine] : []))
    expect(new Set(used)).toEqual(new Set(Object.keys(machines)))
  })

  it('looks at what has happened, and only such steps are tried again', () => {
    const looks = steps.filter((step) => step.kind === 'shell' && onlyLooks(step.commands))
    expect(new Set(looks.map(machineOf))).toEqual(new Set(['the gateway', 'the server']))
    for (const commands of [
      'nft flush ruleset',
      'grep x log; kill %1',
      'ftp-alg firewall --apply',
      'ftp-alg run &',
    ]) {
      expect(onlyLooks(`# on the gateway\n${commands}\n`), commands).toBe(false)
    }
  })

  // One after another: each builds on those before it.
  it.each(steps.map((step) => [titleOf(step), step] as const))('%s', async (_title, step) => {
    if (step.kind === 'file') {
      const path = join(folder, 'gateway', step.path)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, step.content)
      return
    }
    const name = machines[step.machine]
    if (name === undefined) throw new Error(`line ${step.line}: no machine is called ${step.machine}`)
    // A failure is shown on the page: curl's, or the doctor's.
    const mayFail = step.promises.some((line) => /^(curl: \(|FAIL )/.test(line))
    const keepsItsPromise = async () => {
      const { output, exitCode } = await runIn(name, step.commands)
      expect(missingLines(step.promises, output), output).toEqual([])
      expect(exitCode !== 0, output).toBe(mayFail)
    }
    if (onlyLooks(step.commands)) await vi.waitFor(keepsItsPromise, patience)
    else await keepsItsPromise()
  })

  it('leaves the gateway as it was', async () => {
    const { output } = await runIn('gateway', 'nft list ruleset; ip rule; ip -6 rule')
    expect(output).toContain('table inet filter')
    expect(output).not.toMatch(/ftp_alg|2121/)
  })

  function place(name: string): Host | Gateway {
    return name === 'gateway' ? network.gateway : network.host(name)
  }

  /** The network as the page draws it. */
  async function renumber(): Promise<void> {
    const { gateway } = network
    const at = async (name: string, ...commands: readonly string[]) => {
      await runOrThrow(['sh', '-ec', commands.join('\n')], { place: place(name) })
    }
    await at(
      'gateway',
      'for knob in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do [ ! -e "$knob" ] || echo 0 >"$knob"; done',
      ...[
        ['side1', 'lan0', '192.168.1.1/24', '2001:db8:1::1/64'],
        ['side2', 'wan0', '203.0.113.7/24', '2001:db8:2::7/64'],
      ].flatMap(([old, name, ipv4, ipv6]) => [
        `ip address flush dev ${old} && ip link set ${old} down && ip link set ${old} name ${name}`,
        `ip link set ${name} up && ip address add ${ipv4} dev ${name}`,
        `ip address add ${ipv6} dev ${name} nodad`,
      ]),
    )
    for (const [name, [ipv4, ipv6]] of Object.entries(addresses)) {
      await at(
        name,
        'ip address flush dev eth0',
        `ip address add ${ipv4} dev eth0`,
        `ip address add ${ipv6} dev eth0 nodad`,
      )
    }
    for (const name of ['client', 'inner'])
      await at(name, 'ip route add default via 192.168.1.1', 'ip -6 route add default via 2001:db8:1::1')
    // For the section in which the server sees the client: it answers through the gateway.
    await at(
      'server',
      'ip route add 192.168.1.0/24 via 203.0.113.7',
      'ip -6 route add 2001:db8:1::/64 via 2001:db8:2::7',
    )
    expect(gateway.name).toMatch(/gateway$/)
  }

  /** A shell that stays, with files of its own: all of /etc on the gateway, names and logs elsewhere. */
  async function openShell(name: string): Promise<RunningProgram> {
    const root = join(folder, name)
    await mkdir(join(root, 'var/log'), { recursive: true })
    await mkdir(join(root, 'etc'))
    if (name === 'gateway') await cp('/etc', join(root, 'etc'), { recursive: true, verbatimSymlinks: true })
    const names = '127.0.0.1 localhost\n203.0.113.21 ftp.example.net\n2001:db8:2::21 ftp.example.net\n'
    await writeFile(join(root, 'etc/hosts'), names)
    const own = [name === 'gateway' ? 'etc' : 'etc/hosts', 'var/log']
    const mounts = own.map((path) => `mount --bind ${join(root, path)} /${path}`)
    // Job control and a record of the first failure, as a person at the prompt has them.
    const setup = [...mounts, `export PATH=${join(folder, 'bin')}:$PATH`, 'exec bash -m'].join(' && ')
    return place(name).start([
      'unshare',
      '--mount',
      '--pid',
      '--fork',
      '--kill-child=KILL',
      'sh',
      '-c',
      setup,
    ])
  }

  async function runIn(name: string, commands: string): Promise<{ output: string; exitCode: number }> {
    const shell = shells.get(name)
    if (shell === undefined) throw new Error(`no shell on ${name}`)
    const script = join(folder, 'block.sh')
    await writeFile(script, commands)
    blocks += 1
    const end = `@@ end of block ${blocks}: `
    const before = shell.output().length
    shell.write(`failed=0; trap 'failed=$?' ERR; . ${script} </dev/null 2>&1; echo "${end}$failed"\n`)
    await shell.waitForOutput((text) => text.includes(end) && text.endsWith('\n'), {
      what: `the end of\n${commands}`,
      timeoutMs: 60_000,
    })
    const [output = '', exitCode = ''] = Buffer.from(shell.output().slice(before), 'latin1')
      .toString('utf8')
      .split(end)
    return { output, exitCode: Number(exitCode) }
  }

  async function serve(name: string, files: Readonly<Record<string, string>>): Promise<void> {
    const log = join(folder, name, 'var/log/ftpd.log')
    servers.push(await startPublicVsftpd({ place: network.host(name), files, log }))
  }
})

let blocks = 0

function machineOf(step: TutorialStep): string {
  return step.kind === 'file' ? 'the gateway' : step.machine
}

function titleOf(step: TutorialStep): string {
  const what = step.kind === 'file' ? step.path : `on ${step.machine}`
  return `line ${step.line}: ${what}`
}
