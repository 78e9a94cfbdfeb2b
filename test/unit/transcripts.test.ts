import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fuzzRuns } from '../support/fuzz.ts'
import {
  byteByByte,
  parseTranscript,
  replay,
  type Segmentation,
  type Transcript,
  whole,
} from '../support/transcript.ts'

// Every file of test/fixtures/transcripts, replayed whole, byte by byte and in random pieces.
// UPDATE_TRANSCRIPTS=1 writes down what the engine did instead: then read the diff.

const folder = new URL('../fixtures/transcripts/', import.meta.url).pathname
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.txt'),
)
const seed = 20_261_120

describe.each(files.sort())('%s', (file) => {
  const transcript = load(join(folder, file))

  test(transcript.name, () => {
    expect(replay(transcript, whole)).toBe(transcript.conversation)
    expect(replay(transcript, byteByByte), 'byte by byte').toBe(transcript.conversation)
    expectAnySegmentation(transcript)
  })
})

test('every transcript has its own sentence for a name', () => {
  const names = files.map((file) => parseTranscript(readFileSync(join(folder, file), 'utf8')).name)
  expect(names.filter((name) => !/^[A-Z].*\.$/s.test(name))).toEqual([])
  expect(names).toHaveLength(new Set(names).size)
})

function load(path: string): Transcript {
  const text = readFileSync(path, 'utf8')
  const transcript = parseTranscript(text)
  if (process.env.UPDATE_TRANSCRIPTS === undefined) return transcript
  const conversation = replay(transcript, whole)
  const header = text.slice(0, text.length - transcript.conversation.length)
  writeFileSync(path, header + conversation)
  return { ...transcript, conversation }
}

function expectAnySegmentation(transcript: Transcript): void {
  const lengths = fc.infiniteStream(fc.integer({ min: 1, max: 40 }))
  fc.assert(
    fc.property(lengths, (stream) => {
      expect(replay(transcript, cutInto(stream))).toBe(transcript.conversation)
    }),
    { numRuns: fuzzRuns(20), seed },
  )
}

function cutInto(lengths: Iterator<number>): Segmentation {
  return (text) => {
    const pieces: string[] = []
    for (let at = 0; at < text.length; ) {
      const length: number = lengths.next().value
      pieces.push(text.slice(at, at + length))
      at += length
    }
    return pieces
  }
}
