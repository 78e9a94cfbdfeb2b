// A listener before a scripted server, with its clients.

import { onTestFinished } from 'vitest'
import { loadConfig } from '../../../../src/config/load.ts'
import { Listener, type Route } from '../../../../src/net/arrival/listener.ts'
import { Advertiser } from '../../../../src/net/session/advertise.ts'
import { SessionRegistry } from '../../../../src/net/session/registry.ts'
import type { SessionStart } from '../../../../src/net/session/setting.ts'
import { Dialer } from '../../../../src/net/upstream/dial.ts'
import { Names } from '../../../../src/net/upstream/names.ts'
import { Upstreams } from '../../../../src/net/upstream/upstreams.ts'
import type { PinholeBackend } from '../../../../src/pinhole/backend.ts'
import { introductions, tcp } from '../../../support/connections.ts'
import { ftpScript } from '../../../support/peers/ftp-script.ts'
import { ScriptedClient } from '../../../support/peers/scripted-client.ts'
import { startScriptedServer } from '../../../support/peers/scripted-server.ts'
import { observe } from '../../observe/fixture.ts'

const backend: PinholeBackend = {
  name: 'relay',
  open: () => {
    throw new Error('no pinhole is asked for here')
  },
  closeAll: async () => undefined,
  use: () => [],
}

export interface Stand {
  readonly routeOf?: () => Route
  readonly isOwnListener?: () => boolean
  readonly host?: string
  /** Of the route to the server. */
  readonly translation?: SessionStart['translation']
}

/** Closed after each test. */
export async function listen({ routeOf, isOwnListener = () => false, host, translation }: Stand) {
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
    isDrained: () => false,
    setting: () => ({
      upstreamMode: 'client',
      upstreamVerbs: [],
      upstreamKeepAliveMs: null,
      tls: null,
      passthrough: null,
      pool: null,
      manners: new Map(),
      destinations: null,
      policy: { ...policy, maxLineBytes: limits.lineBytes, maxRefusals: limits.refusals },
      limits,
      trace: null,
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
    routeOf: routeOf ?? (() => ({ target, interceptedDestination: null, translation: translation ?? null })),
  })
  const { port } = await listener.start()
  onTestFinished(() => {
    registry.destroyAll()
    listener.stop()
    server.close()
  })
  const connect = async () => {
    const client = await ScriptedClient.connect({ address: '127.0.0.1', port })
    onTestFinished(() => client.close())
    return client
  }
  return { connect, linesOf, registry, observer, defects: () => observer.status().session_defects_total }
}
