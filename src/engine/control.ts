// One session's protocol as a machine: events in, effects out, nothing else. It decides who may speak next and when
// the session is over; the client's half, the server's half and the data side are machines of their own.

import { assertNever } from '../errors.ts'
import { ClientSide } from './client-side.ts'
import type { Effect, EngineTimer, Event, SessionTimer, Side } from './contract.ts'
import { DataSide } from './data-side.ts'
import { Login } from './login.ts'
import type { EngineOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import { Refusals } from './refusals.ts'
import { ServerSide } from './server-side.ts'
import { Transfers } from './transfers.ts'
import { Upstream } from './upstream.ts'

/** Where the protocol stands, in a word for the status page. `pipe`: bytes pass untouched. */
export type EngineState = 'connecting' | 'login' | 'idle' | 'negotiating' | 'transfer' | 'pipe' | 'closed'

/** Never throws for what a peer said. */
export class ControlEngine {
  readonly #outbox: Outbox
  readonly #login: Login
  readonly #upstream: Upstream
  readonly #data: DataSide
  readonly #transfers: Transfers
  readonly #client: ClientSide
  readonly #server: ServerSide
  #isConnected = false
  #isClosed = false
  #hasClientEnded = false
  #isDraining = false

  constructor(options: EngineOptions) {
    const outbox = new Outbox()
    const login = new Login(outbox)
    const upstream = new Upstream(outbox)
    const refusals = new Refusals({ outbox, maxRefusals: options.policy.maxRefusals })
    const data = new DataSide({ options, outbox, upstream, refusals })
    const transfers = new Transfers({ outbox, upstream, channels: data.channels })
    const client = new ClientSide({ options, outbox, login, upstream, refusals, data })
    this.#outbox = outbox
    this.#login = login
    this.#upstream = upstream
    this.#data = data
    this.#transfers = transfers
    this.#client = client
    this.#server = new ServerSide({ options, outbox, login, upstream, data, transfers, client })
  }

  handle(event: Event): Effect[] {
    if (this.#isClosed) return []
    if (this.#server.isPipe) {
      this.#handlePiped(event)
    } else {
      this.#handle(event)
      this.#proceed()
    }
    if (this.#outbox.closeReason !== null) {
      this.#isClosed = true
      this.#data.sessionEnded()
      this.#outbox.push({ type: 'close', reason: this.#outbox.closeReason })
    }
    return this.#outbox.take()
  }

  /** A transfer command waits for its end, or data still flows. */
  get isTransferring(): boolean {
    return this.#upstream.transfer !== null || this.#data.channels.isFlowing
  }

  get state(): EngineState {
    if (this.#isClosed) return 'closed'
    if (this.#server.isPipe) return 'pipe'
    if (!this.#isConnected) return 'connecting'
    if (this.isTransferring) return 'transfer'
    if (this.#data.isNegotiating) return 'negotiating'
    return this.#login.isLoggedIn ? 'idle' : 'login'
  }

  #handle(event: Event): void {
    switch (event.type) {
      case 'received':
        if (event.side === 'client') this.#client.received(event.text)
        else this.#server.received(event.text)
        break
      case 'ended':
        if (event.side === 'client') this.#clientEnded()
        else this.#server.ended()
        break
      case 'upstreamConnected':
        this.#isConnected = true
        this.#data.serverFound(event.server, event.knows)
        break
      case 'upstreamFailed':
        this.#outbox.close('upstream', '421 The FTP server cannot be reached, try again later.')
        break
      case 'drainRequested':
        this.#isDraining = true
        if (!this.#server.hasGreeted) this.#sayShuttingDown()
        break
      case 'timerFired':
        this.#timerFired(event.timer)
        break
      default:
        this.#handleData(event)
    }
  }

  #handleData(event: Exclude<Event, { type: ControlEventType }>): void {
    switch (event.type) {
      case 'pinholeOpened':
        this.#data.pinholeOpened(event)
        break
      case 'pinholeFailed':
        this.#data.pinholeFailed(event.pinhole, event.reason)
        break
      case 'pinholeExpired':
        if (this.#data.pinholeExpired(event.pinhole)) this.#transfers.dataFailed('pinhole_expired')
        break
      case 'legConnected':
        this.#data.channels.legConnected(event.channel, event.side)
        break
      case 'legFailed':
        if (this.#data.legFailed(event.channel)) this.#transfers.dataFailed('data_failed')
        break
      case 'channelEnded':
        if (this.#data.channelEnded(event.channel)) this.#transfers.dataFailed('data_failed')
        break
      default:
        assertNever(event)
    }
  }

  /** No word of ours may get between the two peers any more. */
  #handlePiped(event: Event): void {
    switch (event.type) {
      case 'received':
        this.#outbox.send(otherSide(event.side), event.text)
        break
      case 'ended':
        this.#outbox.close(event.side)
        break
      case 'timerFired':
        if (event.timer === 'idle') this.#outbox.close('idle')
        break
      case 'channelEnded':
        this.#data.channelEnded(event.channel)
        break
    }
  }

  /** Lets commands and replies through, in turns, as far as their order allows. */
  #proceed(): void {
    while (this.#mayGoOn && (this.#letCommandGo() || this.#server.actOnNext())) {
      // Each step may have made the next one possible.
    }
    if (!this.#mayGoOn) return
    this.#client.steerReading()
    this.#server.steerReading()
  }

  get #mayGoOn(): boolean {
    return this.#outbox.closeReason === null && !this.#server.isPipe
  }

  /** True when a line of the client was acted upon, or the session closes because there is none. */
  #letCommandGo(): boolean {
    if (!this.#server.hasGreeted) return false
    if (!this.#upstream.isIdle || this.#data.isNegotiating) return this.#client.actOnOvertaking()
    if (this.#server.hasSaidGoodbye) this.#outbox.close('quit')
    else if (this.#isDraining) {
      // What flows is let flow, but nothing begins behind it.
      if (this.isTransferring) return false
      this.#sayShuttingDown()
    } else if (!this.#client.actOnNext()) {
      if (!this.#hasClientEnded) return false
      this.#outbox.close('client')
    }
    return true
  }

  /** What a client said before its FIN is still answered; one that said nothing (a probe) is gone at once. */
  #clientEnded(): void {
    this.#hasClientEnded = true
    if (!this.#server.hasGreeted && this.#client.isEmpty) this.#outbox.close('client')
  }

  #timerFired(timer: SessionTimer | EngineTimer): void {
    switch (timer) {
      case 'login':
        if (!this.#login.isLoggedIn) this.#outbox.close('login_timeout', '421 Login timed out, closing.')
        break
      case 'idle':
        this.#outbox.close('idle', '421 Idle for too long, closing.')
        break
      case 'abort':
        if (!this.#server.doubtIsOver()) this.#transfers.abortOverdue()
        break
      case 'hold':
        this.#transfers.holdOver()
        break
      default:
        assertNever(timer)
    }
  }

  #sayShuttingDown(): void {
    this.#outbox.close('drain', '421 Service is shutting down, try again later.')
  }
}

/** Events about the control channels and the session itself. */
type ControlEventType =
  | 'received'
  | 'ended'
  | 'upstreamConnected'
  | 'upstreamFailed'
  | 'drainRequested'
  | 'timerFired'

function otherSide(side: Side): Side {
  return side === 'client' ? 'server' : 'client'
}
