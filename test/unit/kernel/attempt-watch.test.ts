import { describe, expect, it } from 'vitest'
import { readAttempt } from '../../../src/kernel/attempt-watch.ts'
import { eachMessage, NetlinkWriter } from '../../../src/kernel/netlink.ts'

const payloadAttribute = 9
const packetMessage = 4 << 8

/** The answer of the reader to one logged packet, given in hex. */
function read(packet: string) {
  const writer = new NetlinkWriter()
  writer.beginMessage({ type: packetMessage, flags: 0, family: 2 })
  writer.uint32(2, 0xf7)
  writer.bytes(payloadAttribute, Buffer.from(packet.replaceAll(/\s/g, ''), 'hex'))
  writer.endMessage()
  const bytes = writer.written()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const found: unknown[] = []
  eachMessage(view, (message) => found.push(readAttempt(view, message)))
  expect(found).toHaveLength(1)
  return found[0]
}

const ports = 'c351 7531'
const v4 = (headWords: number, protocol: string, options = '') =>
  `4${headWords}00 003c 0000 4000 40${protocol} 0000 0a000042 c0000201 ${options}`
const v6 = (next: string) =>
  `60000000 0028 ${next} 40 20010db8000000000000000000000042 20010db8000000000000000000000001`

describe('a logged packet', () => {
  const attempt = {
    from: { address: '10.0.0.66', port: 50_001 },
    to: { address: '192.0.2.1', port: 30_001 },
  }
  const attempt6 = {
    from: { address: '2001:db8::42', port: 50_001 },
    to: { address: '2001:db8::1', port: 30_001 },
  }

  it('tells who and where to, with IP options too', () => {
    expect(read(`${v4(5, '06')} ${ports}`)).toEqual(attempt)
    expect(read(`${v4(6, '06', '01010101')} ${ports}`)).toEqual(attempt)
  })

  it('over IPv6 has its ports behind any number of extension headers', () => {
    expect(read(`${v6('06')} ${ports}`)).toEqual(attempt6)
    expect(read(`${v6('00')} 3c00 000000000000 0601 0000000000000000000000000000 ${ports}`)).toEqual(attempt6)
  })

  it.each([
    ['nothing', ''],
    ['no TCP', `${v4(5, '11')} ${ports}`],
    ['no TCP over IPv6', `${v6('3a')} ${ports}`],
    ['cut before the ports', `${v4(5, '06')} c351`],
    ['cut before the ports over IPv6', v6('06')],
    ['cut in an extension header', `${v6('00')} 06`],
    ['of no IP version that there is', 'f0'],
  ])('says nothing when it is %s', (_name, packet) => {
    expect(read(packet)).toBeNull()
  })
})
