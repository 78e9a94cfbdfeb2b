// The rules in docs/firewall.md are rules: the kernel accepts them as they stand.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openNft } from '../../../src/kernel/nft.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`docs/firewall.md: skipped, ${obstacle}`)

const page = readFileSync(new URL('../../../docs/firewall.md', import.meta.url), 'utf8')
const blocks = [...page.matchAll(/^```nft\n(.*?)^```$/gms)].map(([, rules = '']) => rules)

describe.skipIf(obstacle !== null)('docs/firewall.md', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await Lab.create()
  })
  afterAll(() => lab.close())

  it('has examples', () => expect(blocks.length).toBeGreaterThan(1))

  it.each(blocks)('shows rules that the kernel accepts: %s', async (rules) => {
    const nft = await openNft()
    expect(nft.refusal(rules)).toBeNull()
    nft.close()
  })
})
