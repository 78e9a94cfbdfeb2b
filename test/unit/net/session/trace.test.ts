// A trace is a test: every transcript, played to an engine that writes down what it does, gives a transcript that plays
// the same way.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { EngineOptions } from '../../../../src/engine/options.ts'
import { TracedEngine } from '../../../../src/net/session/trace.ts'
import {
  byteByByte,
  parseTranscript,
  play,
  replay,
  type Segmentation,
  whole,
} from '../../../support/transcript.ts'

const folder = new URL('../../../fixtures/transcripts/', import.meta.url).pathname
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.txt'),
)

/** What an engine writes down while it hears a transcript. */
function trace(text: string, segmentation: Segmentation): string {
  const written: string[] = []
  const transcript = parseTranscript(text)
  const make = (options: EngineOptions) =>
    new TracedEngine(options, { sessionId: 'k3v9x0q2m1', write: (lines) => written.push(...lines) })
  play(transcript, { segmentation, make })
  // Which addresses are ours is the machine's to know, not the session's.
  const own = /^own .*$/m.exec(text)?.[0]
  if (own !== undefined) written.splice(1, 0, own)
  return `${written.join('\n')}\n`
}

describe.each(files.sort())('%s', (file) => {
  const text = readFileSync(join(folder, file), 'utf8')

  test.each([
    { name: 'whole', segmentation: whole },
    { name: 'byte by byte', segmentation: byteByByte },
  ])('is traced as a transcript that plays the same way: $name', ({ segmentation }) => {
    const traced = parseTranscript(trace(text, segmentation))
    expect(replay(traced, whole)).toBe(traced.conversation)
  })
})

describe('a trace', () => {
  const session = (lines: string, segmentation = whole) =>
    trace(`# A session.\nstart greeted\n\n${lines}`, segmentation)

  test.each([
    ['PASS hunter2', 'PASS ***'],
    ['pass hunter2', 'pass ***'],
    ['PAS hunter2', 'PAS ***'],
    ['PASShunter2 x', 'PASShunter2 ***'],
    ['ACCT hunter2', 'ACCT ***'],
    ['SITE PSWD hunter2 hunter3', 'SITE ***'],
    [' PASS hunter2', ' xxxx xxxxxxx'],
    ['PASS hun\\x00ter2', 'PASS xxx\\x00xxxx'],
  ])('of %j has %j', (said, shown) => {
    for (const segmentation of [whole, byteByByte]) {
      const text = session(`C> USER joe\nS> 331 Password.\nC> ${said}\n`, segmentation)
      expect(text.split('\n')).toContain(`C> ${shown}`)
      if (shown !== 'PASShunter2 ***') expect(text).not.toMatch(/hunter|hun/)
    }
  })

  test('hides what a server repeats of it', () => {
    const text = session('C> PASSWORD hunter2\nS> 500 "PASSWORD hunter2": what?\n')
    expect(text).toContain('S> 500 "PASSWORD ***": what?')
    expect(text).not.toContain('hunter2')
  })

  test('shows what is no secret', () => {
    expect(session('C> USER joe\nS> 331 Password.\n')).toContain('C> USER joe\n   S< USER joe\nS> 331')
  })

  test('is cut off at 256 KiB', () => {
    const text = session(`S> ${'200 x'.repeat(60_000)}\nS> 200 Never shown.\n`)
    expect(text.length).toBeLessThan(3000)
    expect(text).toMatch(/\n# Cut off here, at 262144 characters\.\n$/)
  })
})
