import { endianness } from 'node:os'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { flowOf, keyOf, readFlow } from '../../../src/kernel/conntrack.ts'
import {
  answerErrno,
  eachAttribute,
  eachMessage,
  type NetlinkMessage,
  NetlinkWriter,
  NFGENMSG,
} from '../../../src/kernel/netlink.ts'
import { writeBatch } from '../../../src/kernel/nft-elements.ts'
import { addressText } from '../../../src/kernel/sockaddr.ts'

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'))

function messagesIn(bytes: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = []
  eachMessage(view(bytes), (message) => messages.push(message))
  return messages
}

/** As eachAttribute, but to any depth: `'3/1/1'` for an attribute in attributes. */
function attributesIn(bytes: Uint8Array, { start, end }: NetlinkMessage, nested: readonly string[]) {
  const found = new Map<string, string>()
  const walk = (from: number, to: number, prefix: string) => {
    eachAttribute(view(bytes), from, to, (type, valueStart, valueEnd) => {
      const path = `${prefix}${type}`
      if (nested.includes(path)) walk(valueStart, valueEnd, `${path}/`)
      else found.set(path, Buffer.from(bytes.subarray(valueStart, valueEnd)).toString('hex'))
    })
  }
  walk(start + NFGENMSG, end, '')
  return Object.fromEntries(found)
}

