import type { Effect, Side, UpstreamFact } from '../../engine/contract.ts'
import { canonicalAddress, isLoopback } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'
import type { SessionObserver } from '../../observe/observer.ts'
import type { Connection } from '../../tcp/connection.ts'
import type { Through, UpstreamServer } from '../upstream/attempt.ts'
import type { SessionAddresses } from './addresses.ts'
import type { ControlChannel } from './control-channel.ts'
import type { SessionSetting, SessionStart } from './setting.ts'

export interface SessionPeersOptions {
  readonly setting: Pick<
    SessionSetting,
    'source' | 'advertise' | 'announceOffset' | 'activeSourcePort' | 'upstreams'
  >
  /** The client's. */
  readonly connection: Pick<Connection, 'remote'>
  /** The address the client believes to talk to, where that is not ours: the intercepted destination. */
  readonly interceptedDestination: string | null
  /** The balancer's address, where the client came through one that sends the PROXY header. */
  readonly reachedAt: string | null
  readonly translation: SessionStart['translation']
  readonly observer: Pick<SessionObserver, 'translationForgotten'>
}

/** Sessions that are over sooner need no keepalive. */
const KEEP_ALIVE_FROM_MS = 30_000
/** How often the kernel is asked whether it still translates a silent connection: more often than that is probed. */
const TRANSLATION_MS = 5_000

/** The two peers of a session, and what each of them takes us for. */
export class SessionPeers implements SessionAddresses {
  /** Canonical. */
  readonly clientAddress: string
  readonly #options: SessionPeersOptions
  /** The server sees the client's address. */
  readonly #isShown: boolean
  #keepAliveAtMs = steadyClock.now() + KEEP_ALIVE_FROM_MS
  #isProbing = false
  #translationAtMs = steadyClock.now() + TRANSLATION_MS
  #toClient = ''
  #toServer = ''
  client: ControlChannel | null = null
  server: ControlChannel | null = null
  #serverEndpoint: UpstreamServer | null = null
  #through: Through | null = null

  constructor(options: SessionPeersOptions) {
    this.#options = options
    this.clientAddress = options.connection.remote.address
    // Nothing comes back to a loopback address: who connects from this machine is shown as this machine.
    this.#isShown = options.setting.source === 'client' && !isLoopback(this.clientAddress)
  }

  /** The upstream's control endpoint, canonical; null until we are connected. */
  get serverEndpoint(): UpstreamServer | null {
    return this.#serverEndpoint
  }

  /** How data connections to the server are made; null: directly. */
  get through(): Through | null {
    return this.#through
  }

  reached(server: UpstreamServer, through: Through | null): void {
    this.#serverEndpoint = server
    this.#through = through
  }

  channel(side: Side): ControlChannel | null {
    return side === 'client' ? this.client : this.server
  }

  /** The channel with the other peer. */
  opposite(side: Side): ControlChannel | null {
    return this.channel(side === 'client' ? 'server' : 'client')
  }

  /** Says something with the next `flush`: one write a side for everything that one event caused. */
  say(side: Side, text: string): void {
    if (side === 'client') this.#toClient += text
    else this.#toServer += text
  }

  flush(): void {
    if (this.#toServer !== '') {
      this.server?.write(this.#toServer)
      this.#toServer = ''
    }
    if (this.#toClient !== '') {
      this.#keepTranslation()
      this.client?.write(this.#toClient)
      this.#toClient = ''
    }
  }

  /** What was to be said to the client, which goes out with the end of its connection. */
  takeLastWord(): string {
    const text = this.#toClient
    this.#toClient = ''
    if (text !== '') this.#keepTranslation()
    return text
  }

  steer({ type, side }: Extract<Effect, { readonly type: 'pauseReading' | 'resumeReading' }>): void {
    if (type === 'pauseReading') this.channel(side)?.hold()
    else this.channel(side)?.release()
  }

  remember(fact: UpstreamFact): void {
    const { upstreams } = this.#options.setting
    if (this.serverEndpoint !== null) upstreams.remember(this.serverEndpoint, fact)
  }

  /** In whose name the server is called: the client's, or null for our own. */
  calledAs(clientPort: number): Endpoint | null {
    return this.#isShown ? { address: this.clientAddress, port: clientPort } : null
  }

  /**
   * Call about once a second: asks for TCP keepalive on both connections once they have lasted, keeps them translated, and
   * reads what the client says urgently.
   */
  keepAlive(nowMs: number): void {
    this.client?.heedUrgent()
    if (nowMs >= this.#translationAtMs) {
      this.#translationAtMs = nowMs + TRANSLATION_MS
      if (this.#isProbing) this.server?.keepAlive()
      this.#isProbing = false
      this.#keepTranslation()
    }
    if (nowMs < this.#keepAliveAtMs) return
    this.#keepAliveAtMs = Number.POSITIVE_INFINITY
    this.client?.keepAlive()
    this.server?.keepAlive()
  }

  /** Closes both control connections at once. */
  destroy(): void {
    this.client?.destroy()
    this.server?.destroy()
  }

  /** From here on bytes pass between the two untouched. */
  pipe(): void {
    if (this.client === null || this.server === null) return
    this.client.pipeTo(this.server)
    this.server.pipeTo(this.client)
  }

  peer(side: Side): string {
    return side === 'client' ? this.clientAddress : (this.serverEndpoint?.address ?? '')
  }

  local(side: Side): string {
    const { interceptedDestination } = this.#options
    if (side === 'client') return interceptedDestination ?? this.client?.localAddress ?? ''
    return this.#isShown ? this.clientAddress : (this.server?.localAddress ?? '')
  }

  announce(side: Side, at: Endpoint): Endpoint {
    const { advertise, announceOffset } = this.#options.setting
    const own = (side === 'client' ? this.#options.reachedAt : null) ?? canonicalAddress(at.address)
    const address = advertise[side].addressFor({ peer: this.peer(side), own })
    return { address, port: at.port + announceOffset[side] }
  }

  /**
   * Where a data connection of ours must come from. The address is the one its peer knows us by; to the server itself
   * the system chooses as it did for the control connection, and binding would cost two system calls. The port matters
   * where we call a client: in its server's name it is the one before the control port, 20 for 21, on which old
   * firewalls insist (RFC 959 §3.2), in our own the configured one; 0 for any.
   */
  dataSource(side: Side, to: Endpoint): { readonly from: string | null; readonly fromPort: number } {
    const { interceptedDestination, setting } = this.#options
    const { serverEndpoint } = this
    const isServerItself = side === 'server' && to.address === serverEndpoint?.address
    const from = isServerItself && !this.#isShown ? null : this.local(side)
    if (side === 'server') return { from, fromPort: 0 }
    const isServersCall = interceptedDestination !== null && serverEndpoint !== null
    return { from, fromPort: isServersCall ? serverEndpoint.port - 1 : setting.activeSourcePort }
  }

  /** A client that hears nothing any more is gone. */
  #keepTranslation(): void {
    const { translation, observer } = this.#options
    const state = translation?.keep() ?? 'kept'
    if (state === 'kept') return
    observer.translationForgotten({ isRestored: state === 'restored' })
    if (state === 'lost') this.client?.destroy()
    // Conntrack has lost our connection to the server as well; its next packet would be none that we asked for.
    this.server?.probe()
    this.#isProbing = true
  }
}
