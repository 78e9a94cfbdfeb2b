import { describe, expect, it } from 'vitest'
import { loadLibc } from '../../../src/kernel/libc.ts'
import { askRoutingTable, isOwnAddress, OwnAddresses } from '../../../src/kernel/own-addresses.ts'

const libc = await loadLibc().catch(() => null)

function machine() {
  const routed = new Set(['192.0.2.1'])
  const listed = new Set(['192.0.2.2'])
  let nowMs = 0
  let questions = 0
  const own = new OwnAddresses({
    towards: (peer) => {
      questions += 1
      return routed.has(peer) ? peer : '192.0.2.1'
    },
    interfaces: () => new Set(listed),
    now: () => nowMs,
  })
  return {
    own,
    routed,
    listed,
    questions: () => questions,
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

describe('an address is this machine’s', () => {
  it('when the routing table or the list of interfaces says so', () => {
    const { own } = machine()
    expect(own.has('192.0.2.1'), 'of an interface whose cable is out').toBe(true)
    expect(own.has('192.0.2.2')).toBe(true)
    expect(own.has('192.0.2.3')).toBe(false)
  })

  it.each(['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::'])('%s always', (address) => {
    expect(machine().own.has(address)).toBe(true)
  })

  it('as link-local when an interface has it now: it has no route without its zone', () => {
    const { own, listed, questions } = machine()
    own.has('192.0.2.3')
    const before = questions()
    listed.add('fe80::1')
    expect(own.has('fe80::1')).toBe(true)
    expect(own.has('fe80::2')).toBe(false)
    expect(questions()).toBe(before)
  })

  it('for five seconds, without being asked for again', () => {
    const { own, routed, questions, pass } = machine()
    expect(own.has('192.0.2.9')).toBe(false)
    routed.add('192.0.2.9')
    pass(5000)
    expect(own.has('192.0.2.9')).toBe(false)
    expect(questions()).toBe(1)
    pass(1)
    expect(own.has('192.0.2.9')).toBe(true)
  })

  it('also where the system does not list interfaces and the routing table knows it', () => {
    const own = new OwnAddresses({
      towards: (peer) => (peer === '192.0.2.1' ? peer : null),
      interfaces: () => {
        throw new Error('no AF_NETLINK')
      },
      now: () => 0,
    })
    expect(own.has('192.0.2.1')).toBe(true)
    expect(() => own.has('192.0.2.2')).toThrow('no AF_NETLINK')
  })
})

it.skipIf(libc === null)('the kernel agrees: 198.51.100.77 is nobody’s here, 127.0.0.1 ours', () => {
  if (libc !== null) askRoutingTable(libc)
  expect(isOwnAddress('198.51.100.77')).toBe(false)
  expect(isOwnAddress('127.0.0.1')).toBe(true)
})
