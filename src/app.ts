// The composition root: out of a configuration it builds backend, listeners and admin server, starts them together or
// not at all, and stops them in the right order.

import type { Config, ListenerConfig } from './config/config.ts'
import type { Endpoint } from './ftp/endpoints.ts'
import type { Libc } from './kernel/libc.ts'
import { Listener } from './net/arrival/listener.ts'
import { needsDescriptors } from './net/arrival/needs-descriptors.ts'
import { reaches, routeOf } from './net/arrival/route.ts'
import { type TakeOverOptions, takeOver } from './net/arrival/take-over.ts'
import { TlsListeners } from './net/arrival/tls-listeners.ts'
import { deniedSourcePorts } from './net/session/active-source-ports.ts'
import { Advertiser, resolveAdvertised } from './net/session/advertise.ts'
import { dataPeersOf } from './net/session/data-peers.ts'
import { Operations } from './net/session/operations.ts'
import { SessionRegistry } from './net/session/registry.ts'
import type { SessionSetting } from './net/session/setting.ts'
import type { OpenTrace } from './net/session/trace.ts'
import { openTrace, type TraceSettings } from './net/session/trace-output.ts'
import { byTransparentSocket, connectAsFor } from './net/upstream/connect-as.ts'
import { destinationsOf } from './net/upstream/destinations.ts'
import { Dialer } from './net/upstream/dial.ts'
import { mannersOf } from './net/upstream/manners.ts'
import { Names } from './net/upstream/names.ts'
import { tryCheckPasswords } from './net/upstream/pool/check-password.ts'
import { Pools, type PoolsOptions } from './net/upstream/pool/pools.ts'
import { Upstreams } from './net/upstream/upstreams.ts'
import { drainedReadiness, obstaclesOf, type Readiness, readinessOf } from './observe/admin/answers.ts'
import { type AdminServer, createAdminServer } from './observe/admin.ts'
import type { Recorder } from './observe/recorder.ts'
import { createBackend, type RunningBackend } from './pinhole/create-backend.ts'
import { relaying } from './pinhole/relaying.ts'
import { descriptorLimit, idlePortsWithin, sessionsWithin } from './process/descriptors.ts'
import { fingerprint, watchFiles } from './process/watch-files.ts'
import { openTcp } from './tcp/open-tcp.ts'
import { Introductions } from './tcp/proxy-protocol/introductions.ts'
import { Tcp } from './tcp/tcp.ts'

export interface AppOptions {
  readonly config: Config
  readonly observer: Recorder
  readonly inherited?: TakeOverOptions['inherited']
  readonly trace?: TraceSettings
}

/** What listens where, once it does. */
export interface Started {
  readonly listeners: readonly { readonly name: string; readonly at: Endpoint }[]
  readonly admin: Endpoint | null
}

export class App {
  readonly operations: Operations
  readonly pools: Pools
  readonly #observer: Recorder
  readonly #trace: OpenTrace | null
  readonly #inherited: NonNullable<AppOptions['inherited']>
  readonly #names: Names
  readonly #registry: SessionRegistry
  readonly #listeners = new Map<string, Listener>()
  readonly #settings = new Map<string, SessionSetting>()
  readonly #bound: Endpoint[] = []
  /** Listeners whose `activeSourcePort` the system does not give us. */
  #deniedSourcePorts: ReadonlySet<string> = new Set()
  #config: Config
  #libc: Libc | null = null
  #tcp = new Tcp({ libc: null })
  #running: RunningBackend | null = null
  readonly #tls: TlsListeners
  #admin: AdminServer | null = null
  #state: 'starting' | 'running' | 'draining' = 'starting'
  #sessionShare: number | null = null
  /** What the descriptors of this process carry. */
  readonly #sessionsCarried = sessionsWithin(descriptorLimit())

