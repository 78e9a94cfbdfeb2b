import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type UpstreamConnection, upstreamFailureOf } from '../../../../src/net/upstream/attempt.ts'
import { Dialer } from '../../../../src/net/upstream/dial.ts'
import { Names } from '../../../../src/net/upstream/names.ts'
import { Upstreams } from '../../../../src/net/upstream/upstreams.ts'
import { tcp } from '../../../support/connections.ts'
import { within } from '../../../support/peers/patience.ts'

const servers: Server[] = []

afterEach(() => {
  vi.useRealTimers()
  for (const server of servers.splice(0)) server.close()
})

async function listen(host = '127.0.0.1'): Promise<{ port: number; connections: () => number }> {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.on('error', () => undefined)
    socket.resume()
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen({ host, port: 0 }, resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('not bound')
  return { port: bound.port, connections: () => connections }
}

function upstreams({ own = '' }: { readonly own?: string } = {}): Upstreams {
  return new Upstreams({
    names: new Names({ log: () => undefined }),
    dialer: new Dialer({ tcp, connectAs: null }),
    isOwnListener: ({ address }) => address === own,
    connectMs: 5_000,
  })
}

function connected(all: Upstreams, host: string, port: number): Promise<UpstreamConnection> {
  const result = new Promise<UpstreamConnection>((resolve, reject) => {
    all.connect({ target: { host, port }, as: null }, (error, connection) =>
      connection === null ? reject(error) : resolve(connection),
    )
  })
  return within(result, { what: 'an answer' })
}

describe('connecting upstream', () => {
  it('in the name of a client needs a server of the same family that is another machine', async () => {
    const all = upstreams()
    const failure = (host: string, address: string) =>
      within(
        new Promise((resolve) => {
          all.connect({ target: { host, port: 21 }, as: { address, port: 5000 } }, (error) =>
            resolve(error?.message),
          )
        }),
        { what: 'an answer' },
      )
    expect(await failure('192.0.2.1', '2001:db8::5')).toMatch(
      /192\.0\.2\.1: no IPv6 address, and the server sees the client/,
    )
    expect(await failure('127.0.0.1', '192.0.2.5')).toMatch(/127\.0\.0\.1 is this machine/)
  })

  it('gives a connection and the address that answered', async () => {
    const { port } = await listen()
    const { connection, server } = await connected(upstreams(), '127.0.0.1', port)
    expect(server).toEqual({ address: '127.0.0.1', port })
    expect(connection.remote).toEqual(server)
    connection.destroy()
  })

  it('calls no address that is not admitted, whatever the name led to before (DNS rebinding)', async () => {
    const { port, connections } = await listen()
    const names = new Names({ log: () => undefined })
    const answers = [['127.0.0.1'], ['127.0.0.2', '127.0.0.1'], ['127.0.0.2']]
    const asked = vi.spyOn(names, 'resolveAfresh').mockImplementation(async () => answers.shift() ?? [])
    const dialer = new Dialer({ tcp, connectAs: null })
    const all = new Upstreams({ names, dialer, isOwnListener: () => false, connectMs: 5_000 })
    const call = { target: { host: 'rebound.example.net', port }, as: null }
    const admits = ({ address }: { readonly address: string }) => address === '127.0.0.1'
    const result = () =>
      within(
        new Promise<UpstreamConnection>((resolve, reject) => {
          all.connect({ ...call, admits }, (error, reached) =>
            reached === null ? reject(error) : resolve(reached),
          )
        }),
        { what: 'an answer' },
      )
    const first = await result()
    const second = await result()
    expect([first.server.address, second.server.address]).toEqual(['127.0.0.1', '127.0.0.1'])
    expect(await result().catch(upstreamFailureOf)).toBe('forbidden')
    expect(asked).toHaveBeenCalledTimes(3)
    await vi.waitFor(() => expect(connections()).toBe(2))
    first.connection.destroy()
    second.connection.destroy()
  })

  it('says why it failed, in a word', async () => {
    const { port } = await listen()
    servers.splice(0).forEach((server) => void server.close())
    const reasonOf = (host: string, all = upstreams()) => connected(all, host, port).catch(upstreamFailureOf)
    expect(await reasonOf('127.0.0.1')).toBe('refused')
    expect(await reasonOf('nowhere.invalid')).toBe('resolve')
    expect(await reasonOf('127.0.0.1', upstreams({ own: '127.0.0.1' }))).toBe('self')
    expect(await reasonOf('localhost', upstreams({ own: '127.0.0.1' }))).toBe('self')
  })

  it('calls nobody back after it was cancelled', async () => {
    const { port, connections } = await listen()
    const all = upstreams()
    const called = vi.fn()
    all.connect({ target: { host: '127.0.0.1', port }, as: null }, called).cancel()
    all.connect({ target: { host: 'localhost', port }, as: null }, called).cancel()
    // A later attempt has come through: the cancelled ones would have, too.
    const { connection } = await connected(all, 'localhost', port)
    expect(called).not.toHaveBeenCalled()
    expect(connections()).toBeLessThanOrEqual(2)
    connection.destroy()
  })
})

describe('what is remembered of a server', () => {
  it('is its own, for an hour', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const all = upstreams()
    all.remember({ address: '192.0.2.1', port: 21 }, 'refusesEpsv')
    all.remember({ address: '192.0.2.1', port: 21 }, 'refusesEprt')
    expect(all.knownOf({ address: '192.0.2.1', port: 21 })).toEqual(['refusesEpsv', 'refusesEprt'])
    expect(all.knownOf({ address: '192.0.2.1', port: 2121 })).toEqual([])
    vi.advanceTimersByTime(3_600_001)
    expect(all.knownOf({ address: '192.0.2.1', port: 21 })).toEqual([])
  })

  it('is forgotten of the oldest when there are too many', () => {
    const all = upstreams()
    for (let port = 1; port <= 1_001; port += 1) all.remember({ address: '192.0.2.1', port }, 'refusesEpsv')
    expect(all.knownOf({ address: '192.0.2.1', port: 1 })).toEqual([])
    expect(all.knownOf({ address: '192.0.2.1', port: 2 })).toEqual(['refusesEpsv'])
    expect(all.knownOf({ address: '192.0.2.1', port: 1_001 })).toEqual(['refusesEpsv'])
  })
})
