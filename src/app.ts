// The composition root: out of a configuration it builds backend, listeners and admin server, starts them together or
// not at all, and stops them in the right order.

import { randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Config, ListenerConfig, PortRangeConfig } from './config/config.ts'
import type { Side } from './engine/contract.ts'
import type { Endpoint } from './ftp/endpoints.ts'
import { Advertiser } from './net/advertise.ts'
import { Listener } from './net/listener.ts'
import { Names } from './net/names.ts'
import { isOwnAddress } from './net/own-addresses.ts'
import { SessionRegistry } from './net/session-registry.ts'
import type { SessionSetting } from './net/session-setting.ts'
import { Upstreams, type UpstreamTarget } from './net/upstreams.ts'
import type { Readiness } from './observe/admin/answers.ts'
import { type AdminServer, createAdminServer } from './observe/admin.ts'
import type { Recorder } from './observe/recorder.ts'
import type { PinholeBackend } from './pinhole/backend.ts'
import { PortPool } from './pinhole/port-pool.ts'
import { RelayBackend } from './pinhole/relay/relay-backend.ts'

/** A port rests this long before the same peer gets it again. */
const QUARANTINE_MS = 2_000

export interface AppOptions {
  readonly config: Config
  readonly observer: Recorder
}

/** What listens where, once it does. */
export interface Started {
  readonly listeners: readonly { readonly name: string; readonly at: Endpoint }[]
  readonly admin: Endpoint | null
}

export class App {
  readonly #observer: Recorder
  readonly #names: Names
  readonly #backend: PinholeBackend
  readonly #registry: SessionRegistry
  readonly #listeners = new Map<string, Listener>()
  readonly #settings = new Map<string, SessionSetting>()
  readonly #bound: Endpoint[] = []
  #config: Config
  #admin: AdminServer | null = null
  #state: 'starting' | 'running' | 'draining' = 'starting'

  constructor({ config, observer }: AppOptions) {
    this.#config = config
    this.#observer = observer
    this.#names = new Names(observer)
    this.#backend = createRelayBackend(config, observer)
    this.#registry = new SessionRegistry(config.limits)
    observer.poolsMeasuredBy(() => this.#backend.use())
  }

  /** Errors: `AlgError` LISTEN_FAILED, after everything that had started was stopped again. */
  async start(): Promise<Started> {
    try {
      this.#applySettings()
      await this.#resolveAdvertisedNames()
      const listeners = []
      for (const config of this.#config.listeners) {
        const at = await this.#startListener(config)
        listeners.push({ name: config.name, at })
      }
      const admin = await this.#startAdmin()
      this.#state = 'running'
      return { listeners, admin }
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /**
   * Takes a new configuration for sessions to come; those that run keep theirs. What cannot change while running keeps
   * its old value (`restartNeeded` names it).
   */
  async reload(config: Config): Promise<void> {
    this.#config = config
    this.#registry.limits = config.limits
    this.#observer.setLogLevel(config.log.level)
    this.#applySettings()
    await this.#resolveAdvertisedNames()
  }

  /** No new sessions, 421 to the idle, transfers finish; what is left after `timeoutMs` is cut off. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#state === 'draining') return
    this.#state = 'draining'
    this.#observer.draining()
    for (const listener of this.#listeners.values()) listener.stop()
    const wasCutOff = await this.#registry.drain(timeoutMs)
    if (wasCutOff) {
      this.#observer.log('warn', 'drain.timeout', 'sessions cut off at the end of the drain', {
        sessions: this.#registry.size,
        timeout_ms: timeoutMs,
      })
    }
    await this.stop()
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    this.#state = 'draining'
    for (const listener of this.#listeners.values()) listener.stop()
    this.#registry.destroyAll()
    await this.#backend.closeAll()
    await this.#admin?.stop()
    this.#admin = null
  }

  #applySettings(): void {
    const { listeners, limits, policy, pinholes, dataPorts } = this.#config
    const upstreams = new Upstreams({
      names: this.#names,
      isOwnListener: (endpoint) => this.#isOwnListener(endpoint),
      connectMs: limits.connectMs,
    })
    for (const { name, upstreamMode, advertise } of listeners) {
      this.#settings.set(name, {
        upstreamMode,
        policy,
        limits,
        pinholeTimeoutMs: pinholes.timeoutMs,
        backend: this.#backend,
        upstreams,
        advertise: {
          client: new Advertiser(advertise.clients, this.#names),
          server: new Advertiser(advertise.servers, this.#names),
        },
        announceOffset: { client: dataPorts.client.announceOffset, server: dataPorts.server.announceOffset },
      })
    }
  }

  /** Names are known before the first session needs them; one that does not resolve is a warning. */
  async #resolveAdvertisedNames(): Promise<void> {
    const rules = this.#config.listeners.flatMap(({ advertise }) => [
      ...advertise.clients,
      ...advertise.servers,
    ])
    await Promise.all(
      rules.map(({ address }) =>
        this.#names.resolve(address).catch((error: unknown) => {
          this.#observer.log('warn', 'names.failed', 'advertised name does not resolve', {
            host: address,
            error,
          })
        }),
      ),
    )
  }

  async #startListener(config: ListenerConfig): Promise<Endpoint> {
    const { name } = config
    const listener = new Listener({
      name,
      listen: config.listen,
      registry: this.#registry,
      observer: this.#observer,
      setting: () => this.#settingOf(name),
      targetOf: (socket) => this.#targetOf(name, socket),
    })
    const at = await listener.start()
    this.#listeners.set(name, listener)
    this.#bound.push(at)
    this.#observer.listenerStarted({ listener: name, at, sessionLimit: this.#config.limits.sessions })
    return at
  }

  async #startAdmin(): Promise<Endpoint | null> {
    if (this.#config.admin === null) return null
    const { listen } = this.#config.admin
    this.#admin = createAdminServer({ observer: this.#observer, ready: () => this.#ready(), listen })
    return this.#admin.start()
  }

  #ready(): Readiness {
    return { ready: this.#state === 'running', reason: this.#state }
  }

  #settingOf(name: string): SessionSetting {
    const setting = this.#settings.get(name)
    if (setting === undefined) throw new Error(`no setting for listener ${name}`)
    return setting
  }

  #targetOf(name: string, _socket: Socket): UpstreamTarget | null {
    return this.#config.listeners.find((listener) => listener.name === name)?.upstream ?? null
  }

  /** A wildcard listener is reached at every address of the machine. */
  #isOwnListener({ address, port }: Endpoint): boolean {
    return this.#bound.some((bound) => {
      if (bound.port !== port) return false
      return bound.address === address || (isWildcard(bound.address) && isOwnAddress(address))
    })
  }
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

function createRelayBackend({ dataPorts, limits }: Config, observer: Recorder): RelayBackend {
  const now = () => performance.now()
  const poolOf = ({ first, last }: PortRangeConfig) => {
    const share = limits.pinholesPerClient ?? Math.ceil((last - first + 1) / 2)
    return new PortPool({
      first,
      last,
      quarantineMs: QUARANTINE_MS,
      share,
      random: (below) => randomInt(below),
    })
  }
  const client = poolOf(dataPorts.client)
  const pools: Record<Side, PortPool> = {
    client,
    server: dataPorts.shared ? client : poolOf(dataPorts.server),
  }
  return new RelayBackend({ pools, intruded: (intruder) => observer.pinholeIntruded(intruder), now })
}
