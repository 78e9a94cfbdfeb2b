// Several workers on a gateway: each listens, each has its own slice of the data ports and its own tables, and what
// happens to one is not felt by the others.

import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { debianRootMissing } from '../../support/debian.ts'
import type { RunningProxy } from '../../support/proxy.ts'
import { Dialogue, downloads, type Waiting } from './lab/dialogue.ts'
import { EdgeLab } from './lab/edge-lab.ts'
import { dropByDefault, dropped } from './lab/rules.ts'
import { startConnecting } from './lab/sockets.ts'
import { configurationOf, nameOf, variants } from './lab/variants.ts'

const missing = debianRootMissing('workers on a gateway')

/** Ports 30000–30499 are the first worker's. */
const firstOfSecond = 30_500

describe.skipIf(missing !== null)('two workers', () => {
  let lab: EdgeLab
  const open: { close(): void }[] = []

  beforeAll(async () => {
    lab = await EdgeLab.create({ servers: ['vsftpd'] })
    await lab.network.gateway.firewall(dropByDefault())
  })
  afterEach(closeAll)
  afterAll(() => lab?.close())

  function closeAll(): void {
    for (const each of open.splice(0)) each.close()
  }

  /** Logs in until a session of each worker waits for a data connection. */
  async function oneOfEach(): Promise<readonly [Waiting, Waiting]> {
    const found: [Waiting | null, Waiting | null] = [null, null]
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const place = lab.network.host('client')
      const client = await Dialogue.begin(place, { address: lab.address('vsftpd'), port: 21 })
      const hole = await client.passive('ipv4')
      const worker = hole.port < firstOfSecond ? 0 : 1
      if (found[worker] === null) {
        found[worker] = { client, hole }
        open.push(client)
      } else {
        client.close()
      }
      const [first, second] = found
      if (first !== null && second !== null) return [first, second]
    }
    throw new Error('a hundred sessions went to one worker')
  }

  it.each(variants.map((variant) => [nameOf(variant), variant] as const))(
    'do not feel each other’s death (%s)',
    async (_name, variant) => {
      const config = configurationOf(variant, 'workers: 2\n')
      const proxy = await lab.start(config)
      const both = await oneOfEach()
      for (const each of both) expect(await downloads(each)).toBe(65_536)
      const waiting = await Promise.all(
        both.map(async ({ client }) => ({ client, hole: await client.passive('ipv4') })),
      )
      const [pid = 0] = workersOf(proxy)
      process.kill(pid, 'SIGKILL')
      const { worker } = await proxy.waitForRecord(({ event }) => event === 'worker.exit', 'a dead worker')
      const [dead, alive] = worker === 0 ? waiting : waiting.toReversed()
      if (dead === undefined || alive === undefined) throw new Error('not two sessions')
      expect(await dead.client.wire.readRest()).toBe('')
      await expect.poll(async () => (await proxy.get('/readyz')).status, { timeout: 20_000 }).toBe(200)
      // The new one has begun with tables of its own, and has left the other's as they were.
      const before = await dropped(lab.network)
      const late = startConnecting({ in: lab.network.host('client'), to: dead.hole })
      open.push({ close: () => late.destroy() })
      await expect.poll(() => dropped(lab.network)).toBeGreaterThan(before)
      expect(await downloads(alive)).toBe(65_536)
      for (const each of await oneOfEach()) expect(await downloads(each)).toBe(65_536)
      await expect.poll(() => lab.elements()).toEqual([])
      expect(workersOf(proxy)).toHaveLength(2)
      expect(workersOf(proxy)).not.toContain(pid)
      closeAll()
      await lab.end(proxy, config)
    },
  )
})

function workersOf({ pid }: RunningProxy): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}
