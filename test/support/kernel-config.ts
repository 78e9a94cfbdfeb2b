import type { Config, ListenerConfig } from '../../src/config/config.ts'

/** A whole configuration of which only listeners and pinholes matter. */
export function gatewayConfig(
  listeners: readonly ListenerConfig[],
  pinholes: Partial<Config['pinholes']> = {},
): Config {
  const range = { first: 30_000, last: 30_999, announceOffset: 0 }
  return {
    upstreams: [],
    listeners,
    dataPorts: { client: range, server: range, shared: true },
    pinholes: { backend: 'nftables', timeoutMs: 60_000, ...pinholes },
    reloadOnChange: false,
    limits: {
      sessions: 100,
      sessionsPerClient: 100,
      replyMs: 900_000,
      transferMs: 900_000,
      idleMs: 900_000,
      connectMs: 30_000,
      handshakeMs: 15_000,
      loginMs: 60_000,
      lineBytes: 4096,
      refusals: 10,
      pinholesPerClient: null,
    },
    policy: {
      bounce: 'refuse',
      pasvAddress: 'control-peer',
      minPort: 1024,
      dataPeers: { clients: [], servers: [] },
      fxp: [],
    },
    admin: null,
    log: { level: 'info', format: 'json' },
    shutdown: { drainTimeoutMs: 300_000 },
    workers: 1,
  }
}

export function listenerConfig(
  name: string,
  listen: { readonly address: string; readonly port: number },
  changes: Partial<ListenerConfig> = {},
): ListenerConfig {
  return {
    name,
    listen,
    intercept: 'none',
    proxyProtocol: { from: [] },
    upstream: null,
    source: 'proxy',
    upstreamMode: 'client',
    upstreamVerbs: [],
    upstreamKeepAliveMs: null,
    activeSourcePort: null,
    advertise: { clients: [], servers: [] },
    ...changes,
  }
}

/** Collects what a command prints. */
export class Printed {
  text = ''

  write(text: string): void {
    this.text += text
  }

  get lines(): readonly string[] {
    return this.text.split('\n').filter((line) => line !== '')
  }
}
