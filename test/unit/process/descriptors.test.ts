import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  descriptorLimit,
  descriptorsFor,
  idlePortsWithin,
  parseLimits,
  sessionsAllowed,
  sessionsWithin,
} from '../../../src/process/descriptors.ts'

const limits = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max processes             63432                63432                processes
Max open files            ${soft.padEnd(20)} 1048576              files
Max locked memory         8388608              8388608              bytes
`

describe('the limit of descriptors', () => {
  it('is the soft one, which Node has raised', () => {
    expect(parseLimits(limits('1024'))).toBe(1024)
    expect(parseLimits(limits('unlimited'))).toBe(Number.POSITIVE_INFINITY)
    expect(parseLimits('something else')).toBe(Number.POSITIVE_INFINITY)
  })

  it('of this process is more than it has open', () => {
    expect(descriptorLimit()).toBeGreaterThan(readdirSync('/proc/self/fd').length)
  })
})

describe('the ports that may be open without a pinhole', () => {
  it('are a sixteenth of the descriptors, within bounds', () => {
    const limits = [256, 1024, 20_000, Number.POSITIVE_INFINITY]
    expect(limits.map(idlePortsWithin)).toEqual([32, 64, 1250, 2048])
  })
})

describe('the sessions that descriptors carry', () => {
  it('have two control connections each, and half of them a transfer, and leave something to the process', () => {
    for (const descriptors of [150, 256, 1024, 65_536]) {
      const sessions = sessionsWithin(descriptors)
      expect(sessions * 2 + Math.floor(sessions / 2) * 2 + 64).toBeLessThanOrEqual(descriptors)
      expect((sessions + 1) * 3 + 64).toBeGreaterThan(descriptors)
    }
    expect(sessionsWithin(150)).toBe(28)
    expect(sessionsWithin(10)).toBe(1)
    expect(sessionsWithin(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY)
  })

  it('are no more than limits.sessions, and each worker’s own', () => {
    expect(sessionsAllowed({ sessions: 1000, workers: 1 }, 1024)).toBe(320)
    expect(sessionsAllowed({ sessions: 1000, workers: 4 }, 1024)).toBe(1000)
    expect(sessionsAllowed({ sessions: 1000, workers: 1 }, Number.POSITIVE_INFINITY)).toBe(1000)
  })

  it('fit with room to spare into what doctor recommends', () => {
    for (const sessions of [1, 100, 20_000]) {
      expect(sessionsWithin(descriptorsFor(sessions))).toBeGreaterThanOrEqual(sessions)
    }
  })
})
