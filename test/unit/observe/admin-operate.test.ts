import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { mayDrain } from '../../../src/observe/admin/permission.ts'
import { notedOperations } from '../../support/operations.ts'
import { ask, startAdmin } from './admin-fixture.ts'
import { observe } from './fixture.ts'

const folder = mkdtempSync(join(inject('temporaryFolder'), 'token-'))
const secret = 'correct-horse-battery'
const tokenFile = join(folder, 'admin.token')
writeFileSync(tokenFile, `${secret}\n`)

const bearer = { Authorization: `Bearer ${secret}` }
const session = '/api/v1/sessions/k3v9x0q2m1/end'

async function start({
  token = tokenFile as string | null,
  drainFrom = ['10.0.0.0/8'],
  isEmpty = true,
} = {}) {
  const noted = notedOperations({ isEmpty })
  const watched = observe()
  const { port } = await startAdmin({
    observer: watched.observer,
    operations: noted.operations,
    ...(token === null ? {} : { token }),
    drainFrom,
  })
  return {
    ...noted,
    ...watched,
    port,
    post: (path: string, headers: Readonly<Record<string, string>> = bearer) =>
      ask({ port, path, method: 'POST', headers }),
  }
}

describe('whoever shows the token', () => {
  test('ends a session, and hears when there is none of that id', async () => {
    const { post, calls, linesOf } = await start()
    const ended = await post(session)
    expect([ended.status, JSON.parse(ended.body)]).toEqual([200, { ended: 'k3v9x0q2m1' }])
    const missing = await post('/api/v1/sessions/0000000000/end')
    expect([missing.status, missing.body]).toEqual([404, 'there is no session 0000000000\n'])
    expect(calls).toEqual([
      ['end', 'k3v9x0q2m1'],
      ['end', '0000000000'],
    ])
    expect(linesOf('admin.act')).toMatchObject([
      { action: 'end_session', session_id: 'k3v9x0q2m1', client_ip: '127.0.0.1' },
    ])
  })

  test('drains and resumes all listeners, or those that it names', async () => {
    const { post, calls } = await start({ isEmpty: false })
    expect(JSON.parse((await post('/api/v1/drain')).body)).toEqual({
      drained: ['edge', 'inner'],
      empty: null,
    })
    expect(JSON.parse((await post('/api/v1/drain?listener=inner&end=true&wait=2')).body)).toEqual({
      drained: ['inner'],
      empty: false,
    })
    expect(JSON.parse((await post('/api/v1/resume?listener=inner')).body)).toEqual({ resumed: ['inner'] })
    expect(calls).toEqual([
      ['drain', { listeners: [], endsSessions: false }],
      ['drain', { listeners: ['inner'], endsSessions: true }],
      ['wait', 2000],
      ['resume', ['inner']],
    ])
  })

  test('is told what is wrong with a listener or a time', async () => {
    const { post, calls } = await start()
    for (const [path, text] of [
      ['/api/v1/drain?listener=egde', 'there is no listener "egde" (allowed edge, inner)\n'],
      ['/api/v1/resume?listener=', 'there is no listener "" (allowed edge, inner)\n'],
      [
        '/api/v1/drain?wait=5m',
        'wait is not a number of seconds (given "5m", allowed 0 to 86400, as in 300s)\n',
      ],
    ] as const) {
      const { status, body } = await post(path)
      expect([path, status, body]).toEqual([path, 400, text])
    }
    expect(calls).toEqual([])
  })

  test('must use POST, so that no link changes anything', async () => {
    const { port, calls } = await start()
    for (const path of [session, '/api/v1/drain', '/api/v1/resume']) {
      const { status, headers } = await ask({ port, path, headers: bearer })
      expect([path, status, headers.allow]).toEqual([path, 405, 'POST'])
    }
    expect(calls).toEqual([])
  })
})

