import { expect, test } from 'vitest'
import { hasLibc } from '../support/peers/kernel.ts'
import { hideKoffi, preloading } from '../support/preloading.ts'
import { loopback } from './ground.ts'
import type { Lane } from './lane.ts'
import type { SessionPlan, TransferPlan } from './plan.ts'
import { describeFigures, runLane } from './run.ts'
import { isWanted, options, timeoutMs } from './settings.ts'

const plain = {
  ground: loopback,
  address: '127.0.0.1',
  more: '',
  backend: 'relay',
  env: {},
  leftovers: () => [],
  excuse: () => null,
} as const

/** A server that we wait for, rather than it for us. */
function isActive({ upstreamMode }: SessionPlan, { verb }: TransferPlan): boolean {
  return upstreamMode === 'active' || (upstreamMode === 'client' && !verb.endsWith('SV'))
}

const withoutKoffi: Lane = {
  ...plain,
  name: 'without-koffi',
  env: preloading(hideKoffi),
  excuse: (session, transfer) =>
    transfer.fault.kind === 'liar' && isActive(session, transfer)
      ? 'Node does not tell who came and was reset before it looked, so a server that says 226 all the same is believed'
      : null,
}

const lanes: readonly Lane[] = [
  { ...plain, name: 'relay' },
  withoutKoffi,
  { ...plain, name: 'workers', more: 'workers: 2' },
]

if (!hasLibc) console.log('chaos: skipped, to tell a reset from an end the peers need koffi on Linux')

for (const lane of lanes) {
  test.skipIf(!hasLibc || !isWanted(lane.name))(
    `whole files or visible failures, whatever happens: ${lane.name}`,
    {
      timeout: timeoutMs,
    },
    async () => {
      const figures = await runLane(lane, options)
      console.log(describeFigures(lane.name, options, figures))
      expect(figures.wrong).toEqual([])
      expect(figures.whole).toBeGreaterThan(0)
    },
  )
}
