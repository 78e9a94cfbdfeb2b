// `ftp-alg doctor --limits N` before real servers that limit one address, each in its own words and at its own moment.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { debianRootMissing, debianTree } from '../../support/debian.ts'
import { createNetwork, type Network } from '../../support/netns.ts'
import { runProgram } from '../../support/programs.ts'
import { startProftpd } from '../../support/servers/proftpd.ts'
import { startPureFtpd } from '../../support/servers/pure-ftpd.ts'
import { account, type FtpServer, type ServerOptions, serverPackages } from '../../support/servers/server.ts'
import { startVsftpd } from '../../support/servers/vsftpd.ts'

const missing = debianRootMissing('ftp-alg doctor --limits with real servers')
const main = new URL('../../../dist/main.js', import.meta.url).pathname
const address = '10.77.2.10'

const config = `
upstreams:
  - { name: pool, servers: [{ address: '${address}:24', maxSessions: 3 }] }
listeners:
  - { name: vsftpd, listen: '0.0.0.0:2121', upstream: '${address}:21' }
  - { name: proftpd, listen: '0.0.0.0:2122', upstream: '${address}:22' }
  - { name: pure-ftpd, listen: '0.0.0.0:2123', upstream: '${address}:23' }
  - { name: pooled, listen: '0.0.0.0:2124', upstream: pool }
`

describe.skipIf(missing !== null)('ftp-alg doctor --limits', () => {
  let network: Network
  const servers: FtpServer[] = []
  let folder: string
  let file: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-limits-'))
    file = join(folder, 'config.yaml')
    await writeFile(file, config)
    await debianTree(serverPackages)
    network = await createNetwork({ inside: ['client'], outside: ['server'] })
    const options = (port: number, maxPerAddress: number): ServerOptions => ({
      place: network.host('server'),
      address,
      port,
      maxPerAddress,
      passivePorts: { first: 40_000 + 100 * port, last: 40_099 + 100 * port },
    })
    servers.push(
      ...(await Promise.all([
        startVsftpd(options(21, 4)),
        startProftpd(options(22, 3)),
        startPureFtpd(options(23, 5)),
        startVsftpd(options(24, 4)),
      ])),
    )
  })
  afterAll(async () => {
    for (const server of servers) await server.stop()
    await network?.close()
    await rm(folder, { recursive: true })
  })

  async function ask(
    flags: readonly string[],
    { upstream = ['--config', file], password = String(account.password) } = {},
  ) {
    const argv = [process.execPath, main, 'doctor', ...upstream, ...flags]
    const { exitCode, stdout } = await runProgram(argv, {
      place: network.gateway,
      env: { FTP_ALG_TRY_PASSWORD: password },
    })
    return { exitCode, lines: stdout.split('\n').filter((line) => line.includes('  limits: ')) }
  }

  const line = (check: string, port: number, rest: string) =>
    `limits: ${check}: ${address} port ${port} ${rest}`
  const stopped = (count: number, said: string, setting: string) =>
    `takes ${count} sessions from here at once, beside those that were open; to the next: ${said}  ->  ` +
    `${setting}: as many as limits.sessions (10000); or limits.sessions: ${count}`
  const vsftpdStops = `warn  ${line(
    'upstream of vsftpd',
    21,
    stopped(4, '421 There are too many connections from your internet address.', 'max_per_ip in vsftpd.conf'),
  )}`
  const pureFtpdStops = `warn  ${line(
    'upstream of pure-ftpd',
    23,
    stopped(5, '421 Too many connections (5) from this IP', 'MaxClientsPerIP of Pure-FTPd (-C)'),
  )}`
  // It stops at what the pool would send there.
  const poolTakesAll = `ok    ${line(
    'server of pool pool',
    24,
    'takes 3 sessions from here at once, as many as there may be',
  )}`

  it('finds the limit of each for one address, and says what to set', async () => {
    const { exitCode, lines } = await ask(['--limits', '12', '--user', account.user])
    const said = '530 Sorry, the maximum number of clients (3) from your host are already connected.'
    const proftpdStops = line(
      'upstream of proftpd',
      22,
      stopped(3, said, 'MaxClientsPerHost in proftpd.conf'),
    )
    expect(lines).toEqual([vsftpdStops, `warn  ${proftpdStops}`, pureFtpdStops, poolTakesAll])
    expect(exitCode).toBe(0)
  })

  it('does not log in unless a user is named, and says what it has not seen then', async () => {
    const { lines } = await ask(['--limits', '8'])
    const rest =
      'takes 8 sessions from here at once; more were not tried, nor a login, and some servers count logins (--user)'
    expect(lines).toEqual([
      vsftpdStops,
      `ok    ${line('upstream of proftpd', 22, rest)}`,
      pureFtpdStops,
      poolTakesAll,
    ])
  })

  it('tries a wrong password once', async () => {
    const upstream = ['--upstream', `${address}:22`]
    const { lines } = await ask(['--limits', '8', '--user', account.user], { upstream, password: 'wrong' })
    expect(lines.map((said) => said.split('  ->  ')[0])).toEqual([
      `warn  ${line('upstream of default', 22, 'takes no session from here: 530 Login incorrect.')}`,
    ])
  })
})
