// Routes of a listener, by client, TLS name, HOST and user, with real sessions: each goes to the server that is meant for it,
// which hears of it what it needs to.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, describe, expect } from 'vitest'
import { issueCertificate } from '../support/certificates.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { within } from '../support/peers/patience.ts'
import type { ScriptedServer } from '../support/peers/scripted-server.ts'
import { Wire } from '../support/peers/wire.ts'
import { type Lab, test } from './lab.ts'

const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-routes-'))
chmodSync(folder, 0o700)
const issued = issueCertificate({ name: 'a.example.net', names: ['a.example.net', 'b.example.net'] })
writeFileSync(join(folder, 'a.crt'), issued.certificate)
writeFileSync(join(folder, 'a.key'), issued.key)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const tls = (mode: string) =>
  `tls: { mode: ${mode}, certificates: [{ certificate: ${folder}/a.crt, key: ${folder}/a.key }] }`

/** What each server was told of HOST and USER. */
const told = new WeakMap<ScriptedServer, string[]>()

/** A server that says who it is, and takes any HOST. */
async function named(lab: Lab, name: string): Promise<ScriptedServer> {
  const lines: string[] = []
  const server = await lab.server(
    ftpScript({
      greeting: `220 ${name}`,
      verbs: {
        USER: (visit, { argument }) => {
          lines.push(`USER ${argument}`)
          visit.reply(`331 ${name} wants the password of ${argument}.`)
        },
        HOST: (visit, { argument }) => {
          lines.push(`HOST ${argument}`)
          visit.reply('220 Host accepted.')
        },
        FEAT: (visit) => visit.reply('211-Features:\r\n MDTM\r\n211 End'),
      },
    }),
  )
  told.set(server, lines)
  return server
}

interface Plan {
  readonly routes: (at: (server: ScriptedServer) => string) => string
  readonly inListener?: string
  readonly hasDefault?: boolean
}

async function routed(
  lab: Lab,
  servers: readonly ScriptedServer[],
  { routes, inListener = '', hasDefault = true }: Plan,
) {
  const at = ({ address, port }: ScriptedServer) => `'${address}:${port}'`
  const [first] = servers
  if (first === undefined) throw new Error('no servers')
  return lab.process({
    upstream: hasDefault ? first : '',
    inListener: `routes: [${routes(at)}]\n${inListener}`,
    more: 'log: { level: debug }',
  })
}

async function secured(wire: Wire, servername: string): Promise<Wire> {
  wire.socket.removeAllListeners('data')
  const socket = connect({ socket: wire.socket, servername, rejectUnauthorized: false })
  const done = new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  socket.pause()
  await within(done, { what: 'the handshake' })
  return new Wire(socket)
}

