import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { readProxyHeader, writeProxyHeader } from '../../../../src/tcp/proxy-protocol/header.ts'

const source = { address: '192.0.2.9', port: 50_000 }
const destination = { address: '203.0.113.9', port: 21 }
const source6 = { address: '2001:db8::9', port: 50_000 }
const destination6 = { address: '2001:db8:1::21', port: 2121 }

const text = (line: string) => readProxyHeader(Buffer.from(line, 'latin1'))

/** A binary header by hand: version and command, family and protocol, body. */
function binary(versionAndCommand: number, familyAndProtocol: number, body: Buffer): Buffer {
  const head = Buffer.from([versionAndCommand, familyAndProtocol, body.length >> 8, body.length & 255])
  return Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540a', 'hex'), head, body])
}

const body4 = Buffer.from([192, 0, 2, 9, 203, 0, 113, 9, 0xc3, 0x50, 0, 21])

describe('version 1', () => {
  it('names both ends', () => {
    expect(text('PROXY TCP4 192.0.2.9 203.0.113.9 50000 21\r\nUSER joe\r\n')).toEqual({
      type: 'whole',
      header: { length: 43, ends: { source, destination } },
    })
    expect(text('PROXY TCP6 2001:DB8::9 2001:db8:1::21 50000 2121\r\n')).toMatchObject({
      header: { ends: { source: source6, destination: destination6 } },
    })
  })

  it('may know nothing', () => {
    for (const line of ['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN whatever it likes\r\n']) {
      expect(text(line)).toEqual({ type: 'whole', header: { length: line.length, ends: null } })
    }
  })

  test.each([
    ['another protocol', 'PROXY UDP4 192.0.2.9 203.0.113.9 50000 21\r\n'],
    ['an address of the other family', 'PROXY TCP4 2001:db8::9 203.0.113.9 50000 21\r\n'],
    ['an address of the other family, in TCP6', 'PROXY TCP6 192.0.2.9 203.0.113.9 50000 21\r\n'],
    ['a name', 'PROXY TCP4 localhost 203.0.113.9 50000 21\r\n'],
    ['a port too large', 'PROXY TCP4 192.0.2.9 203.0.113.9 65536 21\r\n'],
    ['port 0', 'PROXY TCP4 192.0.2.9 203.0.113.9 0 21\r\n'],
    ['leading zeros', 'PROXY TCP4 192.0.2.9 203.0.113.9 050 21\r\n'],
    ['too few words', 'PROXY TCP4 192.0.2.9 203.0.113.9 21\r\n'],
    ['two blanks', 'PROXY TCP4  192.0.2.9 203.0.113.9 50000 21\r\n'],
    ['lower case', 'proxy TCP4 192.0.2.9 203.0.113.9 50000 21\r\n'],
    ['a line without end', `PROXY UNKNOWN ${'x'.repeat(107)}`],
    ['FTP', 'USER joe\r\n'],
  ])('is refused with %s', (_what, line) => {
    expect(text(line).type).toBe('wrong')
  })
})

describe('version 2', () => {
  it('names both ends, whatever stands behind the addresses', () => {
    for (const rest of [Buffer.alloc(0), Buffer.from('040003abcdef', 'hex')]) {
      const bytes = binary(0x21, 0x11, Buffer.concat([body4, rest]))
      expect(readProxyHeader(bytes)).toEqual({
        type: 'whole',
        header: { length: bytes.length, ends: { source, destination } },
      })
    }
  })

  it('may be about the balancer itself, or about nothing', () => {
    for (const bytes of [
      binary(0x20, 0x00, Buffer.alloc(0)),
      binary(0x20, 0x11, body4),
      binary(0x21, 0, body4),
    ]) {
      expect(readProxyHeader(bytes)).toEqual({ type: 'whole', header: { length: bytes.length, ends: null } })
    }
  })

  test.each([
    ['version 1', binary(0x11, 0x11, body4)],
    ['an unknown command', binary(0x22, 0x11, body4)],
    ['UDP', binary(0x21, 0x12, body4)],
    ['Unix sockets', binary(0x21, 0x31, Buffer.alloc(216))],
    ['too little for its family', binary(0x21, 0x21, body4)],
    ['port 0', binary(0x21, 0x11, Buffer.concat([body4.subarray(0, 8), Buffer.alloc(4)]))],
    ['more than any header has', binary(0x21, 0x11, Buffer.alloc(16_384))],
  ])('is refused with %s', (_what, bytes) => {
    expect(readProxyHeader(bytes).type).toBe('wrong')
  })
})

const endpoint4 = fc.record({ address: fc.ipV4(), port: fc.integer({ min: 1, max: 65_535 }) })
const endpoint6 = fc.record({
  address: fc
    .tuple(...Array.from({ length: 7 }, () => fc.integer({ min: 0, max: 0xffff })))
    .map((groups) => ['2001', ...groups.map((group) => group.toString(16))].join(':')),
  port: fc.integer({ min: 1, max: 65_535 }),
})
const ends = fc.oneof(fc.tuple(endpoint4, endpoint4), fc.tuple(endpoint6, endpoint6))

