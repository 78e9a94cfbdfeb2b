// FTPS with real servers and clients: TLS on either side of the proxy or on both, explicit and implicit. The servers insist on
// data connections that resume the session of their control connection, and so do our listeners. Large files, and TLS that
// only passes through; more clients and servers are in ftps-matrix.test.ts.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeLoopbackCertificates } from '../support/certificates.ts'
import { createCleanup } from '../support/cleanup.ts'
import { clientTree } from '../support/clients/client.ts'
import { debianRootMissing, debianTree } from '../support/debian.ts'
import { claimPorts } from '../support/port-block.ts'
import { type Ran, runProgram } from '../support/programs.ts'
import { type RunningProxy, startProxy } from '../support/proxy.ts'
import { createSamples, type Samples, sha256Of } from '../support/samples.ts'
import { startServer } from '../support/servers/all.ts'
import { account, type FtpServer, serverPackages } from '../support/servers/server.ts'
import { sharedFolder, shareSamples } from '../support/transfers.ts'

const missing = debianRootMissing('the FTPS suite')

/** Every server has a port, and every way through the proxy. */
const servers = ['vsftpd', 'vsftpd-tls', 'vsftpd-implicit', 'proftpd-tls', 'proftpd-implicit'] as const
type ServerName = (typeof servers)[number]

interface Way {
  readonly name: string
  readonly front: 'plain' | 'explicit' | 'implicit'
  readonly server: ServerName
}

const ways: readonly Way[] = (['plain', 'explicit', 'implicit'] as const).flatMap((front) =>
  servers
    .filter((server) => front !== 'plain' || server !== 'vsftpd')
    .map((server) => ({ name: `${front} to ${server}`, front, server })),
)

/** TLS that is not ours: mode, server, and where the listener's port is. */
const passing = [
  ['passthrough', 'vsftpd-tls', 45],
  ['passthrough', 'proftpd-tls', 46],
  ['passthrough-implicit', 'vsftpd-implicit', 47],
] as const

const modes = {
  EPSV: [],
  PASV: ['--disable-epsv'],
  EPRT: ['--ftp-port', '-'],
  PORT: ['--ftp-port', '-', '--disable-eprt'],
}

