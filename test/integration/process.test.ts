// The daemon as its administrator and its service manager meet it: signals, exit codes, bad files, no descriptors.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { Agent } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, vi } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { Arrivals } from '../support/peers/patience.ts'
import { KiB, payloadSha256 } from '../support/peers/payload.ts'
import { receive, ScriptedClient } from '../support/peers/scripted-client.ts'
import type { Visit } from '../support/peers/scripted-server.ts'
import type { Wire } from '../support/peers/wire.ts'
import { claimPorts } from '../support/port-block.ts'
import { halfwayServer } from './halfway-server.ts'
import { refusesConnections, test } from './lab.ts'
import { nothing } from './proxy-process.ts'

async function closesWith421(client: ScriptedClient): Promise<void> {
  expect((await client.reply()).code).toBe(421)
  expect(await client.wire.ended()).toBe('fin')
  client.close()
}

describe.concurrent('SIGTERM', () => {
  test.for([1, 2])('during the start is heard at its end, with %i worker(s)', async (workers, { lab }) => {
    const upstream = { address: '127.0.0.1', port: 1 }
    const proxy = await lab.launch({ upstream, more: `workers: ${workers}` })
    await proxy.record(workers === 1 ? 'listener.start' : 'worker.start')
    proxy.signal('SIGTERM')
    expect(await proxy.exited()).toBe(0)
    expect(proxy.output).toContain('"event":"process.exit"')
  })

  test.for([1, 2])('ends %i worker(s) even where Node cannot end itself', async (workers, { lab }) => {
    // Node 20 to 26 may wait for ever for its own threads once the last exit listener has run (nodejs/node#54918).
    const preload = "process.on('exit', () => { const end = Date.now() + 15_000; while (Date.now() < end); })"
    const proxy = await lab.process({
      upstream: { address: '127.0.0.1', port: 1 },
      more: `workers: ${workers}`,
      preload,
    })
    proxy.signal('SIGTERM')
    expect(await proxy.exited(10_000)).toBe(0)
    expect(proxy.output).toContain('"event":"process.exit"')
  })

  test('lets fifty transfers finish, says 421 to the idle, refuses the new, and exits with 0', async ({
    lab,
  }) => {
    const { server, goOn, begun } = await halfwayServer(lab)
    const proxy = await lab.process({ upstream: server })
    const size = (index: number) => 300 * KiB + index
    const busy = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const client = await (await lab.client(proxy)).login()
        const data = await client.connectData(await client.passive())
        expect((await client.command(`RETR ${size(index)}`)).code).toBe(150)
        return { client, received: receive(data) }
      }),
    )
    const idle = await Promise.all(Array.from({ length: 10 }, async () => (await lab.client(proxy)).login()))
    await vi.waitFor(() => expect(begun()).toBe(50), { timeout: 20_000 })
    proxy.signal('SIGTERM')
    await Promise.all(idle.map(closesWith421))
    expect(await refusesConnections(proxy)).toBe(true)
    goOn()
    const files = await Promise.all(
      busy.map(async ({ client, received }) => {
        const file = await received
        expect((await client.reply()).code).toBe(226)
        await closesWith421(client)
        return file
      }),
    )
    expect(files).toEqual(
      files.map((_, index) => ({
        byteCount: size(index),
        sha256: payloadSha256(size(index)),
        ending: 'fin',
      })),
    )
    expect(await proxy.exited()).toBe(0)
  })

  test('twice stops at once: exit code 143, and the transfer looks cut off, not complete', async ({
    lab,
  }) => {
    const { server } = await halfwayServer(lab)
    const proxy = await lab.process({ upstream: server })
    const client = await (await lab.client(proxy)).login()
    const data = await client.connectData(await client.passive())
    expect((await client.command('RETR 1000')).code).toBe(150)
    await data.readBytes(500)
    proxy.signal('SIGTERM')
    await proxy.record('process.drain')
    proxy.signal('SIGTERM')
    expect(await data.ended()).toBe('reset')
    expect(await proxy.exited()).toBe(143)
  })

  test('waits no longer than the drain timeout', async ({ lab }) => {
    const { server } = await halfwayServer(lab)
    const proxy = await lab.process({ upstream: server, more: 'shutdown: { drainTimeout: 700ms }' })
    const client = await (await lab.client(proxy)).login()
    const data = await client.connectData(await client.passive())
    expect((await client.command('RETR 1000')).code).toBe(150)
    proxy.signal('SIGTERM')
    expect(await data.ended()).toBe('reset')
    expect(await proxy.exited()).toBe(0)
  })

  for (const [direction, line] of [
    ['download', 'RETR 1000'],
    ['upload', 'STOR file'],
  ] as const) {
    test(`does not wait for the half of a finished ${direction} that a peer leaves open`, async ({ lab }) => {
      const atServer = new Arrivals<Wire>()
      const takeData = async (visit: Visit) => {
        visit.reply('150 Opening.')
        const data = await visit.data()
        if (direction === 'download') data.halfClose()
        else await data.readRest()
        atServer.add(data)
        visit.reply('226 Done.')
      }
      const server = await lab.server(ftpScript({ verbs: { RETR: takeData, STOR: takeData } }))
      const proxy = await lab.process({ upstream: server, more: 'shutdown: { drainTimeout: 60s }' })
      const client = await (await lab.client(proxy)).login()
      const data = await client.connectData(await client.passive())
      expect((await client.command(line)).code).toBe(150)
      if (direction === 'upload') data.halfClose()
      expect((await client.reply()).code).toBe(226)
      const open = direction === 'download' ? data : await atServer.next('the data connection')
      expect(await open.ended()).toBe('fin')
      proxy.signal('SIGTERM')
      await closesWith421(client)
      expect(await proxy.exited(10_000)).toBe(0)
    })
  }

  test('ends sessions whose server has not even greeted', async ({ lab }) => {
    const server = await lab.server(async () => undefined)
    const proxy = await lab.process({ upstream: server })
    const client = await lab.client(proxy)
    await server.nextVisit()
    proxy.signal('SIGTERM')
    await closesWith421(client)
    expect(await proxy.exited()).toBe(0)
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`without any session ends at once: ${signal}`, async ({ lab }) => {
      const proxy = await lab.process({ upstream: await lab.server(ftpScript()) })
      proxy.signal(signal)
      expect(await proxy.exited()).toBe(0)
    })
  }
})

