// `run --workers 2`: who serves whom, how both start, reload and end, and what one sees of that from outside.

import { createServer } from 'node:net'
import { describe, expect, vi } from 'vitest'
import type { PinholeView, SessionView } from '../../src/observe/view/shapes.ts'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { receive } from '../support/peers/scripted-client.ts'
import type { Collected } from '../support/peers/wire.ts'
import { claimPorts } from '../support/port-block.ts'
import { halfwayServer } from './halfway-server.ts'
import { comesToRefuse, refusesConnections, test } from './lab.ts'
import { nothing, type ProxyProcess } from './proxy-process.ts'
import {
  becomesReady,
  countersOf,
  fallen,
  killWorker,
  oneAtEach,
  pidOf,
  readyz,
  servesAtBoth,
  startPair,
  workerOf,
} from './worker-pair.ts'

async function endOf(pid: number): Promise<void> {
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), { timeout: 30_000 })
}

async function listed<Item>(proxy: ProxyProcess, name: 'sessions' | 'pinholes'): Promise<Item[]> {
  const answer = (await (await proxy.ask(`/api/v1/${name}`)).json()) as Record<string, Item[]> // as the API promises
  return answer[name] ?? []
}

describe('two workers', () => {
  test('both serve, and the admin listener shows them as one', async ({ lab }) => {
    const proxy = await startPair(lab, { upstream: await lab.server(ftpScript()) })
    expect(await readyz(proxy)).toBe(200)
    const served = await oneAtEach(lab, proxy)
    await expect
      .poll(() => proxy.remains())
      .toEqual({ sessions: 2, dataConnections: 0, pinholes: 2, ports: 2 })
    expect(await listed<SessionView>(proxy, 'sessions')).toHaveLength(2)
    const pinholes = await listed<PinholeView>(proxy, 'pinholes')
    expect(pinholes.map(({ announced_port }) => announced_port).sort()).toEqual(
      served.map(({ pinhole }) => pinhole.port).sort(),
    )
    const { pid, pools, listeners } = await proxy.status()
    expect(pid).toBe(proxy.pid)
    expect(pools).toMatchObject([{ pool: 'shared', ports: proxy.dataPorts.last - proxy.dataPorts.first + 1 }])
    expect(listeners).toMatchObject([{ up: true, port: proxy.port, sessions_limit: 10_000 }])
    for (const { client } of served) client.close()
    await expect.poll(() => proxy.remains()).toEqual(nothing)
  })

  test('share the session limit: nobody is turned away while there is room, wherever it is', async ({
    lab,
  }) => {
    const upstream = await lab.server(ftpScript())
    const proxy = await startPair(lab, { upstream, more: 'limits: { sessions: 20 }' })
    const sessions = async () => (await proxy.status()).listeners[0]?.sessions_active
    // One after another most of them come to one worker.
    for (let count = 1; count <= 20; count += 1) {
      await (await lab.client(proxy)).login()
      await expect.poll(sessions).toBe(count)
    }
    for (let count = 0; count < 10; count += 1) {
      const refused = await lab.client(proxy)
      expect(await refused.wire.readRest()).toMatch(/^421 Too many sessions, [^\r]*\r\n$/)
    }
    expect(await sessions()).toBe(20)
  })

  test('stop when their supervisor is killed, and leave no port behind', async ({ lab }) => {
    const proxy = await startPair(lab, { upstream: await lab.server(ftpScript()) })
    const served = await oneAtEach(lab, proxy)
    const pids = [await pidOf(proxy, 0), await pidOf(proxy, 1)]
    proxy.signal('SIGKILL')
    for (const { client } of served) expect(await client.wire.ended()).not.toBe('closed')
    for (const pid of pids) await endOf(pid)
    await comesToRefuse(proxy)
    for (const { pinhole } of served) expect(await refusesConnections(pinhole)).toBe(true)
  })
})

describe('SIGHUP', () => {
  test('with a good file reaches both workers, counts once, and running sessions go on', async ({ lab }) => {
    const [before, after] = [
      await lab.server(ftpScript()),
      await lab.server(ftpScript({ greeting: '220 After.' })),
    ]
    const proxy = await startPair(lab, { upstream: before })
    const old = await oneAtEach(lab, proxy)
    await proxy.rewrite({ upstream: after, more: 'workers: 2\nlimits: { refusals: 1, sessions: 50 }' })
    proxy.signal('SIGHUP')
    await proxy.record('config.reload')
    for (const { client } of await oneAtEach(lab, proxy)) {
      expect((await client.command('PORT 1')).code).toBe(501)
      expect((await client.reply()).code).toBe(421)
    }
    expect(after.visits.length).toBeGreaterThanOrEqual(2)
    for (const { client } of old) expect((await client.command('NOOP')).code).toBe(200)
    expect((await proxy.status()).listeners[0]?.sessions_limit).toBe(50)
    const counters = await countersOf(proxy)
    expect(counters.get('ftp_alg_config_reloads_total{result="accepted"}')).toBe(1)
    expect((await proxy.status()).config).toMatchObject({ last_reload_successful: true, reloads_accepted: 1 })
  })

  test('with a bad file changes nothing, even for a worker that starts afterwards', async ({ lab }) => {
    const proxy = await startPair(lab, { upstream: await lab.server(ftpScript()) })
    await proxy.rewrite('listeners: [')
    proxy.signal('SIGHUP')
    await proxy.record('config.refuse')
    const counters = await countersOf(proxy)
    expect(counters.get('ftp_alg_config_reloads_total{result="refused"}')).toBe(1)
    expect(await (await proxy.ask('/metrics')).text()).toContain(
      '\nftp_alg_config_last_reload_successful 0\n',
    )
    await killWorker(proxy, 0)
    await pidOf(proxy, 0, 2)
    await becomesReady(proxy)
    await servesAtBoth(lab, proxy)
  })

  test('with other ports waits for a restart, for a worker that starts afterwards too', async ({ lab }) => {
    const proxy = await startPair(lab, { upstream: await lab.server(ftpScript()) })
    await proxy.rewrite({ more: `workers: 3\npinholes: { timeout: 31s }` })
    proxy.signal('SIGHUP')
    expect(await proxy.record('config.restart_needed')).toMatchObject({ keys: ['workers'] })
    await proxy.record('config.reload')
    await killWorker(proxy, 1)
    await pidOf(proxy, 1, 2)
    // Slices of a third would not be found among halves.
    for (let round = 0; round < 5; round += 1) {
      for (const { client, pinhole, worker } of await oneAtEach(lab, proxy)) {
        expect(workerOf(proxy, pinhole.port)).toBe(worker)
        client.close()
      }
    }
  })
})

