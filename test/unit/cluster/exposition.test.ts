import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { formatExposition, parseExposition } from '../../../src/cluster/exposition.ts'
import { observe } from '../observe/fixture.ts'

/** Blank lines between families mean nothing. */
const withoutBlankLines = (text: string) => text.replace(/\n+/g, '\n').replace(/\n?$/, '\n')

test('what prom-client writes comes back as it was, whatever its labels hold', async () => {
  const registry = new Registry()
  const counter = new Counter({
    name: 'a_total',
    help: 'Backslash \\ and\nline end.',
    labelNames: ['path', 'of'],
    registers: [registry],
  })
  counter.inc({ path: 'C:\\temp', of: 'a "quoted" name' }, 3)
  counter.inc({ path: 'two\nlines', of: 'spaces and } {braces}' }, 1e-7)
  counter.inc({ path: 'é ☃', of: '' }, 12_345_678_901_234)
  new Histogram({ name: 'b_seconds', help: 'b', buckets: [0.1, 5], registers: [registry] }).observe(7)
  new Gauge({ name: 'c', help: 'c', registers: [registry] }).set(-0.25)
  const text = await registry.metrics()
  expect(formatExposition(parseExposition(text))).toBe(withoutBlankLines(text))
})

test('and so does everything that the observer exposes', async () => {
  const text = await observe().observer.exposition()
  expect(formatExposition(parseExposition(text))).toBe(withoutBlankLines(text).replaceAll(/ Nan$/gm, ' NaN'))
})

test.each([
  ['+Inf', Number.POSITIVE_INFINITY, '+Inf'],
  ['Inf', Number.POSITIVE_INFINITY, '+Inf'],
  ['-Inf', Number.NEGATIVE_INFINITY, '-Inf'],
  ['Nan', Number.NaN, 'NaN'],
  ['NaN', Number.NaN, 'NaN'],
  ['1e+21', 1e21, '1e+21'],
])('the value %s is %d and is written %s', (given, value, written) => {
  const exposition = parseExposition(`# TYPE a gauge\na{le="+Inf"} ${given}\n`)
  expect(exposition.get('a')?.samples).toEqual(new Map([['a{le="+Inf"}', value]]))
  expect(formatExposition(exposition)).toBe(`# TYPE a gauge\na{le="+Inf"} ${written}\n`)
})

test('comments belong to the family they name, once; other comments and loose lines to nobody', () => {
  const text = `loose 1
# a remark
# HELP a What a is.
# TYPE a counter
a 1
# HELP a What else a is.
# EOF
a{x="y"} 2
# HELP bare Without a type.
bare 3
`
  expect([...parseExposition(text).values()]).toEqual([
    {
      name: 'a',
      type: 'counter',
      help: 'What a is.',
      samples: new Map([
        ['a', 1],
        ['a{x="y"}', 2],
      ]),
    },
    { name: 'bare', type: 'untyped', help: 'Without a type.', samples: new Map([['bare', 3]]) },
  ])
})
