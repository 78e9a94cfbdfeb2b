// The rules that bring clients here, watched in a kernel where they come and go.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { interceptTable } from '../../../src/firewall/intercept-table.ts'
import {
  type InterceptionWatch,
  watchInterception,
} from '../../../src/pinhole/nftables/interception-watch.ts'
import { Lab, whyNoNamespaces } from '../../support/kernel-netns.ts'

const obstacle = whyNoNamespaces()
if (obstacle !== null) console.log(`the interception watch: skipped, ${obstacle}`)

function configOf(intercept: 'redirect' | 'tproxy'): Config {
  const { config } = loadConfig({ flags: { upstream: 'localhost', admin: 'off' }, environment: {} })
  const [listener] = config.listeners
  if (listener === undefined) throw new Error('no listener')
  const listen = { address: intercept === 'tproxy' ? '127.0.0.1' : '0.0.0.0', port: 2121 }
  return { ...config, listeners: [{ ...listener, name: 'edge', listen, intercept, upstream: null }] }
}

describe.skipIf(obstacle !== null)('the watch over interception', () => {
  let lab: Lab
  let watch: InterceptionWatch | null = null

  beforeAll(async () => {
    lab = await Lab.create()
  })
  afterAll(() => lab.close())
  afterEach(() => {
    watch?.stop()
    lab.nft('flush ruleset')
  })

  it('says at once, and again and again, what is missing of the rules', async () => {
    const config = configOf('redirect')
    const said: (string | null)[] = []
    const load = () => void lab.nft(interceptTable(config) ?? '')
    watch = await watchInterception(config, (missing) => void said.push(missing), 50)
    expect(said).toEqual(['table inet ftp_alg_intercept is not loaded'])
    load()
    await expect.poll(() => said.at(-1)).toBe(null)
    lab.nft('flush chain inet ftp_alg_intercept by_redirect')
    await expect
      .poll(() => said.at(-1))
      .toBe('table inet ftp_alg_intercept has no rule for listener edge (port 2121)')
    lab.nft('flush ruleset')
    load()
    await expect.poll(() => said.at(-1)).toBe(null)
    lab.nft('flush ruleset')
    await expect.poll(() => said.at(-1)).toBe('table inet ftp_alg_intercept is not loaded')
  })
})
