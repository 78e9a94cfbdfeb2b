// Real clients × real servers, with TLS on either side of the proxy or on both. Writes the section on FTPS in
// docs/compatibility.md.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { writeLoopbackCertificates } from '../support/certificates.ts'
import { createCleanup } from '../support/cleanup.ts'
import { ftpClients } from '../support/clients/all.ts'
import { clientTree, type DataMode, dataModes, type FtpClient } from '../support/clients/client.ts'
import { debianRootMissing, debianTree } from '../support/debian.ts'
import { claimPorts } from '../support/port-block.ts'
import { type Ran, runProgram, thisMachine } from '../support/programs.ts'
import { startProxy } from '../support/proxy.ts'
import { createSamples, type Samples, sha256Of } from '../support/samples.ts'
import { startServer } from '../support/servers/all.ts'
import { account, type FtpServer, serverPackages } from '../support/servers/server.ts'
import { attemptTransfers, sharedFolder, shareSamples } from '../support/transfers.ts'
import { ftpsSection, keyOf, type Outcome } from './ftps-matrix/report.ts'
import {
  adminPort,
  configuration,
  type Front,
  fronts,
  listenerName,
  listenerPort,
  type Ports,
  passivePorts,
  serverPort,
  servers,
  type Way,
  waysOf,
  withoutReuse,
} from './ftps-matrix/setting.ts'
import { writePart } from './matrix/page.ts'

const missing = debianRootMissing('the FTPS matrix')
const cleanup = createCleanup()
const outcomes = new Map<string, Outcome>()
const rows: Record<Front, string[]> = { plain: [], explicit: [], implicit: [] }
const running = new Map<string, FtpServer>()
let samples: Samples
let folder = ''
let ports: Ports

/** A row of a table: a test for each server. */
interface Row {
  readonly name: string
  readonly run: (way: Way) => Promise<Outcome>
}

/** Python's ftplib cannot, wget does so only sometimes. */
const neverResumes: ReadonlySet<string> = new Set(['ftplib', 'wget'])

const rowsOf: Readonly<Record<Front, readonly Row[]>> = {
  plain: [...ftpClients.map((client) => sessionRow(client, 'plain')), manyRow()],
  explicit: [...secureRows('explicit'), ...secureManyRows(), ...cccRows()],
  implicit: [...secureRows('implicit'), ...secureManyRows()],
}

describe.skipIf(missing !== null)('FTPS', () => {
  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    cleanup.add(() => rm(samples.folder, { recursive: true, force: true }))
    folder = await mkdtemp(join(tmpdir(), 'ftp-alg-ftps-matrix-'))
    await chmod(folder, 0o755)
    cleanup.add(() => rm(folder, { recursive: true, force: true }))
    const blocks = [await claimPorts(), await claimPorts()] as const
    for (const block of blocks) cleanup.add(async () => block.release())
    ports = { servers: blocks[0].first, proxy: blocks[1].first }
    await writeLoopbackCertificates(folder)
    const starting = servers.map(async (each) => {
      const server = await startServer(each.kind, {
        address: '127.0.0.1',
        port: serverPort(ports, each),
        passivePorts: passivePorts(ports, each),
        ...(each.tls === 'none'
          ? {}
          : {
              tls: {
                certificate: join(folder, 'server.crt'),
                key: join(folder, 'server.key'),
                isImplicit: each.tls === 'implicit',
              },
            }),
      })
      cleanup.add(server.stop)
      running.set(each.name, server)
      await shareSamples(server, samples)
    })
    await Promise.all(starting)
    const admin = { address: '127.0.0.1', port: adminPort(ports) }
    const proxy = await startProxy({ config: configuration(folder, ports), admin })
    cleanup.add(proxy.stop)
  })

  afterAll(() => cleanup.run())

  for (const front of fronts) {
    for (const { name, run } of rowsOf[front]) {
      rows[front].push(name)
      const ways = waysOf(front).map((way) => [way.server.name, way] as const)
      describe.concurrent.each(ways)(`${front}, ${name}: %s`, (server, way) => {
        it('works', async () => {
          const key = keyOf(front, name, server)
          outcomes.set(key, 'fails')
          outcomes.set(key, await run(way))
        })
      })
    }
  }

  it('writes its section of docs/compatibility.md', async () => {
    await writePart('ftps', ftpsSection({ rows, outcomes }))
  })
})

function secureRows(front: 'explicit' | 'implicit'): readonly Row[] {
  return ftpClients
    .filter((client) => client.cannotSecure(front) === null)
    .flatMap((client) => {
      const row = sessionRow(client, front)
      if (!neverResumes.has(client.name)) return [row]
      const offered = { ...row, name: `${client.name}, \`dataReuse: offered\`` }
      return client.name === 'ftplib' ? [offered, { name: 'ftplib', run: refusesWithoutReuse }] : [offered]
    })
}

function sessionRow(client: FtpClient, front: Front): Row {
  return {
    name: client.name,
    run: async (asked) => {
      const way = neverResumes.has(client.name) && front !== 'plain' ? withoutReuse(asked) : asked
      const usable = modesOf(client, front)
      const mode = usable[servers.indexOf(way.server) % usable.length] ?? 'PASV'
      const failed = await attemptTransfers({
        client,
        server: serverOf(way),
        samples,
        family: 'ipv4',
        mode,
        place: thisMachine,
        target: { address: '127.0.0.1', port: listenerPort(ports, way) },
        large: false,
        ...(front === 'plain' ? {} : { tls: { how: front, ca: join(folder, 'ca.crt') } }),
      })
      expect(failed).toEqual([])
      return 'works'
    },
  }
}

