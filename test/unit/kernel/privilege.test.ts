import { describe, expect, it } from 'vitest'
import { effectiveNetAdmin, requireNetAdmin } from '../../../src/kernel/privilege.ts'

const status = (capabilities: string) =>
  `Name:\tnode\nCapPrm:\tffffffffffffffff\nCapEff:\t${capabilities}\nCapBnd:\t0\n`

describe('CAP_NET_ADMIN', () => {
  it('is bit 12 of the effective set', () => {
    expect(effectiveNetAdmin(status('0000000000001000'))).toBe(true)
    expect(effectiveNetAdmin(status('000001ffffffffff'))).toBe(true)
  })

  it('is not any other bit, nor the permitted set', () => {
    expect(effectiveNetAdmin(status('0000000000000400'))).toBe(false)
    expect(effectiveNetAdmin(status('ffffffffffffefff'))).toBe(false)
    expect(effectiveNetAdmin(status('0000000000000000'))).toBe(false)
    expect(effectiveNetAdmin('')).toBe(false)
  })

  it('is asked for by name, with the ways to give it and exit code 3', () => {
    requireNetAdmin('listeners[0].intercept: tproxy', true)
    expect(() => requireNetAdmin('listeners[0].intercept: tproxy', false)).toThrow(
      expect.objectContaining({
        code: 'PRIVILEGE_MISSING',
        exitCode: 3,
        message: expect.stringMatching(
          /^listeners\[0\]\.intercept: tproxy needs CAP_NET_ADMIN: run as root, or /,
        ),
      }),
    )
  })
})
