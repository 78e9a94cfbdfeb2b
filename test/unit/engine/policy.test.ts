import { describe, expect, test } from 'vitest'
import { judgeClientEndpoint, judgeServerEndpoint, type Policy } from '../../../src/engine/policy.ts'
import { defaultPolicy } from '../../support/transcript-header.ts'

const client = '192.0.2.9'
const server = { address: '198.51.100.7', port: 2121 }

describe('where a client listens', () => {
  test.each([
    { address: client, port: 50_000, bounce: 'refuse', verdict: 'ok' },
    { address: client, port: 1024, bounce: 'refuse', verdict: 'ok' },
    { address: client, port: 1023, bounce: 'refuse', verdict: 'privileged_port' },
    { address: '203.0.113.80', port: 50_000, bounce: 'refuse', verdict: 'bounce' },
    { address: '203.0.113.80', port: 80, bounce: 'refuse', verdict: 'bounce' },
    { address: '203.0.113.80', port: 50_000, bounce: 'use-control-peer', verdict: 'ok' },
    { address: '203.0.113.80', port: 80, bounce: 'use-control-peer', verdict: 'privileged_port' },
  ] as const)('$address port $port with bounce $bounce: $verdict', ({ address, port, bounce, verdict }) => {
    const judged = judgeClientEndpoint({
      named: { address, port },
      client,
      policy: { ...defaultPolicy, bounce },
      isOwnAddress: () => false,
    })
    expect(judged.ok ? 'ok' : judged.reason).toBe(verdict)
    // Whatever was named, only the client itself is ever connected to.
    if (judged.ok) expect(judged.endpoint).toEqual({ address: client, port })
  })
})

describe('a third party that a client names', () => {
  test.each([
    { address: '203.0.113.80', port: 50_000, verdict: '203.0.113.80' },
    { address: '203.0.113.80', port: 1023, verdict: 'privileged_port' },
    { address: '203.0.113.1', port: 50_000, verdict: 'bounce' },
    { address: '203.0.114.80', port: 50_000, verdict: 'bounce' },
    { address: '127.0.0.1', port: 50_000, verdict: 'bounce' },
    { address: '169.254.169.254', port: 50_000, verdict: 'bounce' },
    { address: client, port: 50_000, verdict: client },
  ])('$address port $port: $verdict', ({ address, port, verdict }) => {
    const fxp = ['203.0.113.0/24', '127.0.0.0/8', '169.254.0.0/16']
    const judged = judgeClientEndpoint({
      named: { address, port },
      client,
      policy: { ...defaultPolicy, fxp },
      isOwnAddress: (own) => own === '203.0.113.1',
    })
    expect(judged.ok ? judged.endpoint.address : judged.reason).toBe(verdict)
  })
})

describe('where a server listens', () => {
  const lists: Policy['pasvAddress'] = ['10.0.0.0/8', '2001:db8::/32', '127.0.0.0/8']
  test.each([
    { named: server.address, port: 50_000, pasvAddress: 'control-peer', verdict: server.address },
    { named: null, port: 50_000, pasvAddress: 'must-match', verdict: server.address },
    { named: '10.0.0.5', port: 50_000, pasvAddress: 'control-peer', verdict: server.address },
    { named: '127.0.0.1', port: 50_000, pasvAddress: 'control-peer', verdict: server.address },
    { named: '10.0.0.5', port: 50_000, pasvAddress: 'must-match', verdict: 'pasv_address' },
    { named: '10.0.0.5', port: 50_000, pasvAddress: lists, verdict: '10.0.0.5' },
    { named: '10.0.0.1', port: 50_000, pasvAddress: lists, verdict: 'pasv_address' },
    { named: '11.0.0.5', port: 50_000, pasvAddress: lists, verdict: 'pasv_address' },
    { named: '127.0.0.1', port: 50_000, pasvAddress: lists, verdict: 'pasv_address' },
    { named: '169.254.169.254', port: 80, pasvAddress: ['any'], verdict: 'pasv_port' },
    { named: '169.254.169.254', port: 8080, pasvAddress: ['any'], verdict: 'pasv_address' },
    { named: server.address, port: 1023, pasvAddress: 'control-peer', verdict: 'pasv_port' },
    { named: server.address, port: 2121, pasvAddress: 'control-peer', verdict: 'pasv_port' },
  ] as const)(
    '$named port $port with pasvAddress $pasvAddress: $verdict',
    ({ named, port, pasvAddress, verdict }) => {
      const policy = { ...defaultPolicy, pasvAddress }
      const isOwnAddress = (address: string) => address === '10.0.0.1'
      const judged = judgeServerEndpoint({ named, port, server, policy, isOwnAddress })
      expect(judged.ok ? judged.endpoint.address : judged.reason).toBe(verdict)
    },
  )

  test('a server on loopback may listen there: it is the control peer', () => {
    const local = { address: '127.0.0.1', port: 21 }
    const policy = { ...defaultPolicy, pasvAddress: 'must-match' } as const
    const judged = judgeServerEndpoint({
      named: '127.0.0.1',
      port: 5001,
      server: local,
      policy,
      isOwnAddress: () => true,
    })
    expect(judged).toEqual({ ok: true, endpoint: { address: '127.0.0.1', port: 5001 } })
  })
})