describe('nothing is done', () => {
  test('without the token, or with another', async () => {
    const { post, calls, linesOf } = await start()
    for (const headers of [
      {},
      { Authorization: secret },
      { Authorization: `Basic ${secret}` },
      { Authorization: 'Bearer ' },
      { Authorization: `Bearer ${secret}x` },
      { Authorization: `Bearer ${secret.slice(1)}` },
      { Cookie: `token=${secret}` },
    ]) {
      for (const path of [session, '/api/v1/drain', '/api/v1/resume']) {
        const { status, headers: answered } = await post(path, headers as Record<string, string>)
        expect([path, headers, status, answered['www-authenticate']]).toEqual([path, headers, 401, 'Bearer'])
      }
    }
    expect(calls).toEqual([])
    expect(linesOf('admin.refuse')[0]).toMatchObject({
      action: 'end_session',
      client_ip: '127.0.0.1',
      reason: 'needs the header Authorization: Bearer TOKEN',
    })
  })

  test('where the configuration names no token', async () => {
    const { post, calls } = await start({ token: null })
    const { status, body } = await post(session)
    expect([status, body]).toEqual([
      403,
      'this changes something, and the configuration has no admin.token\n',
    ])
    expect(calls).toEqual([])
  })

  test('for the page of another site, even with the token', async () => {
    const { post, port, calls } = await start()
    const host = `127.0.0.1:${port}`
    for (const headers of [
      { Origin: 'http://evil.example' },
      { Origin: 'null' },
      { Origin: `http://evil.example:${port}` },
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site', Origin: `http://${host}` },
    ]) {
      const { status } = await post(session, { ...bearer, ...headers } as Record<string, string>)
      expect([headers, status]).toEqual([headers, 403])
    }
    expect(calls).toEqual([])
    const own = await post(session, { ...bearer, Origin: `http://${host}`, 'Sec-Fetch-Site': 'same-origin' })
    expect(own.status).toBe(200)
  })

  test('when the file of the token is gone: 500, and the log says why', async () => {
    const file = join(folder, 'fleeting.token')
    writeFileSync(file, secret)
    const { post, calls, linesOf } = await start({ token: file })
    rmSync(file)
    expect((await post(session)).status).toBe(500)
    expect(calls).toEqual([])
    expect(JSON.stringify(linesOf('admin.fail'))).toContain(`admin.token: ${file} cannot be read: ENOENT`)
  })
})

test('the token is read again each time, and must be one from the start', async () => {
  const file = join(folder, 'changing.token')
  writeFileSync(file, 'first-token-of-this-test')
  const { post } = await start({ token: file })
  writeFileSync(file, secret)
  expect((await post(session)).status).toBe(200)
  writeFileSync(file, 'short')
  await expect(startAdmin({ token: file })).rejects.toThrow(
    `admin.token: ${file} holds 5 characters, or some that are not allowed (allowed 16 to 512 printable ASCII characters without spaces)`,
  )
})

describe('GET /drain, for hooks that have no secret', () => {
  test('drains everything and answers when no session is left, or when the time is over', async () => {
    const { port, calls } = await start({ drainFrom: ['127.0.0.0/8'] })
    expect(await ask({ port, path: '/drain?wait=7s' })).toMatchObject({
      status: 200,
      body: 'no session is left\n',
    })
    expect(calls).toEqual([
      ['drain', { listeners: [], endsSessions: true }],
      ['wait', 7000],
    ])
    const slow = await start({ drainFrom: ['127.0.0.0/8'], isEmpty: false })
    expect(await ask({ port: slow.port, path: '/drain' })).toMatchObject({
      status: 503,
      body: 'sessions are left\n',
    })
    expect(slow.calls.at(-1)).toEqual(['wait', 300_000])
  })

  test('is for the networks of admin.drainFrom and for whoever has the token, and for nobody else', async () => {
    const { port, calls } = await start({ drainFrom: ['10.0.0.0/8'] })
    expect((await ask({ port, path: '/drain' })).status).toBe(401)
    expect(calls).toEqual([])
    expect((await ask({ port, path: '/drain', headers: bearer })).status).toBe(200)
  })

  test('is for no browser there: a link, a picture and a name that was made to point here do nothing', () => {
    const from = '10.0.0.7'
    const networks = ['10.0.0.0/8', '2001:db8::/32']
    expect(mayDrain({ from, headers: { host: '10.0.0.9:9121' } }, networks)).toBe(true)
    expect(mayDrain({ from: '::ffff:10.0.0.7', headers: { host: '10.0.0.9' } }, networks)).toBe(true)
    expect(mayDrain({ from: '2001:db8::7', headers: { host: '[2001:db8::9]:9121' } }, networks)).toBe(true)
    expect(mayDrain({ from: '192.0.2.7', headers: { host: '10.0.0.9' } }, networks)).toBe(false)
    expect(mayDrain({ from, headers: { host: '10.0.0.9' } }, [])).toBe(false)
    for (const headers of [
      { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' },
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-dest': 'image' },
      { origin: 'http://10.0.0.9:9121' },
      { host: 'rebound.example:9121' },
    ]) {
      expect([headers, mayDrain({ from, headers: { host: '10.0.0.9:9121', ...headers } }, networks)]).toEqual(
        [headers, false],
      )
    }
  })
})
