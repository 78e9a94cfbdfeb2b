// A worker that the kernel kills: what the others, their clients and the operator notice.

import { describe, expect } from 'vitest'
import { ftpScript } from '../support/peers/ftp-script.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { receive } from '../support/peers/scripted-client.ts'
import { halfwayServer } from './halfway-server.ts'
import { comesToRefuse, test } from './lab.ts'
import type { LogRecord } from './proxy-under-test.ts'
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
} from './worker-pair.ts'

describe('a worker that is killed', () => {
  test('is replaced, and the transfers of the other go on', async ({ lab }) => {
    const { server, goOn } = await halfwayServer(lab)
    const proxy = await startPair(lab, { upstream: server })
    const [victim, other] = await oneAtEach(lab, proxy)
    const data = await other.client.connectData(other.pinhole)
    const received = receive(data)
    expect((await other.client.command('RETR 100000')).code).toBe(150)
    await killWorker(proxy, victim.worker)
    expect(await victim.client.wire.ended()).toMatch(/fin|reset/)
    await comesToRefuse(victim.pinhole)
    expect(await proxy.record('worker.exit')).toMatchObject({
      level: 'error',
      worker: victim.worker,
      how: 'SIGKILL',
      retry_ms: 0,
    })
    expect((await proxy.ask('/livez')).status).toBe(200)
    goOn()
    expect(await received).toMatchObject({ sha256: payloadSha256(100_000), ending: 'fin' })
    expect((await other.client.reply()).code).toBe(226)
    await becomesReady(proxy)
    expect(await pidOf(proxy, victim.worker, 2)).not.toBe(await pidOf(proxy, victim.worker))
    await servesAtBoth(lab, proxy)
  })

  test('takes nothing away from what was counted', async ({ lab }) => {
    const proxy = await startPair(lab, { upstream: await lab.server(ftpScript()) })
    await servesAtBoth(lab, proxy)
    const served = await oneAtEach(lab, proxy)
    let seen = await countersOf(proxy)
    expect(seen.get('ftp_alg_data_bytes_total{listener="edge",direction="download",path="relay"}')).toBe(1554)
    const losses: string[] = []
    const look = async () => {
      const now = await countersOf(proxy)
      losses.push(...fallen(seen, now))
      seen = now
    }
    await killWorker(proxy, 0)
    await proxy.record('worker.exit')
    const isReadyAgain = async () => {
      await look()
      return readyz(proxy)
    }
    await expect.poll(isReadyAgain, { timeout: 30_000 }).toBe(200)
    await look()
    expect((await proxy.status()).listeners).toMatchObject([
      { up: true, sessions_active: 1, pinholes_active: 1, download_bytes: 1554 },
    ])
    // Nobody is left who counts.
    await killWorker(proxy, 0, 2)
    await killWorker(proxy, 1)
    await proxy.record('worker.exit', 3)
    await look()
    expect(losses).toEqual([])
    expect(seen.get('ftp_alg_sessions_total{listener="edge"}')).toBeGreaterThanOrEqual(4)
    await expect.poll(async () => (await countersOf(proxy)).get('ftp_alg_worker_deaths_total')).toBe(3)
    for (const { client } of served) client.close()
  })

  test('again and again is replaced without hurry; meanwhile readiness says so', async ({ lab }) => {
    const proxy = await startPair(lab, { upstream: await lab.server(ftpScript()) })
    const ms = (record: LogRecord) => Date.parse(String(record.time))
    for (const [index, retry_ms] of [0, 1000, 2000].entries()) {
      const nth = index + 1
      await killWorker(proxy, 1, nth)
      const death = await proxy.record('worker.exit', nth)
      expect(death.retry_ms).toBe(retry_ms)
      // Only the longest pause is sure to be seen.
      if (retry_ms === 2000) {
        const answer = await proxy.ask('/readyz')
        expect([answer.status, await answer.text()]).toEqual([503, expect.stringMatching(/do not run: 1\n$/)])
        expect((await proxy.ask('/livez')).status).toBe(200)
      }
      // The first two starts are those of the pair.
      const start = await proxy.record('worker.start', nth + 2)
      expect(ms(start) - ms(death)).toBeGreaterThanOrEqual(retry_ms)
    }
    await becomesReady(proxy)
    await servesAtBoth(lab, proxy)
  })

  test('while the service ends is not replaced', async ({ lab }) => {
    const { server } = await halfwayServer(lab)
    const proxy = await startPair(lab, { upstream: server, more: 'shutdown: { drainTimeout: 15s }' })
    const [victim, other] = await oneAtEach(lab, proxy)
    const data = await other.client.connectData(other.pinhole)
    expect((await other.client.command('RETR 1000')).code).toBe(150)
    proxy.signal('SIGTERM')
    await proxy.record('drain.start', 2)
    await killWorker(proxy, other.worker)
    expect(await data.ended()).toMatch(/fin|reset/)
    expect((await victim.client.reply()).code).toBe(421)
    victim.client.close()
    expect(await proxy.exited()).toBe(0)
    expect(proxy.records.filter(({ event }) => event === 'worker.exit')).toEqual([])
  })
})

test('a worker that hangs is killed and replaced, and the other takes the clients meanwhile', async ({
  lab,
}) => {
  const proxy = await startPair(lab, { upstream: await lab.server(ftpScript()) })
  const [victim, other] = await oneAtEach(lab, proxy)
  const pid = await pidOf(proxy, victim.worker)
  process.kill(pid, 'SIGSTOP')
  for (let count = 0; count < 10; count += 1) await (await lab.client(proxy)).login()
  expect(await proxy.record('worker.hang')).toMatchObject({ worker: victim.worker, pid, silence_ms: 10_000 })
  expect(await proxy.record('worker.exit')).toMatchObject({ worker: victim.worker, how: 'SIGKILL' })
  expect(await victim.client.wire.ended()).toMatch(/fin|reset/)
  expect((await other.client.command('NOOP')).code).toBe(200)
  await becomesReady(proxy)
  await servesAtBoth(lab, proxy)
})

test('a worker that hangs takes nothing away either, and does not keep the other from being seen', async ({
  lab,
}) => {
  const proxy = await startPair(lab, { upstream: await lab.server(ftpScript()) })
  await servesAtBoth(lab, proxy)
  const before = await countersOf(proxy)
  const pid = await pidOf(proxy, 0)
  process.kill(pid, 'SIGSTOP')
  try {
    const { listeners } = await proxy.status()
    expect(listeners).toMatchObject([{ up: true, download_bytes: 1554 }])
    expect(fallen(before, await countersOf(proxy))).toEqual([])
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await servesAtBoth(lab, proxy)
})
