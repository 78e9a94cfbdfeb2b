import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { adminAddress } from '../../../src/cli/status/admin-address.ts'
import { printBar, printTable } from '../../../src/cli/status/text-table.ts'
import { type StatusRequest, status } from '../../../src/cli/status.ts'
import { createAdminServer } from '../../../src/observe/admin.ts'
import { notedOperations } from '../../support/operations.ts'
import { client, observe, server as upstream } from '../observe/fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-status-'))
const closers: (() => unknown)[] = []
afterEach(() => Promise.all(closers.splice(0).map((close) => close())))
afterAll(() => rmSync(folder, { recursive: true }))

/** A proxy that has seen something of everything, with its real admin listener. */
async function busyProxy() {
  const { observer } = observe({ level: 'error' })
  observer.listenerStarted({ listener: 'edge', at: { address: '0.0.0.0', port: 2121 }, sessionLimit: 50 })
  observer.poolsMeasuredBy(() => [{ pool: 'shared', ports: 100, inUse: 25, quarantined: 3 }])
  const server = { pool: 'files', server: 'ftp-a:21', isUp: true, isBackup: false, sessions: 1, failures: 0 }
  observer.upstreamsMeasuredBy(() => [
    {
      pool: 'files',
      failovers: 0,
      servers: [server, { ...server, server: 'ftp-b:21', isUp: false, isBackup: true, failures: 7 }],
    },
  ])
  const session = observer.sessionOpened({ listener: 'edge', client })
  session.upstreamConnected({ server: upstream, durationMs: 1 })
  session.record({ type: 'command', verb: 'RETR', line: 'RETR a' })
  session.record({ type: 'login', user: 'an\x1b[31mna', accepted: true, code: 230 })
  session.dataOpened({ channel: 1, mode: 'passive', path: 'relay', setupMs: 1 })
  session.dataBytes({ direction: 'download', path: 'relay', count: 1_500_000 })
  const other = observer.sessionOpened({ listener: 'edge', client: { address: '2001:db8::9', port: 4000 } })
  other.pinholeOpened({
    pinhole: 1,
    from: 'client',
    expect: '2001:db8::9',
    announce: { address: '2001:db8::1', port: 30_001 },
    target: null,
    backend: 'relay',
    durationMs: 1,
  })
  session.record({ type: 'refusal', verb: 'PORT', reason: 'bounce', code: 501, detail: 'PORT 10,0,0,9,0,21' })
  const admin = createAdminServer({
    observer,
    ready: () => ({ ready: true, reason: '' }),
    listen: { address: '127.0.0.1', port: 0 },
    operations: notedOperations().operations,
  })
  const { port } = await admin.start()
  closers.push(() => admin.stop())
  return { observer, session, other, at: `127.0.0.1:${port}` }
}

async function run(
  flags: Readonly<Record<string, unknown>>,
  request: Partial<StatusRequest> & { readonly terminal?: number } = {},
) {
  let output = ''
  const { terminal, ...rest } = request
  const exitCode = await status({
    sources: { flags, environment: {} },
    json: false,
    stdout: {
      write: (text) => (output += text),
      ...(terminal === undefined ? {} : { isTTY: true, columns: terminal }),
    },
    ...rest,
  })
  return { exitCode, output, lines: output.split('\n') }
}