  constructor({ config, observer, inherited = [], trace }: AppOptions) {
    this.#trace = openTrace(trace)
    this.#inherited = inherited
    this.#config = config
    this.#observer = observer
    this.#names = new Names(observer)
    const tlsFor: PoolsOptions['tlsFor'] = (check) => this.#tls.ofCheck(check)
    this.pools = new Pools({ observer, names: this.#names, tlsFor, isChecker: config.workers === 1 })
    this.#registry = new SessionRegistry(config.limits)
    this.operations = new Operations({
      registry: this.#registry,
      listeners: () => [...this.#listeners.keys()],
      changed: (change) => observer.listenerDrained(change),
    })
    this.#tls = new TlsListeners({ observer, files: { fingerprint, watch: watchFiles } })
    observer.poolsMeasuredBy(() => this.#running?.backend.use() ?? [])
    observer.upstreamsMeasuredBy(() => this.pools.use())
    observer.certificatesMeasuredBy(() => this.#tls.certificates)
    this.#limitSessions()
  }

  /** This process's share of the `limits.sessions` of all processes, until the next call. */
  shareSessions(sessions: number): void {
    this.#sessionShare = sessions
    this.#limitSessions()
  }

  /**
   * Errors: `AlgError` LISTEN_FAILED, PRIVILEGE_MISSING, KERNEL_FEATURE_MISSING, after everything that had started was
   * stopped again.
   */
  async start(): Promise<Started> {
    this.#observer.logTransfersTo(this.#config.log.transfers ?? null)
    try {
      tryCheckPasswords(this.#config.upstreams)
      const { tcp, libc } = await openTcp({ isRequired: needsDescriptors(this.#config) })
      this.#tcp = tcp
      this.#libc = libc
      this.#observer.tcpChosen(tcp.choice)
      await this.#tls.read(this.#config)
      const idlePorts = idlePortsWithin(descriptorLimit())
      this.#running = await createBackend(this.#config, { observer: this.#observer, tcp, idlePorts })
      this.#deniedSourcePorts = await deniedSourcePorts(this.#config.listeners, this.#observer)
      this.#applySettings(this.#running)
      await resolveAdvertised(this.#config.listeners, this.#names, this.#observer)
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
   * Takes a new configuration for sessions to come; those that run keep theirs. What cannot change while running must
   * have its old value (`keepUntilRestart`).
   */
  async reload(config: Config): Promise<void> {
    // First: a certificate or a password that cannot be read leaves everything as it was.
    tryCheckPasswords(config.upstreams)
    await this.#tls.read(config)
    this.#config = config
    this.#limitSessions()
    this.#observer.sessionLimitChanged(this.#sessionLimit())
    this.#observer.setLogLevel(config.log.level)
    this.#observer.logTransfersTo(config.log.transfers ?? null)
    this.#deniedSourcePorts = await deniedSourcePorts(config.listeners, this.#observer)
    if (this.#running !== null) this.#applySettings(this.#running)
    await resolveAdvertised(this.#config.listeners, this.#names, this.#observer)
  }

  /** No new sessions, 421 to the idle, transfers finish; what is left after `timeoutMs` is cut off. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#state === 'draining') return
    this.#state = 'draining'
    this.#observer.draining()
    for (const listener of this.#listeners.values()) listener.stop()
    const wasCutOff = await this.#registry.drain(timeoutMs)
    if (wasCutOff) {
      this.#observer.log('drain.timeout', { sessions: this.#registry.size, timeout_ms: timeoutMs })
    }
    await this.stop()
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    this.#state = 'draining'
    for (const listener of this.#listeners.values()) listener.stop()
    this.#registry.destroyAll()
    this.#tls.stop()
    this.pools.stop()
    await this.#running?.stop()
    this.#running = null
    await this.#admin?.stop()
    this.#admin = null
  }

  #limitSessions(): void {
    const { limits } = this.#config
    const sessions = Math.min(this.#sessionShare ?? limits.sessions, this.#sessionsCarried)
    this.#registry.limits = { ...limits, sessions }
  }

  /** Of this process without regard to its share. */
  #sessionLimit(): number {
    return Math.min(this.#config.limits.sessions, this.#sessionsCarried)
  }

  #applySettings(running: RunningBackend): void {
    const { listeners, limits, policy, pinholes, dataPorts } = this.#config
    const tcp = this.#tcp
    const dialer = new Dialer({ tcp, connectAs: this.#libc === null ? null : byTransparentSocket(tcp) })
    const upstreams = new Upstreams({
      names: this.#names,
      dialer,
      isOwnListener: (endpoint) => this.#isOwnListener(endpoint),
      connectMs: limits.connectMs,
    })
    this.pools.configure(this.#config.upstreams, upstreams)
    const enginePolicy = { ...policy, maxLineBytes: limits.lineBytes, maxRefusals: limits.refusals }
    for (const listener of listeners) {
      const { name, upstreamMode, activeSourcePort, advertise, source } = listener
      this.#settings.set(name, {
        upstreamMode,
        upstreamVerbs: listener.upstreamVerbs,
        upstreamKeepAliveMs: listener.upstreamKeepAliveMs,
        policy: enginePolicy,
        limits,
        pinholeTimeoutMs: pinholes.timeoutMs,
        trace: this.#trace,
        tls: this.#tls.of(name),
        passthrough: listener.passthrough ?? null,
        backend: this.pools.areBehindProxy(listener) ? relaying(running.backend) : running.backend,
        dataPeers: dataPeersOf(policy),
        dialer: new Dialer({ tcp, connectAs: connectAsFor(listener, tcp, running.sourceNat) }),
        activeSourcePort: this.#deniedSourcePorts.has(name) ? 0 : (activeSourcePort ?? 0),
        source,
        upstreams,
        manners: mannersOf(listener, this.#config.upstreams),
        ...destinationsOf(listener, (named) => this.pools.of(named)),
        advertise: {
          client: new Advertiser(advertise.clients, this.#names),
          server: new Advertiser(advertise.servers, this.#names),
        },
        announceOffset: { client: dataPorts.client.announceOffset, server: dataPorts.server.announceOffset },
      })
    }
  }

  async #startListener(config: ListenerConfig): Promise<Endpoint> {
    const [{ name }, { limits }] = [config, this.#config]
    const listener = new Listener({
      name,
      listen: config.listen,
      registry: this.#registry,
      observer: this.#observer,
      tcp: this.#tcp,
      introductions: new Introductions({ ...config.proxyProtocol, timeoutMs: limits.handshakeMs }),
      setting: () => this.#settingOf(name),
      routeOf: (connection) =>
        routeOf(connection, {
          listener: this.#listenerConfig(name),
          libc: this.#libc,
          restore: this.#running?.restore ?? null,
          isOwnListener: (endpoint) => this.#isOwnListener(endpoint),
        }),
      isDrained: () => this.operations.isDrained(name),
      ...(await takeOver(config, {
        inherited: this.#inherited,
        isOnly: this.#config.listeners.length === 1,
        libc: this.#libc,
        isShared: this.#config.workers > 1,
      })),
    })
    const at = await listener.start()
    this.#listeners.set(name, listener)
    this.#bound.push(at)
    this.#observer.listenerStarted({ listener: name, at, sessionLimit: this.#sessionLimit() })
    return at
  }

  async #startAdmin(): Promise<Endpoint | null> {
    if (this.#config.admin === null) return null
    this.#admin = createAdminServer({
      ...this.#config.admin,
      observer: this.#observer,
      ready: () => this.#ready(),
      operations: this.operations,
    })
    return this.#admin.start()
  }

  /** What keeps sessions from being served for now, a sentence each. */
  get obstacles(): readonly string[] {
    const resting = [...this.#listeners].flatMap(([name, { isAccepting }]) => (isAccepting ? [] : [name]))
    return obstaclesOf({ resting, unavailable: this.pools.unavailable })
  }

  #ready(): Readiness {
    if (this.#state !== 'running') return { ready: false, reason: this.#state }
    return this.operations.isOutOfService ? drainedReadiness : readinessOf(this.obstacles)
  }

  #settingOf(name: string): SessionSetting {
    const setting = this.#settings.get(name)
    if (setting === undefined) throw new Error(`no setting for listener ${name}`)
    return setting
  }

  #listenerConfig(name: string): ListenerConfig {
    const config = this.#config.listeners.find((listener) => listener.name === name)
    if (config === undefined) throw new Error(`no configuration for listener ${name}`)
    return config
  }

  #isOwnListener(endpoint: Endpoint): boolean {
    return this.#bound.some((bound) => reaches(bound, endpoint))
  }
}
