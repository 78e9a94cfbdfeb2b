import { describe, expect, it } from 'vitest'
import { firewallScript } from '../../../src/cli/firewall.ts'
import { foreignFamilies, interceptTable } from '../../../src/firewall/intercept-table.ts'
import { gatewayConfig, listenerConfig } from '../../support/kernel-config.ts'

const redirect = listenerConfig('edge', { address: '::', port: 2121 }, { intercept: 'redirect' })
const tproxy = listenerConfig('edge4', { address: '127.0.0.1', port: 2121 }, { intercept: 'tproxy' })
const plain = listenerConfig('plain', { address: '0.0.0.0', port: 2021 })

/** The rules of a table, without comments and the lines about chains. */
const rulesOf = (table: string | null) =>
  (table ?? '').split('\n').filter((line) => line.startsWith('    ') && !/^ +(#|type )/.test(line))

describe('the interception table', () => {
  it('is not there when nobody intercepts', () => {
    expect(interceptTable(gatewayConfig([plain]))).toBeNull()
  })

  it('redirects both families to a listener on every address', () => {
    expect(rulesOf(interceptTable(gatewayConfig([plain, redirect])))).toEqual([
      '    tcp dport 21 fib daddr type != local ct mark set 0xf7 redirect to :2121',
    ])
  })

  it('sends connections to a listener on one address by dnat', () => {
    const one = { ...redirect, listen: { address: '10.0.0.1', port: 2121 } }
    const six = { ...redirect, listen: { address: '2001:db8::1', port: 2121 } }
    expect(rulesOf(interceptTable(gatewayConfig([one, six])))).toEqual([
      '    meta nfproto ipv4 tcp dport 21 fib daddr type != local ct mark set 0xf7 dnat ip to 10.0.0.1:2121',
      '    meta nfproto ipv6 tcp dport 21 fib daddr type != local ct mark set 0xf7 dnat ip6 to [2001:db8::1]:2121',
    ])
  })

  it('gives tproxy a rule for each family, and our own sockets what is theirs', () => {
    const both = { ...tproxy, name: 'both', listen: { address: '::', port: 2122 } }
    expect(rulesOf(interceptTable(gatewayConfig([tproxy, both], { mark: 0x51 })))).toEqual([
      '    ct direction reply return',
      '    meta nfproto ipv4 tcp dport 21 fib daddr type != local tproxy ip to 127.0.0.1:2121 meta mark set 0x51 ct mark set 0x51 accept',
      '    meta nfproto ipv4 tcp dport 21 fib daddr type != local tproxy ip to :2122 meta mark set 0x51 ct mark set 0x51 accept',
      '    meta nfproto ipv6 tcp dport 21 fib daddr type != local tproxy ip6 to :2122 meta mark set 0x51 ct mark set 0x51 accept',
      '    ct status dnat return',
      '    meta l4proto tcp socket transparent 1 meta mark set 0x51 ct mark set 0x51',
    ])
  })

  it('says which families need a route', () => {
    expect(foreignFamilies(gatewayConfig([plain]))).toEqual([])
    expect(foreignFamilies(gatewayConfig([redirect]))).toEqual([])
    expect(foreignFamilies(gatewayConfig([tproxy]))).toEqual([4])
    expect(foreignFamilies(gatewayConfig([{ ...tproxy, listen: { address: '::', port: 1 } }]))).toEqual([
      4, 6,
    ])
  })

  it('keeps what servers answer to clients whose address they see', () => {
    const config = gatewayConfig([{ ...plain, source: 'client' }])
    expect(rulesOf(interceptTable(config))).toEqual([
      '    ct status dnat return',
      '    meta l4proto tcp socket transparent 1 meta mark set 0xf7 ct mark set 0xf7',
    ])
    expect(foreignFamilies(config)).toEqual([4])
    expect(firewallScript(config)).toContain('ip -4 route replace local default dev lo table 2121')
    expect(firewallScript(config)).toContain('their routes to clients must lead through this machine')
  })

  it('lets nothing but an interface name into a rule', () => {
    for (const name of ['lan0" accept #', 'a very long interface name', '', 'eth0\n']) {
      const matches = { ports: [21], interfaces: [name] }
      expect(() => interceptTable(gatewayConfig([{ ...redirect, matches }]))).toThrow('not an interface name')
    }
  })
})

describe('the script of ftp-alg firewall', () => {
  it('has no rules and says so where none are needed', () => {
    const script = firewallScript(gatewayConfig([plain], { backend: 'relay' }))
    expect(script).toContain(
      '# No listener intercepts, and none has source: client: no static rules are needed.',
    )
    expect(script).not.toMatch(/^[^#\n]*\b(nft|ip)\b/m)
    expect(script).toContain('input:    tcp dport 2021 accept')
    expect(script).toContain('input:    tcp dport { 30000-30999 } accept')
    expect(script).not.toContain('ct mark')
  })

  it('asks for one line in input and forward where the kernel forwards', () => {
    const script = firewallScript(gatewayConfig([redirect]))
    expect(script).toMatch(/^# +input: +ct mark 0xf7 accept /m)
    expect(script).toMatch(/^# +forward: +ct mark 0xf7 accept /m)
    expect(script).not.toMatch(/30000-30999/)
  })

  it('asks for nothing in forward where everything is relayed', () => {
    const script = firewallScript(gatewayConfig([redirect], { backend: 'relay' }))
    expect(script).toMatch(/^# +input: +ct mark 0xf7 accept /m)
    expect(script).not.toMatch(/forward:/)
  })

  it('shows how the administrator’s sets must look', () => {
    const admit = { ipv4: 'inet filter ftp_data', ipv6: 'inet filter ftp_data6' }
    const script = firewallScript(gatewayConfig([redirect], { admit }))
    expect(script).toContain('set ftp_data { type ipv4_addr . ipv4_addr . inet_service; flags timeout; }')
    expect(script).toContain('ip6 saddr . ip6 daddr . tcp dport @ftp_data6 accept')
  })
})
