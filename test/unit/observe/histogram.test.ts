import fc from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { DistributionFamily } from '../../../src/observe/metrics/histogram.ts'

const buckets = [0.5, 1, 20]

/** The same family twice: ours, and prom-client's own. */
function families() {
  const [ours, theirs] = [new Registry(), new Registry()]
  const described = { name: 'wait_seconds', help: 'Time to wait.', labelNames: ['backend', 'mode'], buckets }
  return {
    ours: new DistributionFamily({ ...described, registers: [ours] }),
    theirs: new Histogram({ ...described, registers: [theirs] }),
    registries: { ours, theirs },
  }
}

const labels = [
  { backend: 'relay', mode: 'PASV' },
  { backend: 'nftables', mode: 'a "quoted" one' },
] as const

/** Without a place for exemplars, of which there are none. */
async function jsonOf(registry: Registry): Promise<unknown> {
  return JSON.parse(JSON.stringify(await registry.getMetricsAsJSON()), (name, value: unknown) =>
    name === 'exemplar' ? undefined : value,
  )
}

describe('our histograms', () => {
  it('are exposed as those of prom-client, as text and as JSON', async () => {
    const values = fc.array(
      fc.tuple(fc.nat(1), fc.oneof(fc.constantFrom(...buckets), fc.float({ noNaN: true, min: -1, max: 30 }))),
    )
    const property = fc.asyncProperty(values, async (observed) => {
      const { ours, theirs, registries } = families()
      const distributions = labels.map((each) => ours.append(each))
      for (const each of labels) theirs.zero(each)
      for (const [at, value] of observed) {
        distributions[at]?.observe(value)
        theirs.observe({ ...labels[at] }, value)
      }
      expect(await registries.ours.metrics()).toBe(await registries.theirs.metrics())
      expect(await jsonOf(registries.ours)).toEqual(await jsonOf(registries.theirs))
    })
    await fc.assert(property)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('do not count %s', async (value) => {
    const { ours, registries } = families()
    const distribution = ours.append({ backend: 'relay', mode: 'PASV' })
    const before = await registries.ours.metrics()
    distribution.observe(value)
    expect(await registries.ours.metrics()).toBe(before)
  })
})
