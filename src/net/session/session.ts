// One session's driver: socket events become engine events, effects become deeds. No FTP knowledge.

import type { CloseReason, Effect, EngineTimer, Event, SessionTimer, Side } from '../../engine/contract.ts'
import type { ControlEngine } from '../../engine/control.ts'
import { assertNever } from '../../errors.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'
import type { SessionData } from '../data/data-side.ts'
import type { UpstreamAttempt } from '../upstream/attempt.ts'
import { ControlChannel, type ControlEvents } from './control-channel.ts'
import { Deadlines } from './deadlines.ts'
import { createEngine } from './engine.ts'
import { farewells } from './farewells.ts'
import { SessionPeers } from './peers.ts'
import { openSessionData } from './session-data.ts'
import type { SessionTls } from './session-tls.ts'
import { callUpstream, openSessionTls, type SessionCall, type SessionLinkEvents } from './session-upstream.ts'
import type { SessionStart } from './setting.ts'
import { Silence } from './silence.ts'

export interface SessionOptions extends SessionStart {
  /** Everything of the session is closed; called once. */
  readonly ended: (session: Session) => void
}

export class Session implements ControlEvents {
  /** In the registry. */
  place = -1
  readonly observer: SessionStart['observer']
  /** Canonical. */
  readonly clientAddress: string
  readonly #options: SessionOptions
  readonly #engine: ControlEngine
  readonly #client: ControlChannel
  readonly #peers: SessionPeers
  readonly #tls: SessionTls | null
  readonly #startedMs = steadyClock.now()
  #data: SessionData | null = null
  #attempt: UpstreamAttempt | null = null
  /** Events that arrived while effects were being carried out. */
  readonly #pending: Event[] = []
  #isHandling = false
  /** Something was said since the last sweep: the idle time begins with the next one, within a second. */
  #hasTalked = false
  readonly #silence = new Silence()
  readonly #deadlines: Deadlines
  /** Control connections that are not closed yet. */
  #open = 1
  #closeReason: CloseReason | null = null

  constructor(options: SessionOptions) {
    const { setting, connection } = options
    this.#options = options
    this.#tls = openSessionTls(options, (serverName) => this.#emit({ type: 'clientSecured', serverName }))
    this.#peers = new SessionPeers(options)
    this.observer = options.observer
    this.clientAddress = this.#peers.clientAddress
    this.#deadlines = new Deadlines(setting.limits, this.#startedMs)
    this.#engine = createEngine(options, this.#peers.clientAddress)
    const arrived = () => this.#emit({ type: 'clientArrived' })
    const met = this.#tls?.meet(connection, arrived) ?? connection
    this.#client = new ControlChannel('client', met, this)
    this.#peers.client = this.#client
    if (met === connection) arrived()
  }

  /** Lets what runs finish, then 421. */
  drain(): void {
    this.#data?.drain()
    this.#emit({ type: 'drainRequested' })
  }

  /** Ends everything at once. */
  destroy(): void {
    this.#close('drain')
    this.#destroySockets()
  }

  /** We were wrong: ends this session, and no other. */
  failed(error: unknown): void {
    this.#options.observer.failed(error)
    this.end('error')
  }

