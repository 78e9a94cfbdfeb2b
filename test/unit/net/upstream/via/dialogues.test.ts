import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TunnelDialogue, TunnelStep } from '../../../../../src/net/upstream/via/dialogue.ts'
import { httpConnect } from '../../../../../src/net/upstream/via/http-connect.ts'
import { socks5 } from '../../../../../src/net/upstream/via/socks5.ts'

const bytes = (...values: readonly number[]) => Buffer.from(values)

interface Talk {
  readonly said: string
  readonly last: TunnelStep | null
}

/** Plays the proxy's bytes into a dialogue, so many at a time; what we said, in hexadecimal. */
function talk(dialogue: TunnelDialogue, heard: Buffer, pieces = 1): Talk {
  const said = [dialogue.opening]
  for (let length = pieces; ; length += pieces) {
    const soFar = heard.subarray(0, length)
    for (let step = dialogue.read(soFar); step !== null; step = dialogue.read(soFar)) {
      if (step.type !== 'say') return { said: Buffer.concat(said).toString('hex'), last: step }
      said.push(step.bytes)
    }
    if (length >= heard.length) return { said: Buffer.concat(said).toString('hex'), last: null }
  }
}

const name = { host: 'ftp.example', port: 2121 }
const credentials = { user: 'me', password: 'secret' }
const granted = bytes(5, 0, 0, 1, 10, 0, 0, 1, 0x1f, 0x90)

describe('SOCKS5', () => {
  it('asks for the name, without authentication', () => {
    const { said, last } = talk(
      socks5(name, null),
      Buffer.concat([bytes(5, 0), granted, Buffer.from('220 hi')]),
    )
    expect(said).toBe(`050100${'05010003'}0b${Buffer.from('ftp.example').toString('hex')}0849`)
    expect(last).toEqual({ type: 'open', length: 12 })
  })

  it('sends user and password where the proxy asks for them', () => {
    const { said, last } = talk(socks5(name, credentials), Buffer.concat([bytes(5, 2, 1, 0), granted]))
    expect(
      said.startsWith(
        `05020002${'01'}02${Buffer.from('me').toString('hex')}06${Buffer.from('secret').toString('hex')}`,
      ),
    ).toBe(true)
    expect(last).toEqual({ type: 'open', length: 14 })
  })

  it.each([
    ['192.0.2.7', '01c0000207'],
    ['2001:db8::1', '0420010db8000000000000000000000001'],
  ])('sends the address %s as it is', (host, expected) => {
    expect(talk(socks5({ host, port: 21 }, null), bytes(5, 0)).said).toBe(`050100050100${expected}0015`)
  })

  it.each([
    [
      bytes(5, 0xff),
      'proxy_refused',
      'it accepts none of our ways to authenticate: no user and password are configured',
    ],
    [bytes(5, 2), 'proxy_refused', 'it chose method 2: no user and password are configured'],
    [Buffer.from('HTTP/1.1 400'), 'proxy_refused', 'it does not speak SOCKS5'],
    [bytes(5, 0, 5, 2), 'proxy_refused', 'not allowed by its rules'],
    [bytes(5, 0, 5, 4), 'unreachable', 'host unreachable'],
    [bytes(5, 0, 5, 5), 'refused', 'connection refused'],
    [bytes(5, 0, 5, 6), 'timeout', 'TTL expired'],
    [bytes(5, 0, 5, 99), 'proxy_refused', 'failure 99'],
  ])('says what %o means', (heard, reason, detail) => {
    expect(talk(socks5(name, null), heard).last).toEqual({ type: 'refused', reason, detail })
  })

  it('a refused password is the proxy’s refusal', () => {
    const { last } = talk(socks5(name, credentials), bytes(5, 2, 1, 1))
    expect(last).toEqual({
      type: 'refused',
      reason: 'proxy_refused',
      detail: 'it does not accept user and password',
    })
  })

  it('reads replies with any bound address, in pieces of any size, and not a byte of the server', () => {
    const bound = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }).map((address) => Buffer.from([1, ...address])),
      fc.uint8Array({ minLength: 16, maxLength: 16 }).map((address) => Buffer.from([4, ...address])),
      fc.uint8Array({ maxLength: 255 }).map((host) => Buffer.from([3, host.length, ...host])),
    )
    fc.assert(
      fc.property(
        bound,
        fc.nat(0xffff),
        fc.uint8Array(),
        fc.integer({ min: 1, max: 400 }),
        (address, port, server, pieces) => {
          const reply = Buffer.concat([bytes(5, 0, 5, 0, 0), address, bytes(port >> 8, port & 0xff)])
          const { last } = talk(socks5(name, null), Buffer.concat([reply, server]), pieces)
          expect(last).toEqual({ type: 'open', length: reply.length })
        },
      ),
    )
  })

  it('survives whatever a proxy says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.integer({ min: 1, max: 50 }), (heard, pieces) => {
        const { last } = talk(socks5(name, credentials), Buffer.from(heard), pieces)
        expect(last === null || last.type !== 'open' || last.length <= heard.length).toBe(true)
      }),
    )
  })
})

describe('HTTP CONNECT', () => {
  const opened = 'HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n'

  it('names the server, with credentials where there are any', () => {
    expect(httpConnect(name, null).opening.toString()).toBe(
      'CONNECT ftp.example:2121 HTTP/1.1\r\nHost: ftp.example:2121\r\n\r\n',
    )
    expect(httpConnect({ host: '2001:db8::1', port: 21 }, credentials).opening.toString()).toBe(
      'CONNECT [2001:db8::1]:21 HTTP/1.1\r\nHost: [2001:db8::1]:21\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n',
    )
  })

  it.each([1, 7, 1000])('reads its answer in pieces of %i, and not a byte of the server', (pieces) => {
    const { last } = talk(httpConnect(name, null), Buffer.from(`${opened}220 hi\r\n\r\n`), pieces)
    expect(last).toEqual({ type: 'open', length: opened.length })
  })

  it.each([
    [
      'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
      'proxy_refused',
      'HTTP/1.1 407 Proxy Authentication Required',
    ],
    ['HTTP/1.0 403 Forbidden\r\n\r\n', 'proxy_refused', 'HTTP/1.0 403 Forbidden'],
    ['HTTP/1.1 502 Bad Gateway\r\n\r\n', 'unreachable', 'HTTP/1.1 502 Bad Gateway'],
    ['HTTP/1.1 504 Gateway Timeout\r\n\r\n', 'timeout', 'HTTP/1.1 504 Gateway Timeout'],
    ['220 FTP server ready\r\n\r\n', 'proxy_refused', 'it does not speak HTTP'],
    ['x'.repeat(16 * 1024 + 1), 'proxy_refused', 'it does not speak HTTP'],
  ])('says what %j means', (heard, reason, detail) => {
    expect(talk(httpConnect(name, null), Buffer.from(heard), 500).last).toEqual({
      type: 'refused',
      reason,
      detail,
    })
  })
})
