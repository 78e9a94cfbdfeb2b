import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { defineEventLoopMetrics } from '../../../src/observe/metrics/event-loop.ts'

/** Each figure in seconds: `{ p99: 0.001 }`; the moment's own is `now`. */
async function scraped(registry: Registry): Promise<Readonly<Record<string, number>>> {
  const text = await registry.metrics()
  const lines = text.matchAll(/^nodejs_eventloop_lag_(?:(\w+)_)?seconds (\S+)$/gm)
  return Object.fromEntries([...lines].map(([, name = 'now', value]) => [name, Number(value)]))
}

it('a loop that stands still is late, once, and figures begin anew with each scrape', async () => {
  const registry = new Registry()
  defineEventLoopMetrics(registry)
  expect(await scraped(registry)).toMatchObject({
    min: 0,
    max: 0,
    mean: 0,
    stddev: 0,
    p50: 0,
    p90: 0,
    p99: 0,
  })
  await sleep(150)
  const until = performance.now() + 400
  while (performance.now() < until);
  await sleep(350)
  const { now, max, p50, p99 } = await scraped(registry)
  expect(now).toBeGreaterThan(0)
  // Less at most what was left of one interval.
  expect(max).toBeGreaterThan(0.29)
  expect(p99).toBeGreaterThan(0.29)
  expect(p50).toBeLessThan(0.29)
  await sleep(350)
  expect((await scraped(registry)).max).toBeLessThan(0.29)
})