describe.concurrent('a session goes', () => {
  test('by its user, with files in both directions, and the log names the route', async ({ lab }) => {
    const [inner, partners] = await Promise.all([named(lab, 'inner'), named(lab, 'partners')])
    const proxy = await routed(lab, [inner, partners], {
      routes: (at) => `{ name: partners, user: 'partner-*', upstream: ${at(partners)} }`,
    })
    const client = await lab.client(proxy)
    expect((await client.reply()).line).toBe('220 Ready.')
    expect((await client.command('USER partner-7')).line).toBe(
      '331 partners wants the password of partner-7.',
    )
    expect((await client.command('PASS secret')).code).toBe(230)
    expect((await client.command('FEAT')).text).toBe('211-Features:\r\n MDTM\r\n211 End\r\n')
    const { data, codes } = await client.download('RETR 70000')
    expect({ codes, bytes: data.byteCount }).toEqual({ codes: [150, 226], bytes: 70_000 })
    expect(await proxy.record('upstream.connect')).toMatchObject({
      route: 'partners',
      server_port: partners.port,
    })

    const other = await lab.client(proxy)
    await other.reply()
    expect((await other.command('USER joe')).line).toBe('331 inner wants the password of joe.')
    await other.send('QUIT')
    expect(await proxy.record('session.close')).toMatchObject({ route: 'default', server_port: inner.port })
  })

  test('by a user name of 4 kB, and in one segment with its password', async ({ lab }) => {
    const [inner, long] = await Promise.all([named(lab, 'inner'), named(lab, 'long')])
    const proxy = await routed(lab, [inner, long], {
      routes: (at) => `{ user: '*x*y*', upstream: ${at(long)} }`,
    })
    const client = await lab.client(proxy)
    await client.reply()
    const user = `${'x'.repeat(4_000)}y`
    await client.wire.send(`USER ${user}\r\nPASS secret\r\n`)
    expect((await client.reply()).line).toBe(`331 long wants the password of ${user}.`)
    expect((await client.reply()).code).toBe(230)
  })

  test('by its address, greeted by the server itself', async ({ lab }) => {
    const [inner, lan] = await Promise.all([named(lab, 'inner'), named(lab, 'lan')])
    const proxy = await routed(lab, [inner, lan], {
      routes: (at) => `{ clients: [127.0.0.20/32], upstream: ${at(lan)} }`,
    })
    expect((await (await lab.client(proxy, '127.0.0.20')).reply()).line).toBe('220 lan')
    expect((await (await lab.client(proxy, '127.0.0.21')).reply()).line).toBe('220 inner')
  })

  test('by HOST, which its server hears too; a host of no route is refused', async ({ lab }) => {
    const [a, b] = await Promise.all([named(lab, 'a'), named(lab, 'b')])
    const proxy = await routed(lab, [a, b], {
      routes: (at) =>
        `{ host: a.example.net, upstream: ${at(a)} }, { host: '*.example.net', upstream: ${at(b)} }`,
      hasDefault: false,
    })
    const client = await lab.client(proxy)
    await client.reply()
    expect((await client.command('USER joe')).line).toBe('530 There is no server for you here.')
    expect((await client.command('HOST example.org')).code).toBe(504)
    expect((await client.command('HOST other.example.net')).code).toBe(220)
    expect((await client.command('USER joe')).line).toBe('331 b wants the password of joe.')
    expect(told.get(b)).toEqual(['HOST other.example.net', 'USER joe'])
    expect(told.get(a)).toEqual([])
  })

  test('by the name of its TLS, implicit and explicit, and not against HOST', async ({ lab }) => {
    const [a, b] = await Promise.all([named(lab, 'a'), named(lab, 'b')])
    const routes: Plan['routes'] = (at) =>
      `{ serverName: a.example.net, upstream: ${at(a)} }, { serverName: b.example.net, upstream: ${at(b)} }`
    const [implicit, explicit] = await Promise.all([
      routed(lab, [a, b], { routes, inListener: tls('implicit'), hasDefault: false }),
      routed(lab, [a, b], { routes, inListener: tls('required'), hasDefault: false }),
    ])
    const early = await secured(await lab.wire(implicit), 'b.example.net')
    expect((await early.readReply()).line).toBe('220 b')
    early.close()

    const wire = await lab.wire(explicit)
    expect((await wire.readReply()).line).toBe('220 Ready.')
    await wire.send('AUTH TLS\r\n')
    expect((await wire.readReply()).code).toBe(234)
    const late = await secured(wire, 'a.example.net')
    await late.send('HOST b.example.net\r\n')
    expect((await late.readReply()).code).toBe(504)
    await late.send('USER joe\r\n')
    expect((await late.readReply()).line).toBe('331 a wants the password of joe.')
    late.close()
  })
})

describe.concurrent('a client', () => {
  test('without a route is sent away at its arrival, and costs no server a connection', async ({ lab }) => {
    const server = await named(lab, 'a')
    const proxy = await routed(lab, [server], {
      routes: (at) => `{ clients: [127.0.0.99/32], upstream: ${at(server)} }`,
      hasDefault: false,
    })
    const client = await lab.client(proxy)
    expect((await client.reply()).line).toBe('421 There is no server for you here.')
    expect(await proxy.record('command.deny')).toMatchObject({ reason: 'no_route' })
    expect(server.visits).toEqual([])
  })

  test('whose server is down hears it after USER, and one whose pool has another gets that', async ({
    lab,
  }) => {
    const good = await named(lab, 'good')
    const proxy = await lab.process({
      upstream: '127.0.0.1:1',
      inListener: "routes: [{ user: 'p*', upstream: partners }]",
      more: `upstreams: [{ name: partners, servers: [{ address: '127.0.0.1:1' }, { address: '127.0.0.1:${good.port}' }], balance: first, health: false }]`,
    })
    const unlucky = await lab.client(proxy)
    await unlucky.reply()
    expect((await unlucky.command('USER joe')).line).toBe(
      '421 The FTP server cannot be reached, try again later.',
    )
    const lucky = await lab.client(proxy)
    await lucky.reply()
    expect((await lucky.command('USER p1')).line).toBe('331 good wants the password of p1.')
  })

  test('keeps its server after a reload that changes the routes', async ({ lab }) => {
    const [a, b] = await Promise.all([named(lab, 'a'), named(lab, 'b')])
    const routesTo = (server: ScriptedServer) =>
      `routes: [{ user: joe, upstream: '127.0.0.1:${server.port}' }]`
    const proxy = await lab.process({ upstream: b, inListener: routesTo(a) })
    const before = await (await lab.client(proxy)).login()
    await proxy.rewrite({ inListener: routesTo(b) })
    proxy.signal('SIGHUP')
    await proxy.record('config.reload')
    const after = await lab.client(proxy)
    await after.reply()
    expect((await after.command('USER joe')).line).toBe('331 b wants the password of joe.')
    expect((await before.command('NOOP')).code).toBe(200)
    expect((await before.command('USER joe')).line).toBe('331 a wants the password of joe.')
  })
})
