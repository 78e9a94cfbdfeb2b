import { describe, expect, it } from 'vitest'
import {
  interceptTableOf,
  needsTables,
  otherInterceptTablesIn,
  pinholeTablesIn,
  tableOf,
  workerTable,
} from '../../../src/firewall/table-names.ts'
import { gatewayConfig, listenerConfig } from '../../support/kernel-config.ts'

const listed = `table ip filter
table ip ftp_alg
table ip6 ftp_alg
table ip ftp_alg_30000
table ip6 ftp_alg_30500
table ip ftp_alg_dmz
table ip ftp_alg_dmz_31000
table inet ftp_alg_intercept
table inet ftp_alg_dmz_intercept
table inet ftp_alg
table ip my_ftp_alg
table ip ftp_alg_
`

describe('the tables of an instance', () => {
  it('are told from those of others and from everybody else’s', () => {
    const names = (table: string) =>
      pinholeTablesIn(listed, table).map(({ family, name }) => `${family} ${name}`)
    expect(names('ftp_alg')).toEqual(['ip ftp_alg', 'ip6 ftp_alg', 'ip ftp_alg_30000', 'ip6 ftp_alg_30500'])
    expect(names('ftp_alg_dmz')).toEqual(['ip ftp_alg_dmz', 'ip ftp_alg_dmz_31000'])
    expect(names('ftp_alg_lan')).toEqual([])
  })

  it('for interception too', () => {
    expect(otherInterceptTablesIn(listed, 'inet ftp_alg_intercept')).toEqual(['inet ftp_alg_dmz_intercept'])
    expect(otherInterceptTablesIn(listed, 'inet ftp_alg_lan_intercept')).toHaveLength(2)
    expect(otherInterceptTablesIn('table inet ftp_alg_intercept\n', 'inet ftp_alg_intercept')).toEqual([])
  })

  it('are called after the instance', () => {
    const config = gatewayConfig([])
    const named = { ...config, pinholes: { ...config.pinholes, table: 'ftp_alg_dmz' } }
    expect([tableOf(config), interceptTableOf(config)]).toEqual(['ftp_alg', 'inet ftp_alg_intercept'])
    expect([tableOf(named), interceptTableOf(named)]).toEqual(['ftp_alg_dmz', 'inet ftp_alg_dmz_intercept'])
    expect(workerTable(tableOf(named), 30_500)).toBe('ftp_alg_dmz_30500')
  })

  it('are needed for kernel pinholes and for interception', () => {
    const at = { address: '127.0.0.1', port: 2121 }
    const plain = gatewayConfig([listenerConfig('a', at)])
    const relaying = { ...plain, pinholes: { ...plain.pinholes, backend: 'relay' as const } }
    expect(needsTables(relaying)).toBe(false)
    expect(needsTables({ ...relaying, pinholes: { ...relaying.pinholes, backend: 'nftables' } })).toBe(true)
    expect(
      needsTables({ ...relaying, listeners: [listenerConfig('a', at, { intercept: 'redirect' })] }),
    ).toBe(true)
  })
})
