// What can be run of deploy/compose.yaml without Docker: the proxy with its configuration, the FTP server with its
// command line, and Prometheus’s own opinion of its configuration.

import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type DebianTree, debianRootMissing, debianTree } from '../../support/debian.ts'
import { createNetwork, type Network } from '../../support/netns.ts'
import { runProgram } from '../../support/programs.ts'
import { startProxy } from '../../support/proxy.ts'
import { serverPackages } from '../../support/servers/server.ts'

const missing = debianRootMissing('the compose file')
const deploy = new URL('../../../deploy/', import.meta.url).pathname

describe.skipIf(missing !== null)('deploy/compose.yaml', () => {
  let network: Network
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-compose-'))
    network = await createNetwork({ inside: ['client'], outside: ['server'] })
  })
  afterAll(async () => {
    await network?.close()
    if (folder !== undefined) await rm(folder, { recursive: true })
  })

  it('gives Prometheus a configuration that it takes', async () => {
    const prometheus: DebianTree = await debianTree(['prometheus'])
    await copyFile(join(deploy, 'compose/prometheus.yml'), join(folder, 'prometheus.yml'))
    for (const file of ['alerts.yml', 'recording.yml']) {
      await copyFile(join(deploy, '../grafana/prometheus', file), join(folder, file))
    }
    const argv = [prometheus.program('usr/bin/promtool'), 'check', 'config', join(folder, 'prometheus.yml')]
    const { exitCode, stdout, stderr } = await runProgram(argv, { env: prometheus.env })
    expect(exitCode, stdout + stderr).toBe(0)
    expect(stdout).toContain('2 rule files found')
  })

  it('serves a file through the proxy, with the command line of its FTP server', async () => {
    const { services } = parse(await readFile(join(deploy, 'compose.yaml'), 'utf8'))
    const command: readonly string[] = services['ftp-server'].command
    const tree = await debianTree(serverPackages)
    const files = join(folder, 'srv')
    await mkdir(files)
    await copyFile(join(deploy, 'compose.yaml'), join(files, 'hello.txt'))
    const argv = command.map((word) => ({ python: '/usr/bin/python3', '/srv/ftp': files })[word] ?? word)
    const server = network.host('server').start(argv, {
      env: { PYTHONPATH: join(tree.root, 'usr/lib/python3/dist-packages'), PYTHONWARNINGS: 'ignore' },
    })
    await server.waitForOutput(/starting FTP server/)
    const proxy = await startProxy({
      place: network.gateway,
      flags: ['--config', join(deploy, 'compose/ftp-alg.yaml')],
      env: { FTP_ALG_UPSTREAM: '10.77.2.10:21', FTP_ALG_ADVERTISE: '10.77.1.1' },
    })
    const url = 'ftp://10.77.1.1:2121/hello.txt'
    const got = await network
      .host('client')
      .run(['curl', '-sS', '--noproxy', '*', '--no-ftp-skip-pasv-ip', '--user', 'demo:demo', url])
    expect(got.stdout, got.stderr + proxy.output()).toContain('name: ftp-alg')
    await proxy.stop()
    await server.kill()
  })
})
