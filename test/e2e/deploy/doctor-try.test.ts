// `ftp-alg doctor --try` through a proxy that runs, before a real server: it transfers each way, and says where it ended.

import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { debianRootMissing, debianTree } from '../../support/debian.ts'
import { createNetwork, type Network } from '../../support/netns.ts'
import { runProgram } from '../../support/programs.ts'
import { type RunningProxy, startProxy } from '../../support/proxy.ts'
import { account, type FtpServer, type ServerModes, serverPackages } from '../../support/servers/server.ts'
import { startVsftpd } from '../../support/servers/vsftpd.ts'

const missing = debianRootMissing('ftp-alg doctor --try with a real server')
const main = new URL('../../../dist/main.js', import.meta.url).pathname

describe.skipIf(missing !== null)('ftp-alg doctor --try', () => {
  let network: Network
  let proxy: RunningProxy
  const servers: FtpServer[] = []

  const serve = async (port: number, modes: ServerModes) => {
    const server = await startVsftpd({
      place: network.host('server'),
      address: '10.77.2.10',
      port,
      modes,
      passivePorts: { first: 40_000 + port, last: 40_099 + port },
    })
    servers.push(server)
  }
  const flags = (port: number) => ['--upstream', `10.77.2.10:${port}`, '--listen', '0.0.0.0:2121']

  beforeAll(async () => {
    await debianTree(serverPackages)
    network = await createNetwork({ inside: ['client'], outside: ['server'] })
    await serve(21, 'both')
    await serve(2100, 'passive-only')
    proxy = await startProxy({ place: network.gateway, flags: flags(21) })
  })
  afterAll(async () => {
    await proxy?.kill()
    for (const server of servers) await server.stop()
    await network?.close()
  })

  async function attempt(port: number, { password = String(account.password), input = '' } = {}) {
    const argv = [process.execPath, main, 'doctor', ...flags(port), '--try', '--user', account.user]
    const env = password === '' ? {} : { FTP_ALG_TRY_PASSWORD: password }
    const { exitCode, stdout } = await runProgram(argv, { place: network.gateway, env, input })
    const lines = stdout.split('\n').filter((line) => line.includes('  try '))
    return { exitCode, lines: lines.map((line) => line.split('  ->  ')[0]) }
  }

  it('transfers each way, up and down, and leaves nothing behind', async () => {
    const well = (verb: string) =>
      `ok    try default by ${verb}: 0 entries listed; 100000 bytes up and down again`
    const all = ['EPSV', 'PASV', 'EPRT', 'PORT'].map(well)
    const before = await readdir(servers[0]?.home ?? '')
    expect((await attempt(21)).lines).toEqual(all)
    // The password on standard input.
    expect((await attempt(21, { password: '', input: `${account.password}\n` })).lines).toEqual(all)
    expect(await readdir(servers[0]?.home ?? '')).toEqual(before)
  })

  it('says that it ended at the login', async () => {
    const { exitCode, lines } = await attempt(21, { password: 'wrong' })
    expect(exitCode).toBe(1)
    expect(lines).toEqual(['FAIL  try default by EPSV: ended at the login: 530 Login incorrect.'])
  })

  it('says that it ended at PORT, where a server refuses it', async () => {
    await proxy.kill()
    proxy = await startProxy({ place: network.gateway, flags: flags(2100) })
    const { exitCode, lines } = await attempt(2100)
    expect(exitCode).toBe(1)
    expect(lines.map((line) => line?.slice(0, 34))).toEqual([
      'ok    try default by EPSV: 0 entri',
      'ok    try default by PASV: 0 entri',
      'FAIL  try default by EPRT: ended a',
      'FAIL  try default by PORT: ended a',
    ])
    expect(lines[3]).toMatch(/^FAIL {2}try default by PORT: ended at PORT for the listing: 5\d\d /)
  })

  it('says that it ended at the connection, where nothing runs', async () => {
    await proxy.kill()
    const { lines } = await attempt(2100)
    expect(lines).toEqual([
      expect.stringMatching(/^FAIL {2}try default by EPSV: ended at the connection: .*ECONNREFUSED/),
    ])
  })
})
