import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { AlgError } from '../../../src/errors.ts'
import { createAdminServer } from '../../../src/observe/admin.ts'
import { notedOperations } from '../../support/operations.ts'
import { ask, isReady, open, startAdmin, talk } from './admin-fixture.ts'
import { observe } from './fixture.ts'

describe('HTTP', () => {
  test('every answer forbids caching, sniffing, framing and whatever else a page could be used for', async () => {
    const { port } = await startAdmin()
    for (const path of [
      '/',
      '/script.js',
      '/style.css',
      '/metrics',
      '/livez',
      '/api/v1/status',
      '/nothing',
    ]) {
      const { headers } = await ask({ port, path })
      expect(headers['cache-control']).toBe('no-store')
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['content-security-policy']).toMatch(/^default-src 'none';.*frame-ancestors 'none'$/)
    }
  })

  test('only GET and HEAD are taken', async () => {
    const { port } = await startAdmin()
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
      const { status, headers } = await ask({ port, path: '/livez', method })
      expect([method, status, headers.allow]).toEqual([method, 405, 'GET, HEAD'])
    }
    const head = await ask({ port, path: '/livez', method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': '3' } })
  })

  test('an unknown path is 404, and so is what every object has', async () => {
    const { get } = await startAdmin()
    for (const path of ['/api', '/metrics/', '/constructor', '/__proto__', '/../etc/passwd', '//x/livez']) {
      expect([path, (await get(path)).status]).toEqual([path, 404])
    }
  })

  test('headers beyond 8 KiB are refused', async () => {
    const { port } = await startAdmin()
    const text = await talk(port, `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(9000)}\r\n\r\n`)
    expect(text).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('what is not HTTP is refused', async () => {
    const { port } = await startAdmin()
    expect(await talk(port, 'USER anonymous\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
  })

  test('a peer that resets in mid-request, or never says anything, harms nobody', async () => {
    const { port, get } = await startAdmin()
    for (let n = 0; n < 20; n += 1) {
      const socket = await open(port)
      socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n')
      socket.resetAndDestroy()
    }
    const silent = await Promise.all(Array.from({ length: 20 }, () => open(port)))
    expect((await get('/livez')).status).toBe(200)
    for (const socket of silent) socket.destroy()
  })

  test('beyond 64 connections, the oldest that is kept open for nothing makes room', async () => {
    const { port, get } = await startAdmin()
    const idle = await Promise.all(
      Array.from({ length: 64 }, async () => {
        const socket = await open(port)
        socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
        await once(socket, 'data')
        return socket
      }),
    )
    expect((await get('/livez')).status).toBe(200)
    for (const socket of idle) socket.destroy()
  })

  test('two hundred that never finish their question keep no probe out', async () => {
    const { port, get } = await startAdmin()
    const slow = []
    for (let n = 0; n < 200; n += 1) {
      const socket = await open(port)
      socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ')
      slow.push(socket)
      if (n % 20 === 0) expect([n, (await get('/readyz')).status]).toEqual([n, 200])
    }
    expect((await get('/readyz')).status).toBe(200)
    for (const socket of slow) socket.destroy()
  })

  test('a request that is being answered is not what makes room', async () => {
    const { observer } = observe()
    let answer = () => {}
    const asked = new Promise<void>((resolve) => {
      observer.exposition = () => {
        resolve()
        return new Promise((answered) => {
          answer = () => answered('late 1\n')
        })
      }
    })
    const { port, get } = await startAdmin({ observer })
    const page = await open(port)
    page.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    await asked
    const silent = []
    for (let n = 0; n < 100; n += 1) silent.push(await open(port))
    expect((await get('/livez')).status).toBe(200)
    answer()
    expect(String(await once(page, 'data'))).toMatch(/^HTTP\/1\.1 200 /)
    for (const socket of [page, ...silent]) socket.destroy()
  })
})

const { operations } = notedOperations()

describe('start and stop', () => {
  test('an address in use is an AlgError that names it', async () => {
    const { port, observer } = await startAdmin()
    const second = createAdminServer({
      observer,
      ready: isReady,
      listen: { address: '127.0.0.1', port },
      operations,
    })
    const error = await second.start().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(AlgError)
    expect(error).toMatchObject({
      code: 'LISTEN_FAILED',
      message: `cannot listen for admin on 127.0.0.1 port ${port}: address already in use (EADDRINUSE)`,
      context: { address: '127.0.0.1', port, errno: 'EADDRINUSE' },
    })
    await second.stop()
  })

  test('an address that is not ours likewise', async () => {
    const { observer } = observe()
    const server = createAdminServer({
      observer,
      ready: isReady,
      listen: { address: '192.0.2.1', port: 9121 },
      operations,
    })
    await expect(server.start()).rejects.toThrow('192.0.2.1 port 9121: address not available (EADDRNOTAVAIL)')
  })

  test('stopping closes the listener and connections that are kept alive', async () => {
    const { port, server } = await startAdmin()
    const socket = await open(port)
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'data')
    const closed = once(socket, 'close')
    await server.stop()
    await closed
    await expect(ask({ port, path: '/livez' })).rejects.toThrow('ECONNREFUSED')
  })
})
