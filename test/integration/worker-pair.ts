// A supervisor with two workers, and which of them is whose: each announces ports of its own half of the range.

import { expect, vi } from 'vitest'
import { cutSlice, rangeHasPort } from '../../src/config/port-range.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { receive, type ScriptedClient } from '../support/peers/scripted-client.ts'
import type { Endpoint } from '../support/peers/scripted-server.ts'
import type { Lab } from './lab.ts'
import type { ProcessPlan, ProxyProcess } from './proxy-process.ts'

/** A client that is logged in and has an open pinhole, with the worker that serves it. */
export interface Served {
  readonly client: ScriptedClient
  readonly worker: number
  /** Where it may come through. */
  readonly pinhole: Endpoint
}

export function startPair(lab: Lab, plan: ProcessPlan): Promise<ProxyProcess> {
  return lab.process({ ...plan, more: `workers: 2\n${plan.more ?? ''}` })
}

/** One client at each of the two workers; the kernel decides, so some more may have come. */
export async function oneAtEach(lab: Lab, proxy: ProxyProcess): Promise<readonly [Served, Served]> {
  const served: Served[] = []
  for (let attempt = 0; attempt < 100; attempt += 1) {
    served.push(...(await Promise.all([serve(lab, proxy), serve(lab, proxy), serve(lab, proxy)])))
    const [first, second] = [0, 1].map((index) => served.find(({ worker }) => worker === index))
    if (first === undefined || second === undefined) continue
    for (const other of served) if (other !== first && other !== second) other.client.close()
    return [first, second]
  }
  throw new Error(`all ${served.length} clients came to one worker`)
}

async function serve(lab: Lab, proxy: ProxyProcess): Promise<Served> {
  const client = await (await lab.client(proxy)).login()
  const pinhole = await client.passive()
  return { client, pinhole, worker: workerOf(proxy, pinhole.port) }
}

/** Which of the two workers has this data port; throws when none has. */
export function workerOf(proxy: ProxyProcess, port: number): number {
  const worker = [0, 1].find((index) => {
    const slice = cutSlice(proxy.dataPorts, { index, of: 2 })
    return slice !== null && rangeHasPort(slice, port)
  })
  if (worker === undefined) throw new Error(`port ${port} is in nobody's slice`)
  return worker
}

/** The `nth` process in this place. */
export async function pidOf(proxy: ProxyProcess, worker: number, nth = 1): Promise<number> {
  return vi.waitFor(
    () => {
      const starts = proxy.records.filter((record) => record.event === 'worker.start')
      const pid = starts.filter((record) => record.worker === worker)[nth - 1]?.pid
      if (typeof pid !== 'number') throw new Error(`worker ${worker} was not started ${nth} times`)
      return pid
    },
    { timeout: 30_000 },
  )
}

/** Kills it as the kernel does when memory is short. */
export async function killWorker(proxy: ProxyProcess, worker: number, nth = 1): Promise<void> {
  process.kill(await pidOf(proxy, worker, nth), 'SIGKILL')
}

/** Every series of a counter or histogram that `/metrics` shows now. */
export async function countersOf(proxy: ProxyProcess): Promise<ReadonlyMap<string, number>> {
  const text = await (await proxy.ask('/metrics')).text()
  const counters = new Map<string, number>()
  let isCounter = false
  for (const line of text.split('\n')) {
    const [, type] = /^# TYPE \S+ (\w+)$/.exec(line) ?? []
    if (type !== undefined) isCounter = type === 'counter' || type === 'histogram'
    const space = line.lastIndexOf(' ')
    if (isCounter && !line.startsWith('#')) counters.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return counters
}

/** What became less, or is not there any more: `'ftp_alg_sessions_total{listener="edge"}: 5, then 3'`. */
export function fallen(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...before]
    .filter(([series, value]) => !((after.get(series) ?? Number.NaN) >= value))
    .map(([series, value]) => `${series}: ${value}, then ${after.get(series)}`)
}

export const readyz = async (proxy: ProxyProcess) => (await proxy.ask('/readyz')).status

export async function becomesReady(proxy: ProxyProcess): Promise<void> {
  await expect.poll(() => readyz(proxy), { timeout: 30_000 }).toBe(200)
}

/** A worker that is up again serves, on ports of its own slice. */
export async function servesAtBoth(lab: Lab, proxy: ProxyProcess): Promise<void> {
  for (const { client, pinhole } of await oneAtEach(lab, proxy)) {
    const data = receive(await client.connectData(pinhole))
    expect((await client.command('RETR 777')).code).toBe(150)
    expect(await data).toMatchObject({ sha256: payloadSha256(777), ending: 'fin' })
    expect((await client.reply()).code).toBe(226)
    client.close()
  }
}
