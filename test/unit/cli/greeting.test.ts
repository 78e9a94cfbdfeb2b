import { describe, expect, it } from 'vitest'
import { greetingOf } from '../../../src/cli/greeting.ts'
import { loadConfig } from '../../../src/config/load.ts'

describe('the greeting at a terminal', () => {
  it('says where it listens and where the status page is', () => {
    const said = (flags: Readonly<Record<string, string>>) =>
      greetingOf(
        '1.2.3',
        loadConfig({ flags: { upstream: 'ftp.internal', ...flags }, environment: {} }).config,
      )
    expect(said({ listen: '[::]:21', admin: '0.0.0.0:9000' })).toBe(
      'ftp-alg 1.2.3 listens on [::]:21; status page: http://127.0.0.1:9000/',
    )
    expect(said({ admin: 'off' })).toMatch(
      /^ftp-alg 1\.2\.3 listens on \S+:2121; no status page \(admin is off\)$/,
    )
  })

  it('names listeners where there are several', () => {
    const { config } = loadConfig({ flags: { upstream: 'ftp.internal' }, environment: {} })
    const [listener] = config.listeners
    if (listener === undefined) throw new Error('no listener')
    const other = { ...listener, name: 'other', listen: { address: '192.0.2.1', port: 21 } }
    expect(greetingOf('1.2.3', { ...config, listeners: [listener, other] })).toContain('192.0.2.1:21 (other)')
  })
})
