// The recipes of docs/ftps.md as they are written there: only addresses, ports and paths are this test's own. All run in one
// proxy, each before a real server, with real clients.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { issueCertificate, writeCertificates } from '../support/certificates.ts'
import { createCleanup } from '../support/cleanup.ts'
import { clientTree } from '../support/clients/client.ts'
import { debianRootMissing, debianTree } from '../support/debian.ts'
import { claimPorts } from '../support/port-block.ts'
import { runProgram } from '../support/programs.ts'
import { startProxy } from '../support/proxy.ts'
import { sha256Of } from '../support/samples.ts'
import { account, type FtpServer, serverPackages } from '../support/servers/server.ts'
import { startVsftpd } from '../support/servers/vsftpd.ts'

const missing = debianRootMissing('the recipes of docs/ftps.md')

/** By the bold words that they begin with. */
const recipes = recipesOf(readFileSync(new URL('../../docs/ftps.md', import.meta.url), 'utf8'))
const titles = {
  front: 'TLS before an old plain server.',
  out: 'Plain devices before a partner that wants TLS.',
  both: 'Both.',
  implicit: 'Implicit.',
  mutual: 'Mutual TLS.',
}
type Recipe = keyof typeof titles
const order = Object.keys(titles) as Recipe[]

it('docs/ftps.md has the five recipes, one block each', () => {
  expect([...recipes.keys()]).toEqual(Object.values(titles))
})

