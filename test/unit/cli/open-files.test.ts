import { describe, expect, it } from 'vitest'
import { checkOpenFiles } from '../../../src/cli/doctor/machine.ts'
import { loadConfig } from '../../../src/config/load.ts'

const { config } = loadConfig({ flags: { upstream: 'localhost' }, environment: {} })
const withSessions = (sessions: number, workers = 1) => ({
  ...config,
  workers,
  limits: { ...config.limits, sessions },
})

describe('the check of open files', () => {
  it('is content when all sessions can transfer', () => {
    expect(checkOpenFiles(withSessions(1000), 4100)).toMatchObject({ state: 'ok' })
    expect(checkOpenFiles(withSessions(4000, 4), 4100)).toMatchObject({ state: 'ok' })
  })

  it('warns when they cannot', () => {
    expect(checkOpenFiles(withSessions(1000), 4000)).toMatchObject({
      state: 'warn',
      found: '4000 allowed, 4100 needed for 1000 sessions if all of them transfer',
    })
  })

  it('says how many get in when not all do, and what would help', () => {
    expect(checkOpenFiles(withSessions(1000), 150)).toMatchObject({
      state: 'warn',
      found: '150 allowed, 4100 needed for 1000 sessions: only 28 get in',
      cure: 'LimitNOFILE=4100 in the systemd unit, or a lower limits.sessions',
    })
  })
})