/** curl 7.88 never begins TLS on a connection that it has accepted (its own issue 10666). */
function modesOf(client: FtpClient, front: Front): readonly DataMode[] {
  return dataModes
    .filter((mode) => client.cannotUse({ family: 'ipv4', mode }) === null)
    .filter((mode) => front === 'plain' || client.name !== 'curl' || mode === 'PASV' || mode === 'EPSV')
}

async function refusesWithoutReuse(way: Way): Promise<Outcome> {
  const client = ftpClients.find(({ name }) => name === 'ftplib')
  const place = await mkdtemp(join(folder, 'refused-'))
  const run = await client?.run({
    place: thisMachine,
    folder: place,
    server: { address: '127.0.0.1', port: listenerPort(ports, way) },
    mode: 'PASV',
    tls: { how: 'explicit', ca: join(folder, 'ca.crt') },
    steps: [{ kind: 'download', remote: `${sharedFolder}/${samples.middle.name}`, local: 'never' }],
  })
  // It meets the reset of its data connection, mostly before it reads the 522.
  expect(run?.exitCode).not.toBe(0)
  expect(run?.dialogue).toContain("'RETR ")
  expect(run?.dialogue).not.toContain("*resp* '226")
  expect(await sha256Of(join(place, 'never'))).not.toBe(samples.middle.sha256)
  await vi.waitFor(async () => {
    const { stdout } = await runProgram(['curl', '-sS', `http://127.0.0.1:${adminPort(ports)}/metrics`])
    expect(strangersOf(way).test(stdout)).toBe(true)
  }, 15_000)
  return 'refused'
}

function strangersOf(way: Way): RegExp {
  const labels = `listener="${listenerName(way)}",side="client",channel="data",reason="not_resumed"`
  return new RegExp(`^ftp_alg_tls_handshake_failures_total\\{${labels}\\} [1-9]`, 'm')
}

/** With each version of TLS. */
function secureManyRows(): readonly Row[] {
  return ['1.2', '1.3'].map((version) => manyRow(version))
}

/** Eight downloads in one session and four uploads in another. */
function manyRow(version?: string): Row {
  return {
    name: `curl${version === undefined ? '' : `, TLS ${version}`}: 8 downloads, 4 uploads`,
    run: async (way) => {
      const place = await mkdtemp(join(folder, 'many-'))
      const argv = version === undefined ? [] : [`--tlsv${version}`, '--tls-max', version]
      const { name, sha256 } = samples.middle
      const downloads = Array.from({ length: 8 }, (_, nth) => [
        ...['-o', `down${nth}`],
        urlOf(way, `${sharedFolder}/${name}`),
      ])
      const prefix = `many-${way.front}-${version}`
      const uploads = Array.from({ length: 4 }, (_, nth) => [
        ...['-T', join(samples.folder, name)],
        urlOf(way, `${prefix}-${nth}`),
      ])
      expect((await curl(way, [...argv, ...downloads.flat()], place)).stderr).toBe('')
      expect((await curl(way, [...argv, ...uploads.flat()], place)).stderr).toBe('')
      for (let nth = 0; nth < 8; nth++) expect(await sha256Of(join(place, `down${nth}`))).toBe(sha256)
      for (let nth = 0; nth < 4; nth++)
        expect(await sha256Of(join(serverOf(way).home, `${prefix}-${nth}`))).toBe(sha256)
      return 'works'
    },
  }
}

/** The reply under way, close_notify by either or by us alone, and what each transfer needs of tickets afterwards. */
function cccRows(): readonly Row[] {
  return ['1.2', '1.3'].flatMap((version) =>
    ['active', 'passive'].map(
      (mode): Row => ({
        // In its passive mode curl forgets the session, and its next data connection cannot resume it.
        name: `curl, TLS ${version}: CCC, ${mode}${mode === 'passive' ? ', `dataReuse: offered`' : ''}`,
        run: async (asked) => {
          const way = mode === 'passive' ? withoutReuse(asked) : asked
          const place = await mkdtemp(join(folder, 'ccc-'))
          const { name, sha256 } = samples.middle
          const ccc = ['--ftp-ssl-ccc', '--ftp-ssl-ccc-mode', mode, `--tlsv${version}`, '--tls-max', version]
          const downloads = ['a', 'b', 'c'].flatMap((each) => [
            ...['-o', each],
            urlOf(way, `${sharedFolder}/${name}`),
          ])
          const down = await curl(way, ['-v', ...ccc, ...downloads], place)
          expect(down.exitCode, down.stderr).toBe(0)
          expect(down.stderr).toContain('< 200 The control connection goes on in clear.')
          expect(await sha256Of(join(place, 'c'))).toBe(sha256)
          const target = `ccc-${version}-${mode}`
          const up = await curl(way, [...ccc, '-T', join(samples.folder, name), urlOf(way, target)], place)
          expect(up.stderr).toBe('')
          expect(await sha256Of(join(serverOf(way).home, target))).toBe(sha256)
          return 'works'
        },
      }),
    ),
  )
}

function serverOf({ server }: Way): FtpServer {
  const found = running.get(server.name)
  if (found === undefined) throw new Error(`${server.name} does not run`)
  return found
}

function urlOf(way: Way, path: string): string {
  return `${way.front === 'implicit' ? 'ftps' : 'ftp'}://127.0.0.1:${listenerPort(ports, way)}/${path}`
}

function curl(way: Way, argv: readonly string[], cwd: string): Promise<Ran> {
  const shared = ['curl', '-sS', '--cacert', join(folder, 'ca.crt'), '-m', '60']
  const user = ['-u', `${account.user}:${account.password}`]
  const tls = way.front === 'explicit' ? ['--ssl-reqd'] : []
  return runProgram([...shared, ...user, ...tls, ...argv], { cwd, timeoutMs: 90_000 })
}
