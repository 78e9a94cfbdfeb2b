// docs/threats.md is the list that the S-numbers of code and tests refer to.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = new URL('../../', import.meta.url).pathname
const page = readFileSync(join(root, 'docs/threats.md'), 'utf8')
const rows = [...page.matchAll(/^\| (S\d+) \| (.+) \| (.+) \| (.+) \|$/gm)].map(
  ([, id = '', , , shown = '']) => ({
    id,
    shown,
  }),
)

describe('docs/threats.md', () => {
  test('has each threat once, in order', () => {
    const numbers = rows.map(({ id }) => Number(id.slice(1)))
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    expect(numbers.length).toBeGreaterThan(20)
  })

  test.each(rows)('$id names tests that exist', ({ shown }) => {
    const tests = [...shown.matchAll(/`([^`]+)`(?: \(([^)]+)\))?/g)]
    expect(tests.length).toBeGreaterThan(0)
    for (const [, path = '', title] of tests) {
      const isTranscript = path.endsWith('.txt')
      const file = join(root, 'test', isTranscript ? 'fixtures/transcripts' : '', path)
      expect(existsSync(file), path).toBe(true)
      // A transcript is one test; of another file the title is named.
      if (isTranscript) continue
      expect(title, `${path}: which of its tests?`).toBeDefined()
      expect(readFileSync(file, 'utf8'), path).toContain(title)
    }
  })

  test('has each number that code, tests and docs cite', () => {
    const known = new Set(rows.map(({ id }) => id))
    const cited = ['src', 'test', 'docs'].flatMap(citations)
    expect(cited.length).toBeGreaterThan(50)
    expect(cited.filter(({ id }) => !known.has(id))).toEqual([])
  })
})

/** Each S-number in the text files of a folder; `S9–S11` cites the numbers between as well. */
function citations(folder: string): { id: string; file: string }[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return files
    .filter((file) => /\.(ts|txt|md)$/.test(file) && file !== 'threats.md' && !file.includes('node_modules'))
    .flatMap((file) => {
      const text = readFileSync(join(root, folder, file), 'utf8')
      const numbers = [...text.matchAll(/\bS(\d{1,2})\b(?:–S(\d{1,2})\b)?/g)].flatMap(([, from, to = from]) =>
        Array.from({ length: Number(to) - Number(from) + 1 }, (_, n) => Number(from) + n),
      )
      return numbers.map((number) => ({ id: `S${number}`, file: join(folder, file) }))
    })
}