describe.concurrent('SIGHUP', () => {
  test('takes a good file for new sessions, and running ones go on', async ({ lab }) => {
    const [before, after] = [
      await lab.server(ftpScript()),
      await lab.server(ftpScript({ greeting: '220 After.' })),
    ]
    const proxy = await lab.process({ upstream: before })
    const old = await (await lab.client(proxy)).login()
    await proxy.rewrite({
      upstream: after,
      inListener: 'upstreamMode: active',
      more: 'limits: { refusals: 2, sessions: 50 }',
    })
    proxy.signal('SIGHUP')
    await proxy.record('config.reload')
    expect((await proxy.status()).listeners[0]?.sessions_limit).toBe(50)
    const client = await lab.client(proxy)
    expect((await client.reply()).line).toBe('220 After.')
    await client.command('USER joe')
    await client.command('PASS x')
    expect((await client.download('RETR 5')).codes).toEqual([150, 226])
    expect(after.visits[0]?.lines.some((line) => line.startsWith('PORT '))).toBe(true)
    expect((await client.command('PORT 1')).code).toBe(501)
    expect((await client.command('PORT 1')).code).toBe(501)
    await closesWith421(client)
    expect((await old.download('RETR 5')).codes).toEqual([150, 226])
    expect(before.visits[0]?.lines).toContain('PASV')
  })

  test('keeps the old configuration when the file is bad, says where, and counts it', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.process({ upstream: server })
    for (const [index, bad] of ['listeners: [', 'listeners: []\nfrobnicate: 1\n', 'x'].entries()) {
      await proxy.rewrite(bad)
      proxy.signal('SIGHUP')
      const record = await proxy.record('config.refuse', index + 1)
      expect(JSON.stringify(record)).toContain('config.yaml')
    }
    expect((await proxy.status()).config).toMatchObject({ last_reload_successful: false, reloads_refused: 3 })
    await lab.servesNext(proxy)
  })

  test('with another port says that this needs a restart, and goes on at the old one', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.process({ upstream: server })
    const { first } = await lab.ports()
    await proxy.rewrite(
      `listeners:\n  - name: edge\n    listen: 127.0.0.1:${first}\n    upstream: 127.0.0.1:${server.port}\n`,
    )
    proxy.signal('SIGHUP')
    const record = await proxy.record('config.restart_needed')
    expect(record.keys).toContain('listeners[edge].listen')
    await lab.servesNext(proxy)
    expect(await refusesConnections({ address: '127.0.0.1', port: first })).toBe(true)
  })
})

test('SIGHUP with a listener gone from the file says that this needs a restart, and goes on serving there', async ({
  lab,
}) => {
  const server = await lab.server(ftpScript())
  const { first } = await lab.ports()
  const second = { address: '127.0.0.1', port: first }
  const moreListeners = `  - { name: second, listen: "127.0.0.1:${first}", upstream: "127.0.0.1:${server.port}" }`
  const proxy = await lab.process({ upstream: server, moreListeners })
  await lab.servesNext(second)
  await proxy.rewrite({ moreListeners: '' })
  proxy.signal('SIGHUP')
  expect(await proxy.record('config.restart_needed')).toMatchObject({ keys: ['listeners[second]'] })
  await proxy.record('config.reload')
  await lab.servesNext(second)
  await lab.servesNext(proxy)
})