  /** Says 421 and cuts off what runs. */
  end(reason: keyof typeof farewells): void {
    try {
      // Nobody looks for words of ours in TLS that passes through.
      if (!this.#engine.isOpaque) this.#peers.say('client', farewells[reason])
      this.#close(reason)
      this.#data?.destroy()
      this.#peers.server?.destroy()
    } catch {
      this.#closeReason ??= reason
      this.#destroySockets()
    }
  }

  /** Call about once a second with `steadyClock.now()`: all of a session's timers are here. */
  sweep(nowMs: number): void {
    if (this.#data?.sweep(nowMs) === true || this.#hasTalked) this.#deadlines.active(nowMs)
    this.#hasTalked = false
    this.#peers.keepAlive(nowMs)
    // Of a session that is over only data are left to wait for.
    this.#deadlines.awaits(this.#closeReason === null ? this.#engine.awaits : 'data', nowMs)
    const keepAliveMs = this.#options.setting.upstreamKeepAliveMs
    this.#silence.listen({ nowMs, keepAliveMs, engine: this.#engine }, this.#fire)
    for (let due = this.#deadlines.next(nowMs); due !== null; due = this.#deadlines.next(nowMs)) {
      if (due === 'linger') this.#peers.destroy()
      else if (due === 'goodbye') this.#peers.server?.finish()
      else this.#fire(due)
      // The data connections of a session that ends so have not moved a byte either.
      if (due === 'idle' || due === 'reply' || due === 'transfer') this.#data?.destroy()
    }
  }

  received(side: Side, text: string): void {
    this.piped(side, text.length)
    this.#silence.broken(side)
    this.#emit({ type: 'received', side, text })
  }

  piped(side: Side, byteCount: number): void {
    this.#hasTalked = true
    this.#options.observer.controlBytes({ from: side, count: byteCount })
  }

  ended(side: Side): void {
    // The peer has closed after us, or the server after its 221: nothing more can come.
    if (this.#closeReason !== null) this.#peers.channel(side)?.close()
    else if (this.#engine.state === 'pipe') this.#peers.opposite(side)?.end()
    else this.#emit({ type: 'ended', side, isGone: false })
  }

  closed(side: Side, isReset = false): void {
    this.#open -= 1
    if (isReset && this.#engine.state === 'pipe') this.#peers.opposite(side)?.reset()
    this.#emit({ type: 'ended', side, isGone: true })
    // No server is left to talk to, whatever the engine still hopes for; what was sent to the client still arrives. Of
    // a client that is gone an upload may be under way.
    if (side === 'server') this.#close(side)
    this.#finishWhenClosed()
  }

  congested(side: Side, isCongested: boolean): void {
    const other = this.#peers.opposite(side)
    if (isCongested) other?.hold()
    else other?.release()
  }

  #emit(event: Event): void {
    if (this.#isHandling) {
      this.#pending.push(event)
      return
    }
    if (this.#closeReason !== null) {
      this.#finishWhenClosed()
      return
    }
    this.#isHandling = true
    try {
      for (let next: Event | undefined = event; next !== undefined; next = this.#pending.shift()) {
        for (const effect of this.#engine.handle(next)) this.#carryOut(effect)
      }
      this.#peers.flush()
    } catch (error) {
      this.failed(error)
    } finally {
      this.#isHandling = false
    }
    this.#finishWhenClosed()
  }

  readonly #fire = (timer: SessionTimer | EngineTimer): void => this.#emit({ type: 'timerFired', timer })

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        this.#peers.say(effect.side, effect.text)
        break
      case 'record':
        this.#options.observer.record(effect.record)
        break
      case 'openPinhole':
      case 'connectLeg':
        this.#dataSide().carryOut(effect)
        break
      case 'connectUpstream':
        this.#connectUpstream(effect.to)
        break
      case 'closePinhole':
      case 'closeChannel':
      case 'beginTransfer':
      case 'awaitDelivery':
        this.#data?.carryOut(effect)
        break
      case 'pauseReading':
      case 'resumeReading':
        this.#peers.steer(effect)
        break
      case 'setTimer':
      case 'clearTimer':
      case 'loginChanged':
        this.#deadlines.carryOut(effect, steadyClock.now())
        break
      case 'passThrough':
        this.#peers.flush()
        this.#deadlines.clear('login')
        this.#peers.pipe()
        break
      case 'secure':
      case 'clear':
      case 'freshTicket':
        this.#tls?.carryOut(effect, this.#peers, this.#serverSecured)
        break
      case 'remember':
        this.#peers.remember(effect.fact)
        break
      case 'close':
        this.#close(effect.reason)
        break
      default:
        assertNever(effect)
    }
  }

  #connectUpstream(to: SessionCall['to']): void {
    const as = this.#peers.calledAs(this.#options.connection.remote.port)
    this.#attempt = callUpstream(
      { ...this.#options, to, as, tls: this.#tls },
      {
        linked: this.#linked,
        failed: (reason) => this.#emit({ type: 'upstreamFailed', reason }),
        broke: (error) => this.failed(error),
      },
    )
  }

  readonly #linked: SessionLinkEvents['linked'] = (link, manner) => {
    const { connection, server, through, greeting, isSecure } = link
    this.#open += 1
    this.#peers.reached(server, through)
    this.#peers.server = new ControlChannel('server', connection, this)
    this.#deadlines.set('greeting', steadyClock.now())
    const { upstreams } = this.#options.setting
    this.#emit({ type: 'upstreamConnected', server, knows: upstreams.knownOf(server), manner })
    if (isSecure) this.#emit({ type: 'serverSecured', isSecure })
    if (greeting !== '') this.received('server', greeting)
  }

  readonly #serverSecured = (result: 'secure' | 'refused' | 'failed'): void => {
    if (result === 'failed') this.closed('server')
    else this.#emit({ type: 'serverSecured', isSecure: result === 'secure' })
  }

  /** The first reason wins. */
  #close(reason: CloseReason): void {
    if (this.#closeReason !== null) return
    this.#closeReason = reason
    const lastWord = this.#peers.takeLastWord()
    this.#peers.flush()
    this.#attempt?.cancel()
    this.#data?.sessionEnded()
    if (reason === 'quit') this.#client.close(lastWord)
    else this.#client.finish(lastWord)
    // After QUIT the server closes first, so that the TIME_WAIT is its own and our ports come back at once; some wait for us.
    if (reason === 'quit') this.#deadlines.set('goodbye', steadyClock.now())
    else this.#peers.server?.finish()
    this.#deadlines.set('linger', steadyClock.now())
  }

  #destroySockets(): void {
    this.#data?.destroy()
    this.#peers.destroy()
  }

  #finishWhenClosed(): void {
    if (this.#open > 0 || this.#data?.isOpen === true || this.#closeReason === null) return
    this.#open = Number.POSITIVE_INFINITY
    this.#tls?.release()
    const { observer, ended } = this.#options
    observer.closed({ reason: this.#closeReason, durationMs: steadyClock.now() - this.#startedMs })
    ended(this)
  }

  #dataSide(): SessionData {
    if (this.#data !== null) return this.#data
    const { setting, observer } = this.#options
    this.#client.keepUrgent()
    this.#data = openSessionData({
      setting,
      observer,
      peers: this.#peers,
      tls: this.#tls,
      isWorkedOn: (channel) => this.#engine.isWorkedOn(channel),
      emit: (event) => this.#emit(event),
    })
    return this.#data
  }
}
