import { expect, test } from 'vitest'
import { hideKoffi, preloading } from '../support/preloading.ts'
import { loopback } from './ground.ts'
import type { Lane } from './lane.ts'
import { describeFigures, runLane } from './run.ts'
import { isWanted, options, timeoutMs } from './settings.ts'

const plain = {
  ground: loopback,
  address: '127.0.0.1',
  more: '',
  backend: 'relay',
  env: {},
  leftovers: () => [],
} as const

const lanes: readonly Lane[] = [
  { ...plain, name: 'relay' },
  { ...plain, name: 'without-koffi', env: preloading(hideKoffi) },
  { ...plain, name: 'workers', more: 'workers: 2' },
]

for (const lane of lanes.filter(({ name }) => isWanted(name))) {
  test(`whole files or visible failures, whatever happens: ${lane.name}`, {
    timeout: timeoutMs,
  }, async () => {
    const figures = await runLane(lane, options)
    console.log(describeFigures(lane.name, options, figures))
    expect(figures.wrong).toEqual([])
    expect(figures.whole).toBeGreaterThan(0)
  })
}