describe.skipIf(missing !== null)('the recipes of docs/ftps.md', () => {
  const cleanup = createCleanup()
  let folder = ''
  let plain: FtpServer
  let partner: FtpServer
  let firstPort = 0
  let sha256 = ''

  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-recipes-'))
    await chmod(folder, 0o755)
    cleanup.add(() => rm(folder, { recursive: true, force: true }))
    const block = await claimPorts()
    cleanup.add(async () => block.release())
    firstPort = block.first
    await writeFile(join(folder, 'sent.bin'), randomBytes(300_000))
    sha256 = await sha256Of(join(folder, 'sent.bin'))
    await writeOurCertificates(folder)
    const tls = {
      certificate: join(folder, 'server.crt'),
      key: join(folder, 'server.key'),
      isImplicit: false,
    }
    const server = { address: '127.0.0.1' }
    plain = await startVsftpd({ ...server, port: firstPort, passivePorts: range(10) })
    cleanup.add(plain.stop)
    partner = await startVsftpd({ ...server, port: firstPort + 1, passivePorts: range(20), tls })
    cleanup.add(partner.stop)
    for (const { home } of [plain, partner]) await copyFile(join(folder, 'sent.bin'), join(home, 'there.bin'))
    const proxy = await startProxy({
      config: configuration(),
      admin: { address: '127.0.0.1', port: firstPort + 97 },
      // The partner's authority is one that Node carries.
      env: { NODE_EXTRA_CA_CERTS: join(folder, 'ca.crt') },
    })
    cleanup.add(proxy.stop)
  })

  afterAll(() => cleanup.run())

  const range = (offset: number) => ({ first: firstPort + offset, last: firstPort + offset + 9 })
  const portOf = (recipe: Recipe) => firstPort + 2 + order.indexOf(recipe)

  /** The blocks as written, but for where clients, servers and files are. */
  function configuration(): string {
    const listeners = order.map((recipe) => {
      const { port } = recipe === 'out' || recipe === 'both' ? partner : plain
      const block = recipes.get(titles[recipe]) ?? ''
      expect(block).toMatch(/^listeners:\n {2}- name: /)
      return block
        .replace('listeners:\n', '')
        .replace(/(?<=listen: )\S+/, `127.0.0.1:${portOf(recipe)}`)
        .replace(/(?<=upstream: )\S+/, `127.0.0.1:${port}`)
        .replaceAll('/etc/ftp-alg/', `${folder}/`)
    })
    return `listeners:\n${listeners.join('')}dataPorts: ${firstPort + 40}-${firstPort + 89}\n`
  }

  function curl(recipe: Recipe, options: readonly string[], path: string) {
    const scheme = recipe === 'implicit' ? 'ftps' : 'ftp'
    const common = ['-sS', '-m', '30', '--cacert', join(folder, 'ca.crt')]
    const login = ['-u', `${account.user}:${account.password}`]
    const url = `${scheme}://127.0.0.1:${portOf(recipe)}/${path}`
    return runProgram(['curl', ...common, ...login, ...options, url], { cwd: folder, timeoutMs: 40_000 })
  }

  /** A file down, and the same up. */
  async function bothWays(recipe: Recipe, options: readonly string[]): Promise<void> {
    const [local, remote] = [`${recipe}.down`, `${recipe}.up`]
    const down = await curl(recipe, [...options, '-o', local], 'there.bin')
    expect(down.stderr).toBe('')
    expect(await sha256Of(join(folder, local))).toBe(sha256)
    const up = await curl(recipe, [...options, '-T', local], remote)
    expect(up.stderr).toBe('')
    await expectArrived(recipe, remote)
  }

  async function expectArrived(recipe: Recipe, name: string): Promise<void> {
    const { home } = recipe === 'out' || recipe === 'both' ? partner : plain
    expect(await sha256Of(join(home, name))).toBe(sha256)
  }

  it('TLS before an old plain server: clients encrypt, and must', async () => {
    await bothWays('front', ['--ssl-reqd'])
    const inClear = await curl('front', [], 'there.bin')
    expect(inClear.stderr).toContain('530')
  })

  it('plain devices before a partner that wants TLS: tnftp knows no TLS, the server insists on it', async () => {
    const { program, env } = await clientTree()
    const input = `open 127.0.0.1 ${portOf('out')}\nuser ${account.user} ${account.password}\nbinary\nget there.bin out.down\nput out.down out.up\nquit\n`
    const argv = [program('usr/bin/tnftp'), '-n']
    await runProgram(argv, { cwd: folder, env: { ...env, HOME: folder }, input, timeoutMs: 40_000 })
    expect(await sha256Of(join(folder, 'out.down'))).toBe(sha256)
    await expectArrived('out', 'out.up')
  })

  it('both sides: lftp shakes hands with us, and we with the server', async () => {
    const { program, env } = await clientTree()
    const script = [
      'set net:max-retries 1; set net:timeout 20; set ftp:ssl-force yes; set ftp:ssl-protect-data yes',
      `set ssl:ca-file ${folder}/ca.crt`,
      `open -u ${account.user},${account.password} -p ${portOf('both')} ftp://127.0.0.1`,
      'get there.bin -o both.down',
      'put both.down -o both.up',
      'bye',
    ].join('; ')
    const ran = await runProgram([program('usr/bin/lftp'), '--norc', '-c', script], {
      cwd: folder,
      env,
      timeoutMs: 40_000,
    })
    expect(ran.stderr).toBe('')
    expect(await sha256Of(join(folder, 'both.down'))).toBe(sha256)
    await expectArrived('both', 'both.up')
  })

  it('implicit: TLS is the first that is said', async () => {
    await bothWays('implicit', [])
  })

  it('mutual TLS: who shows a certificate of the authority gets in, and nobody else', async () => {
    const of = (name: string) => ['--cert', join(folder, `${name}.crt`), '--key', join(folder, `${name}.key`)]
    await bothWays('mutual', ['--ssl-reqd', ...of('client')])
    for (const certificate of [[], of('stranger')]) {
      const { exitCode } = await curl('mutual', ['--ssl-reqd', ...certificate, '-o', 'not'], 'there.bin')
      expect(exitCode).not.toBe(0)
      expect(await sha256Of(join(folder, 'not'))).toBe('missing')
    }
  })
})

function recipesOf(page: string): ReadonlyMap<string, string> {
  const [, chapter = ''] = /^## Recipes\n(.*?)^## /ms.exec(page) ?? []
  const blocks = [...chapter.matchAll(/^\*\*(.+?)\*\*(?:(?!^```).)*?^```yaml\n(.*?)^```$/gms)]
  return new Map(blocks.map(([, title = '', block = '']) => [title, block]))
}

async function writeOurCertificates(folder: string): Promise<void> {
  const ca = issueCertificate({ name: 'Test CA', isAuthority: true })
  const partners = issueCertificate({ name: 'Partners CA', isAuthority: true })
  const here = { addresses: ['127.0.0.1'], issuer: ca }
  const pairs = {
    edge: issueCertificate({ ...here, name: 'edge' }),
    server: issueCertificate({ ...here, name: 'server', keyType: 'rsa' }),
    client: issueCertificate({ name: 'client', issuer: partners }),
    stranger: issueCertificate({ name: 'client' }),
  }
  await writeCertificates(folder, { authorities: { ca, 'partners-ca': partners }, pairs })
}