describe('ftp-alg status', () => {
  test('prints what the status page shows', async () => {
    const { at, session, other } = await busyProxy()
    const { exitCode, output } = await run({ admin: at })
    expect(exitCode).toBe(0)
    const text = output
      // Before the times: an id may end in what looks like one.
      .replaceAll(session.id, 'first')
      .replaceAll(other.id, 'second')
      .replaceAll(/(?<=\S) {2,}/g, '  ')
      .replaceAll(/(\d+m )?\d+s\b/g, '0s')
      .replace(/as of .*/, 'as of now')
      .replace(/on \S+:/, 'on host:')
    expect(text).toBe(`\
ftp-alg 1.2.3 on host: ready, up 0s, as of now
Nothing needs attention.
Pinholes by relay, TCP by epoll.

Listeners
  NAME  ADDRESS  SESSIONS  SINCE START  SENT AWAY  REFUSED  NO SERVER  DATA  UP  DOWN
  edge  0.0.0.0:2121  2 of 50  2  0  1  0  1  0 B  1.5 MB

Servers of pools
  SERVER  POOL  STATE  SESSIONS  FAILURES
  ftp-a:21  files  up  1  0
  ftp-b:21 (backup)  files  down  1  7

Sessions: 2
  CLIENT  SERVER  USER  STATE  MODE  LAST  UP  DOWN  AGE  LISTENER  SESSION
  203.0.113.9:40001  10.0.0.5:21  an␛[31mna  transfer  passive  RETR  0 B  1.5 MB  0s  edge  first
  [2001:db8::9]:4000  –  –  connecting  –  –  0 B  0 B  0s  edge  second

Pinholes: 1
  EXPECTS  AT  LEADS TO  BY  CLOSES IN  LISTENER  SESSION
  2001:db8::9 (client)  [2001:db8::1]:30001  –  relay  0s  edge  second

Data ports
  POOL  USE  IN USE  RESTING  PORTS
  shared  █████░░░░░░░░░░░░░░░  25  3  100

Recent refusals: 1
  WHEN  WHO  WHAT  TIMES  LISTENER  SESSION  WHY  DETAIL
  0s ago  203.0.113.9  PORT 501  1  edge  first  PORT or EPRT named another host  PORT 10,0,0,9,0,21
`)
  })

  test('fits a terminal and uses its colours, unless told not to', async () => {
    const { at, observer } = await busyProxy()
    observer.draining()
    const { output, lines } = await run({ admin: at }, { terminal: 60 })
    expect(
      lines.map((line) => stripVTControlCharacters(line).length).filter((length) => length > 60),
    ).toEqual([])
    expect(output).toContain('\x1b[33m! Draining: no new sessions')
    expect(output).toContain('\x1b[1mListeners\x1b[22m')
    const plain = await run(
      { admin: at },
      { terminal: 60, sources: { flags: { admin: at }, environment: { NO_COLOR: '1' } } },
    )
    expect(plain.output).not.toContain('\x1b')
    const unknown = await run({ admin: at }, { terminal: 0 })
    expect(unknown.output).toContain('running transfers finish. 2 sessions left.')
  })

  test('says how many sessions it did not print', async () => {
    const { at, observer } = await busyProxy()
    for (let n = 0; n < 60; n += 1) observer.sessionOpened({ listener: 'edge', client })
    const { output } = await run({ admin: at })
    expect(output).toContain('\nSessions: 62\n')
    expect(output).toContain('\n  and 12 more; --json shows up to 1,000\n')
  })

  test('prints everything as JSON, texts as they are', async () => {
    const { at } = await busyProxy()
    const { output } = await run({ admin: at }, { json: true })
    expect(JSON.parse(output)).toMatchObject({
      status: { version: '1.2.3', ready: true, listeners: [{ listener: 'edge' }] },
      sessions: { total: 2, sessions: [{ user: 'an\x1b[31mna' }, {}] },
      pinholes: { total: 1, pinholes: [{ expected_ip: '2001:db8::9' }] },
    })
  })

  test('finds the admin listener in the configuration', async () => {
    const { at } = await busyProxy()
    const file = join(folder, 'config.yaml')
    writeFileSync(file, `listeners: [{ upstream: ftp.internal }]\nadmin: { listen: '${at}' }\n`)
    expect((await run({ config: file })).output).toContain('ftp-alg 1.2.3')
  })
})

