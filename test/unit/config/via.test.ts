import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { formatVia, parseVia } from '../../../src/config/via.ts'
import { configOf, load, mistakesIn } from './sources.ts'

const pool = (via: string, listener = 'upstreamMode: passive') => `upstreams:
  - { name: far, servers: [{ address: ftp.example }], via: '${via}' }
listeners: [{ name: out, listen: '127.0.0.1:2121', upstream: far, ${listener} }]
`

describe('via', () => {
  it.each([
    [
      'socks5://proxy.internal',
      { protocol: 'socks5', host: 'proxy.internal', port: 1080, credentials: null },
    ],
    ['http://Proxy:8080/', { protocol: 'http', host: 'proxy', port: 8080, credentials: null }],
    ['http://[2001:db8::1]', { protocol: 'http', host: '2001:db8::1', port: 3128, credentials: null }],
    [
      'socks5://me%40home:a%3Ab@10.0.0.1:1080',
      { protocol: 'socks5', host: '10.0.0.1', port: 1080, credentials: { user: 'me@home', password: 'a:b' } },
    ],
  ])('%s', (text, value) => {
    expect(parseVia(text)).toEqual({ ok: true, value })
    expect(configOf(pool(text)).upstreams[0]?.via).toEqual(value)
  })

  it.each([
    ['https://proxy', 'is not the URL of a proxy'],
    ['proxy:1080', 'is not the URL of a proxy'],
    ['socks5://proxy:70000', 'has a port above 65535'],
    ['socks5://me@proxy', 'has a user and no password'],
    ['socks5://:secret@proxy', 'has no user before the colon'],
    ['socks5://me:%zz@proxy', 'has a % that is not followed by two hexadecimal digits of UTF-8'],
    [`socks5://me:${'x'.repeat(256)}@proxy`, 'has a user or password of more than 255 bytes'],
  ])('%s is a mistake that shows no password', (text, reason) => {
    const [mistake = '', ...others] = mistakesIn(pool(text))
    expect(others).toEqual([])
    expect(mistake).toContain(`upstreams[0].via: ${reason} (given `)
    expect(mistake).not.toContain('secret')
    expect(mistake).not.toContain('xxxx')
  })

  test('is printed without the password', () => {
    const parsed = parseVia('http://me:secret@proxy')
    expect(parsed.ok && formatVia(parsed.value)).toBe('http://me:****@proxy:3128')
  })

  test('what is printed is read again', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 50, unit: 'grapheme' }), (user) => {
        const credentials = { user, password: '****' }
        const via = { protocol: 'http', host: 'proxy', port: 1, credentials } as const
        expect(parseVia(formatVia(via))).toEqual({ ok: true, value: via })
      }),
    )
  })

  test('needs passive mode: a proxy brings no connections', () => {
    expect(mistakesIn(pool('socks5://proxy', 'upstreamMode: client'))).toEqual([
      expect.stringContaining(
        'listeners[0].upstreamMode: has to be passive for pool far, whose servers are behind the proxy of via (given "client", allowed passive)',
      ),
    ])
    expect(load(pool('socks5://proxy')).warnings).toEqual([])
    expect(mistakesIn(pool('socks5://proxy', 'upstreamMode: passive, source: client'))).toContainEqual(
      expect.stringContaining(
        'listeners[0].source: has no use for pool far: the proxy of via connects to its servers',
      ),
    )
  })
})
