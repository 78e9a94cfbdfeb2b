import { describe, expect, it } from 'vitest'
import { payloadOf } from '../../../src/kernel/conntrack-payload.ts'

const idle = (family: 4 | 6, packets: number) => ({ packets, bytes: packets * (family === 4 ? 52 : 72) + 8 })

describe('the payload of a connection that conntrack counted', () => {
  it.each([
    [4, 5, 296],
    [6, 4, 324],
    [6, 5, 396],
  ] as const)('over IPv%i, %i packets and %i bytes, is the file of 28 bytes', (family, packets, bytes) => {
    const sent = { packets, bytes }
    expect(payloadOf(family, { sent, received: idle(family, 4) })).toEqual({
      sentBytes: 28,
      receivedBytes: 0,
    })
    expect(payloadOf(family, { sent: idle(family, 4), received: sent })).toEqual({
      sentBytes: 0,
      receivedBytes: 28,
    })
  })

  it('is known without timestamps too, as Windows has it', () => {
    const sent = { packets: 5, bytes: 5 * 40 + 12 + 28 }
    const received = { packets: 4, bytes: 4 * 40 + 12 }
    expect(payloadOf(4, { sent, received })).toEqual({ sentBytes: 28, receivedBytes: 0 })
  })

  it('is nothing of a connection that carried nothing, whatever its packets were', () => {
    expect(payloadOf(4, { sent: { packets: 0, bytes: 0 }, received: { packets: 0, bytes: 0 } })).toEqual({
      sentBytes: 0,
      receivedBytes: 0,
    })
    // SYN and RST: the second has no options. Not to the byte, but next to nothing.
    const { sentBytes } = payloadOf(4, {
      sent: { packets: 2, bytes: 100 },
      received: { packets: 1, bytes: 60 },
    })
    expect(sentBytes).toBeLessThanOrEqual(12)
  })
})
