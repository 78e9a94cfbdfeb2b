import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { interceptTable } from '../../../src/firewall/intercept-table.ts'
import { missingOfTable } from '../../../src/firewall/interception-check.ts'

const { config } = loadConfig({ flags: { upstream: 'localhost', admin: 'off' }, environment: {} })
const [listener] = config.listeners
if (listener === undefined) throw new Error('no listener')

function configOf(intercept: 'redirect' | 'tproxy', address: string) {
  const listen = { address, port: 2121 }
  return { ...config, listeners: [{ ...listener, name: 'edge', intercept, listen, upstream: null }] } as never
}

describe.each([
  ['redirect', '0.0.0.0'],
  ['redirect', '192.0.2.1'],
  ['redirect', '::'],
  ['tproxy', '127.0.0.1'],
  ['tproxy', '::1'],
  ['tproxy', '::'],
] as const)('%s to %s', (intercept, address) => {
  const wanted = configOf(intercept, address)

  test('is in place with the table that it makes', () => {
    expect(missingOfTable(wanted, interceptTable(wanted))).toBe(null)
  })

  test('is not with another port, an empty table, or none', () => {
    const table = interceptTable(wanted) ?? ''
    const lost = 'table inet ftp_alg_intercept has no rule for listener edge (port 2121)'
    expect(missingOfTable(wanted, table.replaceAll('2121', '21210'))).toBe(lost)
    expect(missingOfTable(wanted, 'table inet ftp_alg_intercept {\n}\n')).toBe(lost)
    expect(missingOfTable(wanted, null)).toBe('table inet ftp_alg_intercept is not loaded')
  })
})

test('the answers of servers that see their clients are kept', () => {
  const shown = { ...config, listeners: [{ ...listener, source: 'client' }] } as never
  expect(missingOfTable(shown, interceptTable(shown))).toBe(null)
  expect(missingOfTable(shown, 'table inet ftp_alg_intercept {\n}\n')).toMatch(
    /does not keep what is meant for our sockets/,
  )
  expect(missingOfTable(shown, null)).toBe('table inet ftp_alg_intercept is not loaded')
})

test('without interception nothing is missing', () => {
  expect(missingOfTable(config, null)).toBe(null)
})
