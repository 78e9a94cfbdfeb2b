import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab, whyNoNamespaces } from '../support/kernel-netns.ts'
import { namespaces } from './ground.ts'
import { describeFigures, runLane } from './run.ts'
import { isWanted, options, timeoutMs } from './settings.ts'

const obstacle = isWanted('nftables') ? whyNoNamespaces() : 'another lane was asked for'
if (obstacle !== null) console.log(`chaos, nftables: skipped, ${obstacle}`)

let lab: Lab
beforeAll(async () => {
  if (obstacle === null) lab = await Lab.create()
})
afterAll(() => lab?.close())

test.skipIf(obstacle !== null)(
  'whole files or visible failures, whatever happens: nftables',
  { timeout: timeoutMs },
  async () => {
    const lane = {
      name: 'nftables',
      ground: namespaces(lab),
      address: lab.gatewayTowards('client'),
      more: '',
      backend: 'nftables',
      env: {},
      leftovers: elements,
      excuse: () => null,
    } as const
    const figures = await runLane(lane, options)
    console.log(describeFigures('nftables', options, figures))
    expect(figures.wrong).toEqual([])
    expect(figures.whole).toBeGreaterThan(0)
  },
)

/** Pinholes in the kernel. This process is in the gateway's namespace. */
function elements(): readonly string[] {
  const rules = execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' })
  const left = [...rules.matchAll(/elements = \{[^}]*\}/g)].map(([text]) => text)
  return left.map((text) => `left in the kernel: ${text}`)
}
