import { describe, expect, it } from 'vitest'
import { printConfig } from '../../../src/config/effective.ts'
import { configOf, load, mistakesIn } from './sources.ts'

const pair = '{ certificate: /etc/ftp-alg/edge.crt, key: /etc/ftp-alg/edge.key }'
const listener = (keys: string) => `listeners: [{ upstream: ftp.example.net, ${keys} }]\n`

describe('TLS of a listener', () => {
  it('is off, and not there, unless it is asked for', () => {
    const [plain] = configOf(listener('tls: { mode: off }, upstreamTls: {}')).listeners
    expect(plain).not.toHaveProperty('tls')
    expect(plain).not.toHaveProperty('upstreamTls')
  })

  it('has strict defaults', () => {
    const text = listener(`tls: { mode: required, certificates: [${pair}] }, upstreamTls: { mode: required }`)
    expect(configOf(text).listeners[0]).toMatchObject({
      tls: {
        mode: 'required',
        minVersion: 'TLSv1.2',
        dataReuse: 'offered',
        truncation: 'refuse',
        alpn: 'strict',
      },
      upstreamTls: { mode: 'required', verify: 'full', ca: null, dataProtection: 'required' },
    })
  })

  it('is printed as a file that says the same', () => {
    const text = listener(
      `tls: { mode: implicit, certificates: [${pair}], ciphers: { tls13: TLS_AES_128_GCM_SHA256 } }, upstreamTls: { mode: as-client, ca: /etc/ca.crt }`,
    )
    const config = configOf(text)
    expect(configOf(printConfig(config))).toEqual(config)
  })

  it.each([
    ['tls: { mode: required }', /tls\.certificates: is needed when tls\.mode is required/],
    [
      `tls: { mode: required, certificates: [${pair}], clientCertificates: required }`,
      /tls\.clientCa: is needed/,
    ],
    ['upstreamTls: { mode: as-client }', /upstreamTls\.mode: has no client with TLS to follow/],
    ['upstreamTls: { mode: required, verify: pin }', /upstreamTls\.pins: is needed when verify is pin/],
    ['upstreamTls: { mode: required, key: /etc/a.key }', /upstreamTls\.certificate: is missing/],
    ['upstreamTls: { mode: required, pins: [abc] }', /upstreamTls\.pins\[0\]: is not the name of a pin/],
    ['tls: { mode: required, certificates: [{ certificate: a.crt, key: /b }] }', /is not an absolute path/],
  ])('%s is a mistake', (keys, mistake) => {
    expect(mistakesIn(listener(keys)).join('\n')).toMatch(mistake)
  })

  it.each([
    ['upstreamTls: { mode: required, verify: none }', /lets anybody be the server/],
    ['upstreamTls: { mode: optional }', /goes on in clear with a server that refuses TLS/],
  ])('%s is warned about', (keys, warning) => {
    expect(load(listener(keys)).warnings.join('\n')).toMatch(warning)
  })
})
