// What becomes of a client when we are wrong ourselves: it is told, nobody else notices, and it counts.

import { afterEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../../src/config/load.ts'
import { Listener, type Route } from '../../../../src/net/arrival/listener.ts'
import { Advertiser } from '../../../../src/net/session/advertise.ts'
import { SessionRegistry } from '../../../../src/net/session/registry.ts'
import { Dialer } from '../../../../src/net/upstream/dial.ts'
import { Names } from '../../../../src/net/upstream/names.ts'
import { Upstreams } from '../../../../src/net/upstream/upstreams.ts'
import type { PinholeBackend } from '../../../../src/pinhole/backend.ts'
import { introductions, tcp } from '../../../support/connections.ts'
import { ftpScript } from '../../../support/peers/ftp-script.ts'
import { ScriptedClient } from '../../../support/peers/scripted-client.ts'
import { startScriptedServer } from '../../../support/peers/scripted-server.ts'
import { observe } from '../../observe/fixture.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close()
})

const backend: PinholeBackend = {
  name: 'relay',
  open: () => {
    throw new Error('no pinhole is asked for here')
  },
  closeAll: async () => undefined,
  use: () => [],
}

interface Broken {
  readonly routeOf?: () => Route
  readonly isOwnListener?: () => boolean
  readonly host?: string
}

/** A listener with something wrong behind it. */
async function listen({ routeOf, isOwnListener = () => false, host }: Broken) {
  const server = await startScriptedServer({ script: ftpScript({}) })
  const { config } = loadConfig({ flags: { upstream: 'localhost', admin: 'off' }, environment: {} })
  const { policy, limits } = config
  const names = new Names({ log: () => undefined })
  const dialer = new Dialer({ tcp, connectAs: null })
  const advertiser = new Advertiser([], names)
  const registry = new SessionRegistry(limits)
  const { observer, linesOf } = observe()
  const target = { host: host ?? server.address, port: server.port }
  const listener = new Listener({
    name: 'edge',
    listen: { address: '127.0.0.1', port: 0 },
    registry,
    observer,
    tcp,
    introductions,
    setting: () => ({
      upstreamMode: 'client',
      upstreamVerbs: [],
      upstreamKeepAliveMs: null,
      tls: null,
      policy: { ...policy, maxLineBytes: limits.lineBytes, maxRefusals: limits.refusals },
      limits,
      pinholeTimeoutMs: 60_000,
      backend,
      dataPeers: { client: [], server: [] },
      dialer,
      activeSourcePort: 0,
      source: 'proxy',
      upstreams: new Upstreams({ names, dialer, isOwnListener, connectMs: 20_000 }),
      advertise: { client: advertiser, server: advertiser },
      announceOffset: { client: 0, server: 0 },
    }),
    routeOf: routeOf ?? (() => ({ target, assumed: null })),
  })
  const { port } = await listener.start()
  closers.push(
    () => server.close(),
    () => listener.stop(),
    () => registry.destroyAll(),
  )
  const connect = async () => {
    const client = await ScriptedClient.connect({ address: '127.0.0.1', port })
    closers.push(() => client.close())
    return client
  }
  return { connect, linesOf, registry, defects: () => observer.status().session_defects_total }
}

describe('a client that comes when we are wrong', () => {
  const forbidden = () => {
    throw new Error('uv_interface_addresses returned Unknown system error 97')
  }

  it.each([
    ['an address', undefined],
    ['a name', 'localhost'],
  ])('is told so when connecting to %s fails by a defect', async (_what, host) => {
    const { connect, linesOf, registry, defects } = await listen({
      isOwnListener: forbidden,
      ...(host && { host }),
    })
    const client = await connect()
    expect((await client.reply()).text).toContain('421 This proxy has a defect')
    await client.wire.ended()
    client.close()
    await expect.poll(() => registry.size).toBe(0)
    expect(defects()).toBe(1)
    expect(linesOf('session.fail')).toMatchObject([{ listener: 'edge', error: expect.anything() }])
    expect(linesOf('session.close')).toMatchObject([{ reason: 'error' }])
  })

  it('is told so when where it wants to go cannot be found out', async () => {
    const { connect, linesOf, registry, defects } = await listen({ routeOf: forbidden })
    const client = await connect()
    expect((await client.reply()).text).toContain('421 This proxy has a defect')
    expect(defects()).toBe(1)
    expect(linesOf('session.fail')).toMatchObject([{ client_ip: '127.0.0.1' }])
    expect(registry.size).toBe(0)
  })

  it('leaves the sessions of others alone', async () => {
    let calls = 0
    const onceForbidden = () => {
      calls += 1
      return calls === 2 ? forbidden() : false
    }
    const { connect, defects } = await listen({ isOwnListener: onceForbidden })
    const first = await connect()
    await first.login()
    expect((await (await connect()).reply()).code).toBe(421)
    expect((await first.command('NOOP')).code).toBe(200)
    await (await connect()).login()
    expect(defects()).toBe(1)
  })
})
