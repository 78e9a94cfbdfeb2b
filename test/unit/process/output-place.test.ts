import { closeSync, fstatSync, openSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isJournal, isSamePlace } from '../../../src/process/output-place.ts'

describe('where an output leads', () => {
  let [one, same, other] = [0, 0, 0]
  beforeAll(() => {
    one = openSync(import.meta.filename, 'r')
    same = openSync(import.meta.filename, 'r')
    other = openSync('/dev/null', 'r')
  })
  afterAll(() => [one, same, other].forEach(closeSync))

  it('is the journal when its device and inode are those of JOURNAL_STREAM', () => {
    const { dev, ino } = fstatSync(one)
    expect(isJournal(one, { JOURNAL_STREAM: `${dev}:${ino}` })).toBe(true)
    expect(isJournal(other, { JOURNAL_STREAM: `${dev}:${ino}` })).toBe(false)
    expect(isJournal(one, {})).toBe(false)
    expect(isJournal(9_999, {})).toBe(false)
  })

  it('is the same place for two descriptors of one file', () => {
    expect(isSamePlace(one, same)).toBe(true)
    expect(isSamePlace(one, other)).toBe(false)
    expect(isSamePlace(9_999, 9_998)).toBe(false)
  })
})