describe('who cannot be asked', () => {
  const failure = async (admin: string) =>
    run({ admin }).then(
      () => 'no failure',
      (error: unknown) => (error instanceof Error ? error.message : error),
    )
  const impostor = async (answer: RequestListener) => {
    const other = createServer(answer)
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    closers.push(() => {
      other.closeAllConnections()
      other.close()
    })
    return `127.0.0.1:${(other.address() as AddressInfo).port}`
  }

  test('nobody listens there: exit code 1, and what to look at', async () => {
    const at = await impostor(() => undefined)
    await Promise.all(closers.splice(0).map((close) => close()))
    await expect(run({ admin: at })).rejects.toMatchObject({ code: 'RUNTIME_FAILED', exitCode: 1 })
    expect(await failure(at)).toBe(
      `no answer from the admin listener at ${at}: connection refused (ECONNREFUSED). Is ftp-alg running, and is this its admin.listen?`,
    )
  })

  test('another web server answers', async () => {
    const missing = await impostor((_request, response) => response.writeHead(404).end('no'))
    expect(await failure(missing)).toMatch(
      /^what answers at 127\.0\.0\.1:\d+ is not the admin listener of ftp-alg: HTTP 404 for \/api\/v1\//,
    )
    const page = await impostor((_request, response) => response.end('<html>'))
    expect(await failure(page)).toMatch(/: no JSON for \/api\/v1\//)
    const json = await impostor((_request, response) => response.end('{}'))
    expect(await failure(json)).toMatch(/: other JSON$/)
  })

  test('another kind of server answers, or none of its bytes ever end', async () => {
    const { createServer: createTcpServer } = await import('node:net')
    const ftp = createTcpServer((socket) => socket.end('220 FTP server ready.\r\n'))
    await new Promise<void>((resolve) => ftp.listen(0, '127.0.0.1', resolve))
    closers.push(() => ftp.close())
    expect(await failure(`127.0.0.1:${(ftp.address() as AddressInfo).port}`)).toMatch(
      /^no answer from the admin/,
    )
    const endless = await impostor((_request, response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    })
    expect(await failure(endless)).toMatch(/: its answer is too long\. Is ftp-alg running/)
  })

  test('one of another version, whose answers lack something, is no crash', async () => {
    const other = await impostor((request, response) => {
      const name = request.url?.split('/').at(-1) ?? ''
      response.end(
        JSON.stringify(
          name === 'status'
            ? { version: '9', listeners: [{}], pools: [], refusals: [], config: {} }
            : { total: 0, [name]: [] },
        ),
      )
    })
    expect(await failure(other)).toMatch(/is not the admin listener of this version of ftp-alg/)
  })
})

describe('where to ask', () => {
  const of = (flags: Readonly<Record<string, unknown>>, environment = {}) =>
    adminAddress({ flags, environment }).text

  test('--admin, then the variable, then the default', () => {
    expect(of({})).toBe('127.0.0.1:9121')
    expect(of({}, { FTP_ALG_ADMIN: '10.0.0.1:99' })).toBe('10.0.0.1:99')
    expect(of({ admin: '10.0.0.2:99' }, { FTP_ALG_ADMIN: '10.0.0.1:99' })).toBe('10.0.0.2:99')
    expect(of({ admin: 'gateway.example.net:9121' })).toBe('gateway.example.net:9121')
  })

  test('what the default file says, unless it is missing or wrong today', () => {
    const defaultFile = join(folder, 'default.yaml')
    const asked = (flags = {}) => adminAddress({ flags, environment: {}, defaultFile }).text
    expect(asked()).toBe('127.0.0.1:9121')
    writeFileSync(defaultFile, 'listeners: [{ upstream: ftp.internal }]\nadmin: { listen: 127.0.0.1:99 }\n')
    expect(asked()).toBe('127.0.0.1:99')
    expect(asked({ admin: '10.0.0.2:99' })).toBe('10.0.0.2:99')
    writeFileSync(defaultFile, 'listeners: [{ upstrem: ftp.internal }]\n')
    expect(asked()).toBe('127.0.0.1:9121')
  })

  test('loopback where the listener takes every address', () => {
    expect(of({ admin: '0.0.0.0:9121' })).toBe('127.0.0.1:9121')
    expect(of({ admin: ':9121' })).toBe('[::1]:9121')
  })

  test('mistakes are named', () => {
    const text = (admin: string) => () => of({ admin })
    expect(text('9121')).toThrow(
      '--admin: has no port (given "9121", allowed HOST:PORT or [IPv6]:PORT, as in 127.0.0.1:9121)',
    )
    expect(text('10.0.0.1:99999')).toThrow(/^--admin: .*given "10\.0\.0\.1:99999"/)
    expect(text('10.0.0.1:0')).toThrow('name the port with --admin ADDR:PORT')
    const file = join(folder, 'off.yaml')
    writeFileSync(file, 'listeners: [{ upstream: ftp.internal }]\nadmin: false\n')
    expect(() => of({ config: file })).toThrow(
      'the configuration switches the admin listener off (admin: false)',
    )
  })
})

describe('tables', () => {
  test('are aligned, figures at the right', () => {
    const columns = [
      { title: 'a', cell: ({ a }: { a: string | null; b: number }) => a },
      { title: 'bb', isFigure: true, cell: ({ b }: { a: string | null; b: number }) => b },
    ]
    expect(
      printTable('T', columns, [
        { a: 'long', b: 1 },
        { a: null, b: 1000 },
      ]),
    ).toEqual(['T', '  A       BB', '  long     1', '  –     1000'])
  })

  test('bars never draw something as nothing, nor all as more than all', () => {
    const bar = (of: number, used: number) => printBar({ of, used }).indexOf('░')
    expect([bar(0, 0), bar(100, 0), bar(1000, 1), bar(100, 50), bar(100, 99)]).toEqual([0, 0, 1, 10, 19])
    expect(printBar({ of: 5, used: 9 })).toBe('█'.repeat(20))
  })
})