describe('SIGTERM', () => {
  test('lets the transfers of both workers finish, counts on, and exits with 0', async ({ lab }) => {
    const { server, goOn, begun } = await halfwayServer(lab)
    const proxy = await startPair(lab, { upstream: server })
    const served = await oneAtEach(lab, proxy)
    const [, idle] = await oneAtEach(lab, proxy)
    const files: Promise<Collected>[] = []
    for (const { client, pinhole } of served) {
      files.push(receive(await client.connectData(pinhole)))
      expect((await client.command('RETR 300000')).code).toBe(150)
    }
    await expect.poll(begun).toBe(2)
    const before = await countersOf(proxy)
    proxy.signal('SIGTERM')
    expect((await idle.client.reply()).code).toBe(421)
    await comesToRefuse(proxy)
    expect(await readyz(proxy)).toBe(503)
    expect(await (await proxy.ask('/readyz')).text()).toContain('draining')
    expect(fallen(before, await countersOf(proxy))).toEqual([])
    goOn()
    for (const file of files) {
      expect(await file).toMatchObject({ sha256: payloadSha256(300_000), ending: 'fin' })
    }
    for (const { client } of served) {
      expect((await client.reply()).code).toBe(226)
      expect((await client.reply()).code).toBe(421)
    }
    expect(await proxy.exited()).toBe(0)
  })

  test('keeps what a worker counted that has drained before the other', async ({ lab }) => {
    const { server, goOn } = await halfwayServer(lab)
    const proxy = await startPair(lab, { upstream: server })
    const [busy, idle] = await oneAtEach(lab, proxy)
    const received = receive(await busy.client.connectData(busy.pinhole))
    expect((await busy.client.command('RETR 1000')).code).toBe(150)
    const before = await countersOf(proxy)
    const pid = await pidOf(proxy, idle.worker)
    proxy.signal('SIGTERM')
    expect((await idle.client.reply()).code).toBe(421)
    idle.client.close()
    await endOf(pid)
    const drained = 'ftp_alg_sessions_closed_total{listener="edge",reason="drain"}'
    // It happened after anybody looked: the worker's last words.
    await expect.poll(async () => (await countersOf(proxy)).get(drained)).toBeGreaterThan(0)
    expect(fallen(before, await countersOf(proxy))).toEqual([])
    goOn()
    expect(await received).toMatchObject({ byteCount: 1000, ending: 'fin' })
    expect(await proxy.exited()).toBe(0)
  })

  test('twice stops both at once: exit code 143', async ({ lab }) => {
    const { server } = await halfwayServer(lab)
    const proxy = await startPair(lab, { upstream: server })
    const served = await oneAtEach(lab, proxy)
    const transfers = []
    for (const { client, pinhole } of served) {
      const data = await client.connectData(pinhole)
      expect((await client.command('RETR 1000')).code).toBe(150)
      await data.readBytes(500)
      transfers.push(data)
    }
    proxy.signal('SIGTERM')
    await proxy.record('process.drain')
    proxy.signal('SIGTERM')
    for (const data of transfers) expect(await data.ended()).toBe('reset')
    expect(await proxy.exited()).toBe(143)
  })
})

describe('a start that fails', () => {
  test('because a port is taken: exit code 1, said once, and no worker is left', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const { first, release } = await claimPorts()
    const occupant = createServer()
    await new Promise<void>((resolve) => occupant.listen({ host: '127.0.0.1', port: first }, resolve))
    const proxy = await lab.launch({
      upstream: server,
      more: 'workers: 2',
      moreListeners: `  - { name: second, listen: "127.0.0.1:${first}", upstream: "127.0.0.1:${server.port}" }`,
    })
    expect(await proxy.exited()).toBe(1)
    expect(proxy.records.filter(({ event }) => event === 'process.fail')).toMatchObject([
      { code: 'LISTEN_FAILED', listener: 'second', port: first, errno: 'EADDRINUSE' },
    ])
    expect(proxy.output).toMatch(
      /^ftp-alg: cannot listen on 127\.0\.0\.1 port \d+: .*\(EADDRINUSE\), by .* \(process \d+\)$/m,
    )
    expect(await refusesConnections(proxy)).toBe(true)
    occupant.close()
    release()
  })

  test('because the admin port is taken: exit code 1, and no worker is left', async ({ lab }) => {
    const server = await lab.server(ftpScript())
    const occupied = await lab.bystander('127.0.0.1')
    const proxy = await lab.launch({
      upstream: server,
      more: 'workers: 2',
      adminPort: occupied.port,
    })
    expect(await proxy.exited()).toBe(1)
    expect(proxy.output).toContain(`cannot listen for admin on 127.0.0.1 port ${occupied.port}`)
    expect(await refusesConnections(proxy)).toBe(true)
  })
})
