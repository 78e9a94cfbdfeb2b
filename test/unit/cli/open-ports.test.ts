import { describe, expect, it } from 'vitest'
import { checkOpenPorts } from '../../../src/cli/doctor/open-ports.ts'
import { gatewayConfig, listenerConfig } from '../../support/kernel-config.ts'

const relay = gatewayConfig([listenerConfig('front', { address: '0.0.0.0', port: 21 })], { backend: 'relay' })

const tcp = (right: unknown) => ({
  match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right },
})
const from = (right: string) => ({ match: { op: '==', left: { meta: { key: 'iifname' } }, right } })
const data = [tcp({ range: [30_000, 30_999] }), { accept: null }]

/** What doctor says of rules as nft prints them. */
function said(...rules: readonly (readonly unknown[])[]): string[] {
  const chain = 'inet filter input'
  return checkOpenPorts(relay, { chain, rules: rules.map((rule) => JSON.stringify(rule)) }).map(
    ({ state, found }) => `${state}: ${found}`,
  )
}

const shut = ['fail: inet filter input drops by default and does not accept port 21 (listener front)']
const open = ['ok: inet filter input drops by default and lets our ports in']

describe('what a chain that drops by default lets in', () => {
  it.each([
    ['a port', [tcp(21), { accept: null }]],
    ['a set', [tcp({ set: [20, 21] }), { accept: null }]],
    ['ranges in a set', [tcp({ set: [{ range: [1, 30] }] }), { counter: {} }, { accept: null }]],
    ['an interface and a port', [from('lan0'), tcp(21), { accept: null }]],
    ['everything of an interface', [from('lan0'), { accept: null }]],
    ['a named set, whose members change', [tcp('@ports'), { accept: null }]],
  ])('is what %s says', (_what, rule) => {
    expect(said(rule, data)).toEqual(open)
  })

  it.each([
    ['another port', [tcp(22), { accept: null }]],
    ['every port but this', [{ match: { ...tcp(21).match, op: '!=' } }, { accept: null }]],
    ['the loopback', [from('lo'), { accept: null }]],
    ['a drop', [tcp(21), { drop: null }]],
    [
      'what is established',
      [
        { match: { op: 'in', left: { ct: { key: 'state' } }, right: ['established', 'related'] } },
        { accept: null },
      ],
    ],
    [
      'UDP',
      [
        { match: { op: '==', left: { payload: { protocol: 'udp', field: 'dport' } }, right: 21 } },
        { accept: null },
      ],
    ],
  ])('is not what a rule for %s says', (_what, rule) => {
    expect(said(rule, data)).toEqual(shut)
  })

  it('must be the whole range of a relay', () => {
    const half = [tcp({ range: [30_000, 30_500] }), { accept: null }]
    expect(said([tcp(21), { accept: null }], half)).toEqual([
      'fail: inet filter input drops by default and does not accept port 30000-30999 (data connections)',
    ])
  })

  it('cannot be judged where iptables wrote rules of its own kind', () => {
    expect(said([{ xt: null }, { accept: null }])).toEqual([
      'warn: inet filter input has rules of iptables that cannot be judged here',
    ])
  })
})
