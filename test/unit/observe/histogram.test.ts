import fc from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { formatExposition } from '../../../src/observe/metrics/exposition.ts'
import { type Families, histogramFamily } from '../../../src/observe/metrics/family.ts'

const buckets = [0.5, 1, 20]

/** The same family twice: ours, and prom-client's own. */
function bothFamilies() {
  const families: Families = []
  const registry = new Registry()
  const described = { name: 'wait_seconds', help: 'Time to wait.', buckets }
  const labels: ('backend' | 'mode')[] = ['backend', 'mode']
  return {
    ours: histogramFamily(families, { ...described, labels }),
    ourText: () => formatExposition([families.map((family) => family())]),
    ourJson: () => families.map((family) => family()),
    theirs: new Histogram({ ...described, labelNames: labels, registers: [registry] }),
    registry,
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
      const { ours, ourText, ourJson, theirs, registry } = bothFamilies()
      const distributions = labels.map((each) => ours(each))
      for (const each of labels) theirs.zero(each)
      for (const [at, value] of observed) {
        distributions[at]?.observe(value)
        theirs.observe({ ...labels[at] }, value)
      }
      expect(await ourText()).toBe(await registry.metrics())
      expect(ourJson()).toEqual(await jsonOf(registry))
    })
    await fc.assert(property)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('do not count %s', async (value) => {
    const { ours, ourText } = bothFamilies()
    const distribution = ours({ backend: 'relay', mode: 'PASV' })
    const before = await ourText()
    distribution.observe(value)
    expect(await ourText()).toBe(before)
  })
})
