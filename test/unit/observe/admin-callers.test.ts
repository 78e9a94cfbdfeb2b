import { describe, expect, test } from 'vitest'
import { rejectionOf } from '../../../src/observe/admin/callers.ts'
import { ask, startAdmin } from './admin-fixture.ts'

const statusOf = (
  headers: Parameters<typeof rejectionOf>[0]['headers'],
  { path = '/api/v1/sessions', isLoopback = true } = {},
) => rejectionOf({ headers, path, isLoopback })?.status ?? null

describe('who may read the admin server', () => {
  test('whatever is not a browser and asks for an address or a local name', () => {
    const hosts = [
      '127.0.0.1:9121',
      '[::1]:9121',
      '::1',
      'localhost:9121',
      'LOCALHOST',
      'ftp.localhost',
      'gateway:9121',
      '10.0.0.1',
      '',
    ]
    for (const host of hosts) expect([host, statusOf({ host })]).toEqual([host, null])
  })

  test('not a page whose name was made to point at loopback', () => {
    for (const host of [
      'evil.example:9121',
      'evil.example',
      'a.127.0.0.1.evil.example',
      '127.0.0.1.evil.example',
      'evil.example.',
    ]) {
      expect([host, statusOf({ host })]).toEqual([host, 421])
      expect(statusOf({ host }, { path: '/' })).toBe(421)
      expect(statusOf({ host }, { path: '/api/v1/sessions' })).toBe(421)
    }
  })

  test('anybody for figures and probes, which name nobody', () => {
    for (const path of ['/metrics', '/livez', '/readyz']) {
      expect([path, statusOf({ host: 'metrics.example.net' }, { path })]).toEqual([path, null])
    }
  })

  test('by any name where the listener is not on loopback: in a cluster names have dots', () => {
    expect(statusOf({ host: 'ftp-alg.ftp.svc.cluster.local:9121' }, { isLoopback: false })).toBeNull()
  })

  test('a browser behind a TLS proxy that keeps the name', () => {
    const host = 'ftp-status.example.net'
    expect(statusOf({ host, 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' })).toBeNull()
    expect(statusOf({ host, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' })).toBeNull()
  })

  test('not what another web page loads, but whoever follows a link', () => {
    const host = '127.0.0.1:9121'
    for (const site of ['cross-site', 'same-site']) {
      expect(statusOf({ host, 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors' })).toBe(403)
      expect(
        statusOf({ host, 'sec-fetch-site': site, 'sec-fetch-mode': 'cors' }, { isLoopback: false }),
      ).toBe(403)
      expect(statusOf({ host, 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate' })).toBeNull()
    }
  })

  test('is told why not', async () => {
    const { port } = await startAdmin()
    const foreign = await ask({ port, path: '/', headers: { Host: 'evil.example' } })
    expect(foreign.status).toBe(421)
    expect(foreign.body).toBe(
      'this listener is on loopback and does not know the name evil.example; ask for localhost or an address, or let the proxy in between send one as Host\n',
    )
    const loaded = await ask({
      port,
      path: '/metrics',
      headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' },
    })
    expect([loaded.status, loaded.body]).toEqual([
      403,
      'other web pages may link here, but not load from here\n',
    ])
  })
})