// The bytes are those of a little-endian machine.
describe.runIf(endianness() === 'LE')('netlink messages', () => {
  it('writes a transaction that adds one element with a timeout and a comment', () => {
    const writer = new NetlinkWriter()
    const set = { family: 'ip', table: 'ftp_alg', set: 'once' } as const
    const key = bytesOf('0a000005 c0000201 9c410000')
    const first = writeBatch(writer, [{ action: 'add', set, key, timeoutMs: 61_000, comment: 'k3v9x0q2m1' }])
    const bytes = writer.written()
    const messages = messagesIn(bytes)
    expect(messages.map(({ type, flags }) => [type, flags])).toEqual([
      [0x10, 1], // NFNL_MSG_BATCH_BEGIN
      [0x0a0c, 0x405], // NFT_MSG_NEWSETELEM: REQUEST, ACK, CREATE
      [0x11, 1], // NFNL_MSG_BATCH_END
    ])
    expect(messages[1]?.sequence).toBe(first)
    const attributes = attributesIn(bytes, messages[1]!, ['3', '3/1', '3/1/1'])
    expect(attributes).toEqual({
      1: Buffer.from('ftp_alg\0').toString('hex'),
      2: Buffer.from('once\0').toString('hex'),
      '3/1/1/1': '0a000005c00002019c410000',
      '3/1/4': '000000000000ee48', // 61,000 ms in network order
      '3/1/6': `000b${Buffer.from('k3v9x0q2m1\0').toString('hex')}`,
    })
  })

  it('writes the value of a map, and only the key when it deletes', () => {
    const writer = new NetlinkWriter()
    const set = { family: 'ip6', table: 'ftp_alg', set: 'forward' } as const
    const key = new Uint8Array(36)
    const value = bytesOf('20010db8000000000000000000000009 13890000')
    writeBatch(writer, [
      { action: 'delete', set, key, value, timeoutMs: 1 },
      { action: 'add', set, key, value },
    ])
    const bytes = writer.written()
    const [, deletion, addition] = messagesIn(bytes)
    expect([deletion?.type, deletion?.flags, addition?.type]).toEqual([0x0a0e, 1, 0x0a0c])
    expect(Object.keys(attributesIn(bytes, deletion!, ['3', '3/1', '3/1/1', '3/1/2']))).toEqual([
      '1',
      '2',
      '3/1/1/1',
    ])
    expect(attributesIn(bytes, addition!, ['3', '3/1', '3/1/1', '3/1/2'])['3/1/2/1']).toBe(
      '20010db800000000000000000000000913890000',
    )
  })

  it('pads attributes with zeros, whatever was written there before', () => {
    const writer = new NetlinkWriter()
    writer.beginMessage({ type: 1, flags: 0, family: 0 })
    writer.uint32(1, 0xffffffff)
    writer.reset()
    writer.beginMessage({ type: 1, flags: 0, family: 0 })
    writer.uint8(1, 0xaa)
    writer.endMessage()
    expect(Buffer.from(writer.written().subarray(20)).toString('hex')).toBe('05000100aa000000')
  })

  it('reads the beginning of a connection', () => {
    // As conntrack writes it for a SYN from 127.0.0.1:43454 to 127.0.0.1:7777 with mark 0xf7.
    const bytes = bytesOf(`
      58000000 00010006 00000000 00000000  02000000
      34000180 14000180 08000100 7f000001 08000200 7f000001
               1c000280 05000100 06000000 06000200 a9be0000 06000300 1e610000
      08000800 000000f7 08000300 00000088`)
    bytes[0] = bytes.length
    const [message] = messagesIn(bytes)
    const flow = { from: { address: '127.0.0.1', port: 43454 }, to: { address: '127.0.0.1', port: 7777 } }
    expect(readFlow(view(bytes), message!)).toEqual({
      key: keyOf(flow),
      flow,
      state: 'open',
      bytes: null,
    })
  })

  it('reads the end of a connection and what it carried', () => {
    const bytes = bytesOf(`
      00000000 00010000 00000000 00000000  0a000000
      4c000180 2c000180 14000300 20010db8000000000000000000000005 14000400 20010db8000000000000000000000009
               1c000280 05000100 06000000 06000200 c3500000 06000300 75300000
      10000480 0c000180 05000100 07000000
      1c000980 0c000100 0000000000000005 0c000200 0000000000000123
      1c000a80 0c000100 0000000000000004 0c000200 0000000100000000`)
    bytes[0] = bytes.length
    const [message] = messagesIn(bytes)
    const flow = {
      from: { address: '2001:db8::5', port: 50000 },
      to: { address: '2001:db8::9', port: 30000 },
    }
    expect(readFlow(view(bytes), message!)).toEqual({
      key: keyOf(flow),
      flow,
      state: 'closed',
      // Without 5 and 4 headers of IPv6 and TCP, and the options of the first.
      bytes: { sentBytes: 0, receivedBytes: 2 ** 32 - 4 * 60 - 12 },
    })
  })

  it('names a connection as conntrack does, and understands the name', () => {
    const endpoint = (address: fc.Arbitrary<string>) =>
      fc.record({ address, port: fc.integer({ min: 0, max: 65_535 }) })
    const v4 = fc.ipV4()
    // In canonical words; a mapped address is an IPv4 one.
    const v6 = fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((bytes) => addressText(bytes))
      .filter((address) => address.includes(':'))
    const flows = fc.oneof(
      fc.record({ from: endpoint(v4), to: endpoint(v4) }),
      fc.record({ from: endpoint(v6), to: endpoint(v6) }),
    )
    fc.assert(
      fc.property(flows, (flow) => {
        expect(flowOf(keyOf(flow))).toEqual(flow)
      }),
    )
    const bytes = bytesOf('14000180 08000100 7f000001 08000200 7f000001')
    const ports = bytesOf('1c000280 05000100 06000000 06000200 a9be0000 06000300 1e610000')
    const [from, to] = [43_454, 7777].map((port) => ({ address: '127.0.0.1', port }))
    expect(Buffer.from(keyOf({ from: from!, to: to! }), 'latin1')).toEqual(Buffer.concat([bytes, ports]))
  })

  it('understands no name that is cut off, or of something else than TCP', () => {
    const key = keyOf({ from: { address: '10.0.0.5', port: 1 }, to: { address: '10.0.0.9', port: 2 } })
    for (let length = 0; length < key.length; length += 1) {
      // The last attribute may lose its padding.
      if (length < key.length - 2) expect(flowOf(key.slice(0, length))).toBeNull()
    }
    const udp = key.replace('\x05\0\x01\0\x06', '\x05\0\x01\0\x11')
    expect(udp).not.toBe(key)
    expect(flowOf(udp)).toBeNull()
  })

  it('reads the errno of an answer', () => {
    const bytes = bytesOf('24000000 02000000 07000000 00000000 feffffff 14000000 0c0a0504 07000000 00000000')
    const [message] = messagesIn(bytes)
    expect(message?.sequence).toBe(7)
    expect(answerErrno(view(bytes), message!)).toBe(2)
  })

  it('stops at a message or an attribute that claims more than there is', () => {
    expect(messagesIn(bytesOf('ff000000 00010000 00000000 00000000'))).toEqual([])
    expect(messagesIn(bytesOf('00000000 00010000 00000000 00000000'))).toEqual([])
    const bytes = bytesOf('18000000 00010000 00000000 00000000 02000000 ff000100')
    expect(readFlow(view(bytes), messagesIn(bytes)[0]!)).toBeNull()
  })
})
