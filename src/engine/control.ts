// One session's protocol as a machine: events in, effects out, nothing else. It decides who may speak next and when
// the session is over; the client's half, the server's half and the data side are machines of their own.

import { assertNever } from '../errors.ts'
import { Abort } from './abort.ts'
import { ClientEnd } from './client-end.ts'
import { ClientSide } from './client-side.ts'
import type { AwaitedParty, Effect, EngineTimer, Event, SessionTimer } from './contract.ts'
import { handleDataEvent } from './data-events.ts'
import { DataSide } from './data-side.ts'
import { FinalReplies } from './final-replies.ts'
import { Login } from './login.ts'
import type { EngineOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import { Passthrough } from './passthrough.ts'
import { Refusals } from './refusals.ts'
import { ReplyQueue } from './reply-queue.ts'
import { farewellFor, Security } from './security.ts'
import { ServerSide } from './server-side.ts'
import { Strays } from './strays.ts'
import { Transfers } from './transfers.ts'
import { Welcome } from './welcome.ts'

/** Where the protocol stands, in a word. `pipe`: bytes pass untouched; `opaque`: they will, once both peers have begun TLS. */
export type EngineState =
  | 'connecting'
  | 'login'
  | 'idle'
  | 'negotiating'
  | 'transfer'
  | 'opaque'
  | 'pipe'
  | 'closed'

/** Never throws for what a peer said. */
export class ControlEngine {
  readonly #outbox: Outbox
  readonly #login: Login
  readonly #queue: ReplyQueue
  readonly #data: DataSide
  readonly #abort: Abort
  readonly #transfers: Transfers
  readonly #client: ClientSide
  readonly #finals: FinalReplies
  readonly #clientEnd: ClientEnd
  readonly #server: ServerSide
  readonly #welcome: Welcome
  readonly #passthrough: Passthrough
  #isConnected = false
  #isDraining = false

  constructor(options: EngineOptions) {
    const outbox = new Outbox()
    const login = new Login(outbox)
    const queue = new ReplyQueue(outbox)
    const refusals = new Refusals({ outbox, maxRefusals: options.policy.maxRefusals })
    const isServerAbsent = () => welcome.isListening
    const security = new Security({ options, outbox, queue, refusals, login, isServerAbsent })
    const welcome = new Welcome({ options, outbox, queue, refusals, security })
    const data = new DataSide({ options, outbox, queue, refusals, security })
    const abort = new Abort({ outbox, queue, channels: data.channels })
    const transfers = new Transfers({ outbox, queue, channels: data.channels, abort })
    const client = new ClientSide({ options, outbox, login, queue, refusals, data, abort, security, welcome })
    this.#outbox = outbox
    this.#login = login
    this.#queue = queue
    this.#data = data
    this.#abort = abort
    this.#transfers = transfers
    this.#client = client
    this.#welcome = welcome
    const strays = new Strays(outbox)
    const finals = new FinalReplies({ options, outbox, login, queue, data, abort, strays, security, welcome })
    const passthrough = new Passthrough({ outbox, data, kind: options.passthrough ?? null })
    this.#finals = finals
    this.#clientEnd = new ClientEnd({ queue, data, finals })
    this.#passthrough = passthrough
    this.#server = new ServerSide({
      outbox,
      queue,
      data,
      abort,
      transfers,
      client,
      strays,
      finals,
      welcome,
      passthrough,
    })
  }

  handle(event: Event): Effect[] {
    if (this.#outbox.closeReason !== null) return []
    if (this.#passthrough.isOn) {
      this.#passthrough.handle(event)
    } else {
      this.#handle(event)
      this.#proceed()
    }
    if (this.#outbox.closeReason !== null) {
      this.#data.sessionEnded()
      this.#outbox.push({ type: 'close', reason: this.#outbox.closeReason })
    }
    return this.#outbox.take()
  }

  /** A transfer command waits for its end, or data still flows. */
  get isTransferring(): boolean {
    return this.#queue.transfer !== null || this.#data.channels.isFlowing
  }

  /** Who is waited for: whose limit runs. */
  get awaits(): AwaitedParty {
    if (this.#passthrough.isOn) return 'client'
    const { current } = this.#data.channels
    const { transfer } = this.#queue
    if (current?.isFlowing === true || (current?.isJoined === true && transfer !== null)) return 'data'
    if (transfer !== null && current?.isJoining === true) return this.#owesOnlyClient() ? 'data' : 'transfer'
    return this.#queue.isEmpty && this.#mayHearClient() && !this.#welcome.isBusy ? 'client' : 'server'
  }

  /** A pinhole of this channel has a transfer that the server works on, and a client that still wants it. */
  isWorkedOn(channel: number): boolean {
    const { transfer } = this.#queue
    const isOver = this.#clientEnd.hasEnded || this.#server.isHoldingSuccess
    return transfer?.channel === channel && !transfer.isAnswered && !isOver && !this.#owesOnlyClient()
  }

  /** The server has begun, and only its client has not come: that has no more time than its pinhole, which ends in 425. */
  #owesOnlyClient(): boolean {
    const hasBegun = this.#queue.transfer?.hasStarted === true && !this.#server.isInReply
    return hasBegun && this.#data.channels.current?.owesClient === true
  }

  /** Something waits for the server that may never come: `quiet` tells that nothing does. */
  get waitsForSilence(): boolean {
    const isForServer = this.#server.waitsForSilence || this.#transfers.waitsForSilence
    return isForServer || this.#client.isWaitingForNoops || this.#clientEnd.isAbandonedAfterQuit
  }

  /** TLS of the peers passes through, or is about to: nobody looks for a word of ours there. */
  get isOpaque(): boolean {
    return this.#passthrough.isOn
  }

  get state(): EngineState {
    if (this.#outbox.closeReason !== null) return 'closed'
    if (this.#passthrough.isOn) return this.#passthrough.isJoined ? 'pipe' : 'opaque'
    if (!this.#isConnected) return this.#welcome.isListening ? 'login' : 'connecting'
    if (this.isTransferring) return 'transfer'
    if (this.#data.isNegotiating) return 'negotiating'
    return this.#login.isLoggedIn ? 'idle' : 'login'
  }

  #handle(event: Event): void {
    switch (event.type) {
      case 'clientArrived':
        this.#welcome.clientArrived()
        this.#passthrough.clientArrived()
        break
      case 'clientSecured':
        this.#welcome.clientSecured(event.serverName)
        break
      case 'received':
        if (event.side === 'client') this.#client.received(event.text)
        else this.#server.received(event.text)
        break
      case 'ended':
        if (event.side === 'client') this.#clientEnded(event.isGone)
        else this.#server.ended()
        break
      case 'upstreamConnected':
        this.#isConnected = true
        this.#data.serverFound(event)
        break
      case 'serverSecured':
        this.#data.serverSecured(event.isSecure)
        this.#welcome.serverSecured(event.isSecure)
        break
      case 'upstreamFailed':
        this.#outbox.close('upstream', farewellFor(event.reason))
        break
      case 'drainRequested':
        this.#isDraining = true
        if (!this.#server.hasGreeted) this.#sayShuttingDown()
        break
      case 'timerFired':
        this.#timerFired(event.timer)
        break
      default:
        handleDataEvent(event, { data: this.#data, transfers: this.#transfers })
    }
  }

  /** Lets commands and replies through, in turns, as far as their order allows. */
  #proceed(): void {
    while (this.#mayGoOn() && (this.#letCommandGo() || this.#server.actOnNext())) {
      // Each step may have made the next one possible.
    }
    if (!this.#mayGoOn()) return
    this.#client.steerReading()
    this.#server.steerReading()
  }

  #mayGoOn(): boolean {
    return this.#outbox.closeReason === null && !this.#passthrough.isOn
  }

  /** True when a line of the client was acted upon, or the session closes because there is none. */
  #letCommandGo(): boolean {
    if (!this.#mayHearClient()) return false
    if (this.#isDraining && this.#queue.transfer === null && !this.#data.channels.isFinishing) {
      if (!this.#queue.isEmpty || this.#data.isNegotiating) return false
      this.#sayShuttingDown()
      return true
    }
    if (this.#finals.hasSaidGoodbye && this.#queue.isEmpty) {
      this.#outbox.close('quit')
      return true
    }
    if (this.#client.actOnNext()) return true
    const { isOver } = this.#clientEnd
    if (isOver) this.#outbox.close('client')
    return isOver
  }

  /** The server has greeted, or we have in its place. */
  #mayHearClient(): boolean {
    return this.#server.hasGreeted || this.#welcome.isListening
  }

  /** One that said nothing before its FIN (a probe) is gone at once. */
  #clientEnded(isGone: boolean): void {
    this.#clientEnd.ended(isGone)
    const isDone = isGone || (this.#client.isEmpty && !this.#welcome.isBusy)
    if (!this.#server.hasGreeted && isDone) this.#outbox.close('client')
  }

  #timerFired(timer: SessionTimer | EngineTimer): void {
    switch (timer) {
      case 'login':
        if (!this.#login.isLoggedIn) this.#outbox.close('login_timeout', '421 Login timed out, closing.')
        break
      case 'idle':
        this.#outbox.close('idle', '421 Idle for too long, closing.')
        break
      case 'greeting':
        if (!this.#server.hasGreeted) {
          this.#outbox.close('upstream', '421 The FTP server does not greet, try again later.')
        }
        break
      case 'reply':
        this.#outbox.close('reply_timeout', '421 The server takes too long to answer, closing.')
        break
      case 'transfer':
        this.#outbox.close('transfer_timeout', '421 The transfer takes too long to begin, closing.')
        break
      case 'quiet':
        this.#server.silent()
        this.#transfers.silent()
        if (this.#client.isWaitingForNoops) this.#queue.giveUpNoops()
        if (this.#clientEnd.isAbandonedAfterQuit) this.#outbox.close('quit')
        break
      case 'keepAlive':
        if (this.isTransferring && !this.#queue.has('NOOP')) this.#queue.noop('keepAlive')
        break
      case 'abort':
        this.#abort.overdue()
        break
      case 'doubt':
        this.#server.doubtIsOver()
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
