// The forward proxy with real clients in the ways in which they name a server behind an FTP proxy, before vsftpd. On loopback:
// the destinations list it for what it is.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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

const missing = debianRootMissing('the suite of the forward proxy')
const { user, password } = account

describe.skipIf(missing !== null)('a forward proxy', () => {
  const cleanup = createCleanup()
  let folder = ''
  let samples: Samples
  let server: FtpServer
  let proxy: RunningProxy
  let port = 0
  let serverPort = 0

  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    cleanup.add(() => rm(samples.folder, { recursive: true, force: true }))
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-forward-'))
    cleanup.add(() => rm(folder, { recursive: true, force: true }))
    const block = await claimPorts()
    cleanup.add(async () => block.release())
    serverPort = block.first
    port = block.first + 1
    const passivePorts = { first: block.first + 5, last: block.first + 24 }
    server = await startServer('vsftpd', { address: '127.0.0.1', port: serverPort, passivePorts })
    cleanup.add(server.stop)
    await shareSamples(server, samples)
    const admin = { address: '127.0.0.1', port: block.first + 2 }
    proxy = await startProxy({
      admin,
      config: `
listeners:
  - name: out
    listen: 127.0.0.1:${port}
    login: { clients: [127.0.0.1], destinations: ['localhost:${serverPort}', '127.0.0.1:${serverPort}', 'localhost:${serverPort + 3}'] }
dataPorts: ${block.first + 30}-${block.first + 95}
log: { level: debug }
`,
    })
    cleanup.add(proxy.stop)
  })

  afterAll(() => cleanup.run())

  let logins = 0

  /** The file that a client got is the one that the server has, and what it put is there, by way of the proxy. */
  async function carried(ran: Ran, local: string, remote: string): Promise<void> {
    expect(ran, ran.stderr).toMatchObject({ exitCode: 0 })
    expect(await sha256Of(join(folder, local))).toBe(samples.long.sha256)
    expect(await sha256Of(join(server.home, remote))).toBe(samples.long.sha256)
    const accepted = () => proxy.records().filter(({ event }) => event === 'login.accept').length
    await expect.poll(accepted, { interval: 20 }).toBeGreaterThan(logins)
    logins = accepted()
  }

  const path = () => `${sharedFolder}/${samples.long.name}`

  it('serves curl', async () => {
    // A colon parts user and password on the command line, so the port goes into a file.
    await writeFile(
      join(folder, 'netrc'),
      `machine 127.0.0.1 login ${user}@localhost:${serverPort} password ${password}\n`,
      { mode: 0o600 },
    )
    const argv = ['curl', '-sS', '-m', '30', '--netrc-file', 'netrc']
    const url = `ftp://127.0.0.1:${port}`
    const down = await runProgram([...argv, '-o', 'curl.bin', `${url}/${path()}`], { cwd: folder })
    expect(down.stderr).toBe('')
    const up = await runProgram([...argv, '-T', 'curl.bin', `${url}/curl.bin`], { cwd: folder })
    await carried(up, 'curl.bin', 'curl.bin')
  })

  it.each(['user', 'open'])('serves lftp with ftp:proxy-auth-type %s', async (style) => {
    const { program, env } = await clientTree()
    const local = `lftp-${style}.bin`
    const script = [
      `set net:max-retries 1; set net:timeout 20; set ftp:ssl-allow no`,
      `set ftp:proxy ftp://127.0.0.1:${port}; set ftp:proxy-auth-type ${style}`,
      `open -u ${user},${password} -p ${serverPort} ftp://localhost`,
      `get ${path()} -o ${local}`,
      `put ${local} -o ${local}`,
      'bye',
    ].join('; ')
    const argv = [program('usr/bin/lftp'), '--norc', '-c', script]
    await carried(await runProgram(argv, { cwd: folder, env, timeoutMs: 60_000 }), local, local)
  })

  it.each([
    [8, 'USER name@host:port'],
    [9, 'USER name@host port'],
  ])('serves ncftp with firewall-type %i (%s)', async (type) => {
    const { program, env } = await clientTree()
    const home = join(folder, `ncftp-${type}`)
    const local = `ncftp-${type}.bin`
    await mkdir(home)
    await writeFile(
      join(home, 'firewall'),
      `firewall-type=${type}\nfirewall-host=127.0.0.1\nfirewall-port=${port}\nfirewall-exception-list=none.invalid\n`,
    )
    const input = `set passive on
open -u ${user} -p ${password} -P ${serverPort} 127.0.0.1
get -z ${path()} ${local}
put -z ${local} ${local}
quit
`
    const ran = await runProgram([program('usr/bin/ncftp3')], {
      cwd: folder,
      env: { ...env, NCFTPDIR: home, TERM: 'dumb' },
      input,
      timeoutMs: 60_000,
    })
    await carried(ran, local, local)
  })

  it('serves ftplib, with passive and active data connections', async () => {
    const script = `
import ftplib
for passive in (True, False):
    ftp = ftplib.FTP(timeout=20)
    ftp.connect('127.0.0.1', ${port})
    ftp.login('${user}@localhost:${serverPort}', '${password}')
    ftp.set_pasv(passive)
    with open('ftplib.bin', 'wb') as file:
        ftp.retrbinary('RETR ${path()}', file.write)
    with open('ftplib.bin', 'rb') as file:
        ftp.storbinary('STOR ftplib.bin', file)
    ftp.quit()
`
    await carried(await runProgram(['python3', '-c', script], { cwd: folder }), 'ftplib.bin', 'ftplib.bin')
  })

  it('refuses a destination that is not listed, a name that leads to ourselves, and other clients', async () => {
    const ask = (login: string, source = '127.0.0.1') => {
      const script = `
import ftplib
ftp = ftplib.FTP(timeout=20)
try:
    ftp.connect('127.0.0.1', ${port}, source_address=('${source}', 0))
    print(ftp.sendcmd('USER ${login}'))
except ftplib.Error as error:
    print(error)
`
      return runProgram(['python3', '-c', script]).then(({ stdout }) => stdout.trim())
    }
    expect(await ask(`joe@ftp.example.net`)).toBe('530 That server is not allowed from here.')
    expect(await ask(`joe@localhost:${serverPort + 3}`)).toBe('421 That server is not allowed from here.')
    expect(await ask(`joe@127.0.0.1:${port}`)).toBe('530 That server is not allowed from here.')
    expect(await ask(`joe@localhost:${serverPort}`, '127.0.0.2')).toBe('421 You are not allowed here.')
    const failed = proxy.records().filter(({ event }) => event === 'upstream.fail')
    expect(failed).toMatchObject([{ reason: 'forbidden', server: `localhost:${serverPort + 3}` }])
  })
})