describe.skipIf(missing !== null)('FTPS', () => {
  const cleanup = createCleanup()
  let folder = ''
  let samples: Samples
  let proxy: RunningProxy
  let firstPort = 0
  const running = new Map<ServerName, FtpServer>()

  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    cleanup.add(() => rm(samples.folder, { recursive: true, force: true }))
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-ftps-'))
    await chmod(folder, 0o755)
    cleanup.add(() => rm(folder, { recursive: true, force: true }))
    const block = await claimPorts()
    cleanup.add(async () => block.release())
    firstPort = block.first
    await writeLoopbackCertificates(folder)
    for (const [index, name] of servers.entries()) {
      const server = await startServer(name.startsWith('vsftpd') ? 'vsftpd' : 'proftpd', {
        address: '127.0.0.1',
        port: firstPort + index,
        passivePorts: { first: firstPort + 20 + 5 * index, last: firstPort + 24 + 5 * index },
        ...(name === 'vsftpd'
          ? {}
          : {
              tls: {
                certificate: join(folder, 'server.crt'),
                key: join(folder, 'server.key'),
                isImplicit: name.endsWith('implicit'),
              },
            }),
      })
      cleanup.add(server.stop)
      running.set(name, server)
      await shareSamples(server, samples)
    }
    const admin = { address: '127.0.0.1', port: firstPort + 97 }
    proxy = await startProxy({ config: configuration(folder, firstPort), admin })
    cleanup.add(proxy.stop)
  })

  afterAll(() => cleanup.run())

  const portOf = ({ name }: Way) => firstPort + 5 + ways.findIndex((way) => way.name === name)

  function curl(way: Way, argv: readonly string[]): Promise<Ran> {
    const tls = way.front === 'explicit' ? ['--ssl-reqd'] : []
    return runProgram(
      [
        'curl',
        '-sS',
        '--cacert',
        join(folder, 'ca.crt'),
        '-m',
        '60',
        '-u',
        `${account.user}:${account.password}`,
        ...tls,
        ...argv,
      ],
      { cwd: folder, timeoutMs: 90_000 },
    )
  }

  const urlOf = (way: Way, path: string) =>
    `${way.front === 'implicit' ? 'ftps' : 'ftp'}://127.0.0.1:${portOf(way)}/${path}`

  // The servers insist on data connections that resume: they come straight from curl, which shook hands with them.
  it.each(passing)(
    '%s: %s and curl see each other’s TLS, and files go between them',
    async (mode, server, offset) => {
      const way = { name: mode, front: mode === 'passthrough' ? 'explicit' : 'implicit', server } as const
      const url = `${way.front === 'implicit' ? 'ftps' : 'ftp'}://127.0.0.1:${firstPort + offset}`
      const file = samples.middle
      const down = ['a', 'b'].flatMap((name) => ['-o', `pass-${name}`, `${url}/${sharedFolder}/${file.name}`])
      const ran = await curl(way, ['-v', '--ftp-skip-pasv-ip', ...down])
      expect(ran.exitCode, ran.stderr).toBe(0)
      expect(ran.stderr).toContain('subject: CN=server')
      expect(await sha256Of(join(folder, 'pass-b'))).toBe(file.sha256)
      const up = await curl(way, [
        '--ftp-skip-pasv-ip',
        '-T',
        join(samples.folder, file.name),
        `${url}/pass-up`,
      ])
      expect(up.stderr).toBe('')
      expect(await sha256Of(join(running.get(server)?.home ?? '', 'pass-up'))).toBe(file.sha256)
      const metrics = await proxy.metrics()
      const listener = `listener="passing-${offset}"`
      expect(metrics).toContain(`ftp_alg_passthrough_sessions_total{${listener}} 2`)
      const moved = metrics
        .split('\n')
        .filter((line) => line.startsWith(`ftp_alg_data_bytes_total{${listener}`))
      expect(moved.map((line) => line.split(' ').at(-1))).toEqual(moved.map(() => '0'))
      expect(moved.length).toBeGreaterThan(0)
    },
  )

  describe.each(ways)('$name', (way) => {
    // curl 7.88 never begins TLS on a connection that it has accepted (its own issue 10666).
    const usable = (Object.keys(modes) as (keyof typeof modes)[]).filter(
      (mode) => way.front === 'plain' || mode === 'EPSV' || mode === 'PASV',
    )

    it.each(['on', 'off'])('carries files both ways for lftp with passive mode %s', async (passive) => {
      const scheme = way.front === 'implicit' ? 'ftps' : 'ftp'
      const isTls = way.front === 'plain' ? 'no' : 'yes'
      const name = `lftp-${passive}.bin`
      const file = passive === 'on' ? samples.large : samples.long
      await rm(join(folder, name), { force: true })
      const script = [
        `set net:max-retries 1; set net:timeout 20; set ftp:ssl-allow ${isTls}; set ftp:ssl-force ${isTls}`,
        `set ftp:ssl-protect-data yes; set ssl:ca-file ${folder}/ca.crt; set ftp:passive-mode ${passive}`,
        `open -u ${account.user},${account.password} -p ${portOf(way)} ${scheme}://127.0.0.1`,
        `get ${sharedFolder}/${file.name} -o ${name}`,
        `put ${name} -o ${name}`,
        'bye',
      ].join('; ')
      const { program, env } = await clientTree()
      const argv = [program('usr/bin/lftp'), '--norc', '-c', script]
      const ran = await runProgram(argv, { cwd: folder, env, timeoutMs: 60_000 })
      expect(ran.stderr).toBe('')
      expect(await sha256Of(join(folder, name))).toBe(file.sha256)
      expect(await sha256Of(join(running.get(way.server)?.home ?? '', name))).toBe(file.sha256)
    })

    it.each(usable)('carries files both ways with %s', async (mode) => {
      const local = join(folder, 'got.bin')
      // 50 MiB go through each way once for each client.
      const file = mode === 'EPSV' ? samples.large : samples.long
      const down = await curl(way, [...modes[mode], '-o', local, urlOf(way, `${sharedFolder}/${file.name}`)])
      expect(down.stderr).toBe('')
      expect(await sha256Of(local)).toBe(file.sha256)
      const up = await curl(way, [...modes[mode], '-T', local, urlOf(way, 'put.bin')])
      expect(up.stderr).toBe('')
      expect(await sha256Of(join(running.get(way.server)?.home ?? '', 'put.bin'))).toBe(await sha256Of(local))
    })
  })
})

function configuration(folder: string, firstPort: number): string {
  const certificates = `[{ certificate: ${folder}/edge.crt, key: ${folder}/edge.key }]`
  const listeners = ways.map(({ name, front, server }, index) => {
    const mode = { plain: 'off', explicit: 'required', implicit: 'implicit' }[front]
    const tls =
      front === 'plain' ? '' : `tls: { mode: ${mode}, dataReuse: required, certificates: ${certificates} }`
    const upstreamMode = server.endsWith('implicit') ? 'implicit' : 'required'
    const upstreamTls =
      server === 'vsftpd' ? '' : `upstreamTls: { mode: ${upstreamMode}, ca: ${folder}/ca.crt }`
    return `  - name: ${name.replaceAll(' ', '-')}
    listen: 127.0.0.1:${firstPort + 5 + index}
    upstream: 127.0.0.1:${firstPort + servers.indexOf(server)}
    ${tls}
    ${upstreamTls}
`
  })
  const passed = passing.map(([mode, server, offset]) => {
    const [listen, upstream] = [firstPort + offset, firstPort + servers.indexOf(server)]
    return `  - { name: passing-${offset}, listen: '127.0.0.1:${listen}', upstream: '127.0.0.1:${upstream}', tls: { mode: ${mode} } }\n`
  })
  return `listeners:\n${listeners.join('')}${passed.join('')}dataPorts: ${firstPort + 50}-${firstPort + 95}\nlog: { level: debug }\n`
}