test('SIGUSR1 opens no door to a debugger', async ({ lab }) => {
  const server = await lab.server(ftpScript())
  const proxy = await lab.process({ upstream: server })
  proxy.signal('SIGUSR1')
  await lab.servesNext(proxy)
  expect(proxy.output).not.toContain('Debugger listening')
})

describe.concurrent('a start that fails', () => {
  test('because a port is taken: exit code 1 and nothing is left listening', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const { first, release } = await claimPorts()
    const occupant = createServer()
    await new Promise<void>((resolve) => occupant.listen({ host: '127.0.0.1', port: first }, resolve))
    const proxy = await lab.launch({
      upstream: server,
      moreListeners: `  - { name: second, listen: "127.0.0.1:${first}", upstream: "127.0.0.1:${server.port}" }`,
    })
    expect(await proxy.exited()).toBe(1)
    expect(proxy.output).toContain(`127.0.0.1 port ${first}`)
    expect(proxy.output).toContain('EADDRINUSE')
    expect(await refusesConnections(proxy)).toBe(true)
    occupant.close()
    release()
  })

  test('because the file is wrong: exit code 2, with file, line and what is allowed', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.launch({ upstream: server, more: 'limits: { idle: soon }' })
    expect(await proxy.exited()).toBe(2)
    expect(proxy.output).toMatch(/config\.yaml:7:\d+ limits\.idle: .*given.*soon.*allowed/)
    expect(await refusesConnections(proxy)).toBe(true)
  })
})

test('a server whose name does not resolve costs its clients a 421, not the process its life', async ({
  lab,
}) => {
  const proxy = await lab.process({ upstream: { address: 'nowhere.invalid', port: 21 } })
  await closesWith421(await lab.client(proxy))
  const server = await lab.server(ftpScript())
  await proxy.rewrite({ upstream: server })
  proxy.signal('SIGHUP')
  await proxy.record('config.reload')
  await lab.servesNext(proxy)
})

describe.concurrent('descriptors', () => {
  test('a thousand connects and closes, and fifty transfers, give all of them back', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    // Those that have gone count until they are noticed, on a busy machine some hundred.
    const proxy = await lab.process({ upstream: server, more: 'limits: { sessionsPerClient: 2000 }' })
    await lab.servesNext(proxy)
    await vi.waitFor(async () => expect(await proxy.remains()).toEqual(nothing), { timeout: 20_000 })
    const before = proxy.descriptors
    for (let round = 0; round < 20; round += 1) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => ScriptedClient.connect(proxy)))
      clients.forEach(({ wire }, index) => {
        if (index % 2 === 0) wire.reset()
        else wire.close()
      })
    }
    const workers = await Promise.all(
      Array.from({ length: 50 }, async () => (await lab.client(proxy)).login()),
    )
    await Promise.all(workers.map((client) => client.download('RETR 1000')))
    for (const client of workers) client.close()
    await vi.waitFor(async () => expect(await proxy.remains()).toEqual(nothing), { timeout: 20_000 })
    // The connections of the status page itself come and go.
    await vi.waitFor(() => expect(proxy.descriptors ?? 0).toBeLessThanOrEqual((before ?? 0) + 2), {
      timeout: 20_000,
    })
  })

  test('that are too few for limits.sessions: those who are too many hear 421 at once', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.process({ upstream: server, maxDescriptors: 150 })
    const { sessions_allowed: allowed } = await proxy.record('descriptors.low')
    expect(allowed).toBe(28)
    const crowd = await Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        ScriptedClient.connect(proxy, { from: `127.0.2.${1 + (index % 100)}` }),
      ),
    )
    // None of them waits for another to go.
    const codes = await Promise.all(crowd.map(async (client) => (await client.reply()).code))
    expect(codes.filter((code) => code === 220)).toHaveLength(28)
    expect(codes.filter((code) => code === 421)).toHaveLength(372)
    const { listeners } = await proxy.status()
    expect(listeners).toMatchObject([
      { sessions_limit: 28, sessions_active: 28, sessions_rejected_total: 372 },
    ])
    // Half of those inside may transfer at a time.
    const inside = crowd.filter((_, index) => codes[index] === 220).slice(0, 14)
    for (const client of inside) {
      expect((await client.command('USER joe')).code).toBe(331)
      expect((await client.command('PASS x')).code).toBe(230)
    }
    const transfers = await Promise.all(inside.map((client) => client.download('RETR 1000')))
    expect(transfers.map(({ codes: [, last] }) => last)).toEqual(inside.map(() => 226))
    expect(proxy.records.filter(({ event }) => event === 'listener.error')).toEqual([])
    for (const client of crowd) client.close()
    await vi.waitFor(() => lab.servesNext(proxy), { timeout: 30_000, interval: 200 })
  })

  test('none left: the process lives, and serves again when there are some', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const proxy = await lab.process({ upstream: server, maxDescriptors: 1000 })
    await lab.servesNext(proxy)
    // Fewer than it was promised when it counted them.
    execFileSync('prlimit', ['--pid', String(proxy.pid), '--nofile=150'])
    const crowd: ScriptedClient[] = []
    for (let count = 0; count < 200; count += 1) {
      const from = `127.0.2.${1 + (count % 50)}`
      crowd.push(await ScriptedClient.connect(proxy, { from }))
    }
    await proxy.record('listener.error')
    // Whoever was served may ask for data ports, too.
    const busy = await Promise.allSettled(
      crowd.slice(0, 20).map(async (client) => {
        await client.reply()
        void client.send('USER joe')
        await client.reply()
        void client.send('PASS x')
        await client.reply()
        return client.command('PASV')
      }),
    )
    expect(busy).toHaveLength(20)
    for (const client of crowd) client.close()
    await vi.waitFor(() => lab.servesNext(proxy), { timeout: 30_000, interval: 200 })
    expect(proxy.records.filter(({ event }) => event === 'session.fail')).toEqual([])
    proxy.signal('SIGTERM')
    expect(await proxy.exited()).toBe(0)
  })
})

