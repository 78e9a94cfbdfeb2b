// vsftpd and ProFTPD, reached through microsocks and tinyproxy, by curl.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCleanup } from '../support/cleanup.ts'
import { debianRootMissing, debianTree } from '../support/debian.ts'
import { claimPorts } from '../support/port-block.ts'
import { runProgram, startProgram } from '../support/programs.ts'
import { startProxy } from '../support/proxy.ts'
import { createSamples, type Samples, sha256Of } from '../support/samples.ts'
import { startServer } from '../support/servers/all.ts'
import { account, serverPackages } from '../support/servers/server.ts'
import { sharedFolder, shareSamples } from '../support/transfers.ts'

const missing = debianRootMissing('the suite of servers behind a proxy')

describe.skipIf(missing !== null)('a server behind a proxy', () => {
  let samples: Samples
  let listenPorts: readonly [number, number]
  const cleanup = createCleanup()

  beforeAll(async () => {
    await debianTree(serverPackages)
    const programs = await debianTree(['microsocks', 'tinyproxy-bin'])
    samples = await createSamples()
    const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-via-'))
    cleanup.add(() => rm(folder, { recursive: true, force: true }))
    cleanup.add(() => rm(samples.folder, { recursive: true, force: true }))
    const ports = await claimPorts()
    cleanup.add(async () => ports.release())
    const [socks, http, vsftpd, proftpd, admin] = [0, 1, 2, 3, 4].map((nth) => ports.first + nth)
    if (socks === undefined || http === undefined || vsftpd === undefined || proftpd === undefined)
      throw new Error('ports')
    for (const [kind, port, from] of [
      ['vsftpd', vsftpd, 10],
      ['proftpd', proftpd, 30],
    ] as const) {
      const passivePorts = { first: ports.first + from, last: ports.first + from + 19 }
      const server = await startServer(kind, { address: '127.0.0.1', port, passivePorts })
      cleanup.add(server.stop)
      await shareSamples(server, samples)
    }
    const tinyproxy = join(folder, 'tinyproxy.conf')
    await writeFile(tinyproxy, `Port ${http}\nListen 127.0.0.1\nTimeout 60\nBasicAuth gate secret\n`)
    const start = (argv: readonly string[]) => {
      const program = startProgram(argv, { env: programs.env })
      cleanup.add(() => program.kill())
    }
    start([
      programs.program('usr/bin/microsocks'),
      '-i',
      '127.0.0.1',
      '-p',
      `${socks}`,
      '-u',
      'gate',
      '-P',
      'secret',
    ])
    start([programs.program('usr/bin/tinyproxy'), '-d', '-c', tinyproxy])
    listenPorts = [ports.first + 5, ports.first + 6]
    const proxy = await startProxy({
      config: `
upstreams:
  - { name: a, servers: [{ address: 'localhost:${vsftpd}' }], via: 'socks5://gate:secret@127.0.0.1:${socks}' }
  - { name: b, servers: [{ address: 'localhost:${proftpd}' }], via: 'http://gate:secret@127.0.0.1:${http}' }
listeners:
  - { name: a, listen: '127.0.0.1:${listenPorts[0]}', upstream: a, upstreamMode: passive }
  - { name: b, listen: '127.0.0.1:${listenPorts[1]}', upstream: b, upstreamMode: passive }
dataPorts: ${ports.first + 60}-${ports.first + 79}
admin: { listen: '127.0.0.1:${admin}' }
`,
      admin: { address: '127.0.0.1', port: admin ?? 0 },
    })
    cleanup.add(proxy.stop)
  })

  afterAll(() => cleanup.run())

  it.each([
    ['vsftpd', 'microsocks', 0, '--disable-epsv'],
    ['vsftpd', 'microsocks', 0, '-P-'],
    ['ProFTPD', 'tinyproxy', 1, '--disable-epsv'],
    ['ProFTPD', 'tinyproxy', 1, '-P-'],
  ] as const)('%s through %s, listener %i, curl %s', async (_server, _gate, listener, flag) => {
    const folder = await mkdtemp(join(samples.folder, 'via-'))
    const base = `ftp://${account.user}:${account.password}@127.0.0.1:${listenPorts[listener]}/${sharedFolder}`
    const local = join(folder, 'got')
    const got = await runProgram([
      'curl',
      '-sS',
      flag,
      '--max-time',
      '30',
      '-o',
      local,
      `${base}/${samples.middle.name}`,
    ])
    expect(got).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await sha256Of(local)).toBe(samples.middle.sha256)
    const listed = await runProgram(['curl', '-sS', flag, '--max-time', '30', `${base}/`])
    expect(listed.stdout).toContain(samples.middle.name)
  })
})
