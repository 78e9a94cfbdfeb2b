import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { defineConntrackMetrics, readConntrack } from '../../../src/observe/metrics/conntrack.ts'
import type { Families } from '../../../src/observe/metrics/family.ts'

const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-conntrack-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('connection tracking', () => {
  test('is read from the kernel, and is nothing where it is not loaded', () => {
    expect(readConntrack(folder)).toBe(null)
    writeFileSync(join(folder, 'nf_conntrack_count'), '262142\n')
    writeFileSync(join(folder, 'nf_conntrack_max'), '262144\n')
    expect(readConntrack(folder)).toEqual({ entries: 262_142, limit: 262_144 })
  })

  test('has series only where something of ours is tracked', () => {
    const families: Families = []
    let use: { entries: number; limit: number } | null = null
    defineConntrackMetrics(families, () => use)
    const values = () => families.map((family) => family().values.map(({ value }) => value))
    expect(values()).toEqual([[], []])
    use = { entries: 5, limit: 10 }
    expect(values()).toEqual([[5], [10]])
  })
})