describe.concurrent('a listener that cannot accept', () => {
  test.for([1, 2])(
    'is said by readiness, log and status, of %i worker(s)',
    async (workers, { lab, onTestFinished }) => {
      const server = await lab.server(ftpScript())
      const proxy = await lab.process({ upstream: server, more: `workers: ${workers}` })
      await lab.servesNext(proxy)
      const admin = new Agent({ keepAlive: true, maxSockets: 1 })
      onTestFinished(() => admin.destroy())
      // Over the connection that stands: the process has no descriptor for another.
      const ask = (path: string) => proxy.askOver(admin, path)
      expect(await ask('/readyz')).toEqual({ status: 200, text: 'ready\n' })
      const started = proxy.records.filter(({ event }) => event === 'worker.start')
      const accepting = workers === 1 ? [proxy.pid] : started.map(({ pid }) => Number(pid))
      const limit = (pid: number, descriptors: number) =>
        execFileSync('prlimit', ['--pid', String(pid), `--nofile=${descriptors}:`])
      for (const pid of accepting) limit(pid, 10)
      const waiting = await lab.client(proxy)
      await proxy.record('listener.error', workers)
      await vi.waitFor(async () =>
        expect(await ask('/readyz')).toEqual({
          status: 503,
          text: 'not ready: cannot accept connections for now: edge (log event listener.error)\n',
        }),
      )
      const status: unknown = JSON.parse((await ask('/api/v1/status')).text)
      expect(status).toMatchObject({ ready: false, listeners: [{ listener: 'edge', up: false }] })
      expect((await ask('/')).text).toContain('Listener edge is not up.')
      for (const pid of accepting) limit(pid, 1000)
      await waiting.login()
      await proxy.record('listener.recover', workers)
      await vi.waitFor(async () => expect((await ask('/readyz')).status).toBe(200))
      waiting.close()
    },
  )
})

test('SIGTERM ends a process whose log pipe nobody reads any more', async ({ onTestFinished }) => {
  const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-stuck-'))
  const ports = await claimPorts()
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const filler = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
  expect(() => {
    for (;;) writeSync(filler, '#'.repeat(4096))
  }).toThrow('EAGAIN')
  // As a shell hands it on: writing waits for the reader.
  const output = openSync(pipe, 'w')
  const file = join(folder, 'config.yaml')
  const admin = `127.0.0.1:${ports.last - 1}`
  writeFileSync(
    file,
    `listeners: [{ name: edge, listen: '127.0.0.1:${ports.last}', upstream: '127.0.0.1:1' }]
dataPorts: ${ports.first}-${ports.last - 2}
admin: { listen: '${admin}' }
`,
  )
  const main = new URL('../../dist/main.js', import.meta.url).pathname
  const child = spawn(process.execPath, [main, 'run', '--config', file], {
    stdio: ['ignore', output, 'ignore'],
  })
  const exit = once(child, 'exit')
  onTestFinished(() => {
    child.kill('SIGKILL')
    for (const fd of [reader, filler, output]) closeSync(fd)
    ports.release()
    rmSync(folder, { recursive: true })
  })
  const isReady = () => fetch(`http://${admin}/readyz`).then(({ status }) => status, String)
  await vi.waitFor(async () => expect(await isReady()).toBe(200), 30_000)
  child.kill('SIGTERM')
  expect(await exit).toEqual([0, null])
})