describe('what is written', () => {
  test.each(['v1', 'v2'] as const)('in %s is read again', (version) => {
    fc.assert(
      fc.property(ends, ([from, to]) => {
        const bytes = writeProxyHeader(version, { source: from, destination: to })
        const read = readProxyHeader(Buffer.concat([bytes, Buffer.from('USER joe\r\n')]))
        if (read.type !== 'whole' || read.header.ends === null) throw new Error(JSON.stringify(read))
        expect(read.header.length).toBe(bytes.length)
        expect(read.header.ends.source.port).toBe(from.port)
        // The text is canonical on the way back.
        const again = writeProxyHeader(version, read.header.ends)
        expect(readProxyHeader(again)).toMatchObject({ header: { ends: read.header.ends } })
      }),
    )
  })

  it('of two families is mapped, or nothing', () => {
    expect(String(writeProxyHeader('v1', { source: source6, destination }))).toBe('PROXY UNKNOWN\r\n')
    const read = readProxyHeader(writeProxyHeader('v2', { source: source6, destination }))
    expect(read).toMatchObject({ header: { ends: { source: source6, destination } } })
  })
})

test('a header that is cut anywhere is still awaited', () => {
  const headers = [
    writeProxyHeader('v1', { source, destination }),
    writeProxyHeader('v2', { source: source6, destination: destination6 }),
  ]
  for (const bytes of headers) {
    for (let count = 0; count < bytes.length; count += 1) {
      expect(readProxyHeader(bytes.subarray(0, count)).type).toBe('partial')
    }
  }
})

test('whatever comes is whole, awaited or wrong, and awaited no longer than a header can be', () => {
  const mark = fc.constantFrom(Buffer.alloc(0), Buffer.from('PROXY '), binary(0x21, 0x11, body4))
  fc.assert(
    fc.property(mark, fc.uint8Array({ maxLength: 300 }), (start, rest) => {
      const bytes = Buffer.concat([start, rest])
      const read = readProxyHeader(bytes)
      if (read.type === 'whole') expect(read.header.length).toBeLessThanOrEqual(bytes.length)
      if (read.type === 'partial') expect(bytes.length).toBeLessThan(16_384)
    }),
  )
})

describe('the TLS of a client, in version 2', () => {
  const facts = {
    alpn: 'ftp',
    authority: 'ftp.example.net',
    version: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    commonName: 'joe',
    isResumed: false,
  } as const

  /** Types and values of what stands behind the addresses; of SSL also what is in it. */
  function tlvsOf(bytes: Buffer, at = 28): [number, string][] {
    const found: [number, string][] = []
    for (let next = at; next < bytes.length; ) {
      const [type, length] = [bytes.readUInt8(next), bytes.readUInt16BE(next + 1)]
      const value = bytes.subarray(next + 3, next + 3 + length)
      found.push([type, type === 0x20 ? value.toString('hex', 0, 5) : value.toString()])
      if (type === 0x20) found.push(...tlvsOf(value, 5))
      next += 3 + length
    }
    return found
  }

  it('stands behind the addresses, which are read as ever', () => {
    const bytes = writeProxyHeader('v2', { source, destination }, facts)
    expect(tlvsOf(bytes)).toEqual([
      [0x01, 'ftp'],
      [0x02, 'ftp.example.net'],
      // TLS, a certificate on this connection and in this session, verified.
      [0x20, '0700000000'],
      [0x21, 'TLSv1.3'],
      [0x22, 'joe'],
      [0x23, 'TLS_AES_128_GCM_SHA256'],
    ])
    expect(readProxyHeader(bytes)).toEqual({
      type: 'whole',
      header: {
        length: bytes.length,
        ends: { source, destination },
        introduction: { serverName: 'ftp.example.net', tls: 'TLSv1.3' },
      },
    })
  })

  it('is read as far as it makes sense, and refused where its lengths lie', () => {
    const said = (hex: string) =>
      readProxyHeader(binary(0x21, 0x11, Buffer.concat([body4, Buffer.from(hex, 'hex')])))
    const name = (text: string) => {
      const bytes = Buffer.from(text)
      return `02${bytes.length.toString(16).padStart(4, '0')}${bytes.toString('hex')}`
    }
    expect(said(name('FTP.example.net.'))).toMatchObject({
      header: { introduction: { serverName: 'ftp.example.net', tls: null } },
    })
    // A name with a line end, TLS that is none, a version that is none.
    for (const hex of [name('a\r\nb'), '200005000000000000'.slice(0, 16), '']) {
      expect(said(hex)).toMatchObject({ type: 'whole' })
      expect(said(hex)).not.toHaveProperty('header.introduction')
    }
    expect(said('2000050100000001')).toMatchObject({
      header: { introduction: { serverName: null, tls: 'TLS' } },
    })
    for (const hex of ['02', '0200', '02000a61', '20000401000000', '2000080100000001210005']) {
      expect(said(hex)).toEqual({ type: 'wrong', why: 'what it says beside the addresses is torn' })
    }
  })

  it('says no more than is known', () => {
    const resumed = writeProxyHeader('v2', { source, destination }, { ...facts, isResumed: true })
    expect(tlvsOf(resumed)).toContainEqual([0x20, '0500000000'])
    const bare = { ...facts, alpn: null, authority: null, commonName: null }
    expect(tlvsOf(writeProxyHeader('v2', { source, destination }, bare))).toEqual([
      // TLS without a certificate that was verified.
      [0x20, '0100000001'],
      [0x21, 'TLSv1.3'],
      [0x23, 'TLS_AES_128_GCM_SHA256'],
    ])
    expect(String(writeProxyHeader('v1', { source, destination }, facts))).toMatch(
      /^PROXY TCP4 [0-9. ]+\r\n$/,
    )
  })
})
