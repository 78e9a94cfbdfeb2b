// One session's protocol as a machine: events in, effects out, nothing else. It decides who may speak next and when
// the session is over; the client's half, the server's half and the data side are machines of their own.

import { assertNever } from '../errors.ts'
import type { Reply } from '../ftp/replies.ts'
import { ClientSide } from './client-side.ts'
import type { CloseReason, Effect, EngineTimer, Event, SessionTimer } from './contract.ts'
import { DataSide } from './data-side.ts'
import { Login } from './login.ts'
import { Outbox } from './outbox.ts'
import type { Policy } from './policy.ts'
import { ServerSide } from './server-side.ts'

export interface EngineOptions {
  /** The client's control address, canonical. */
  readonly client: string
  readonly upstreamMode: 'client' | 'passive' | 'active'
  readonly policy: Policy
  /** Whether an address belongs to this machine. */
  readonly isOwnAddress: (address: string) => boolean
}

/** Where the protocol stands, in a word for the status page. `pipe`: bytes pass untouched. */
export type EngineState = 'connecting' | 'login' | 'idle' | 'negotiating' | 'transfer' | 'pipe' | 'closed'

/** Never throws for what a peer said. */
export class ControlEngine {
  readonly #outbox = new Outbox()
  readonly #login = new Login(this.#outbox)
  readonly #client: ClientSide
  readonly #server: ServerSide
  readonly #data: DataSide
  #phase: 'connecting' | 'connected' | 'pipe' | 'closed' = 'connecting'
  #hasClientEnded = false
  #isDraining = false

  constructor(options: EngineOptions) {
    const { policy } = options
    const outbox = this.#outbox
    const login = this.#login
    const close = (reason: CloseReason, reply?: string) => this.#close(reason, reply)
    this.#client = new ClientSide({ ...options, outbox, login, close })
    this.#data = new DataSide({
      ...options,
      outbox,
      ask: (verb, line) => this.#server.ask(verb, line),
      refuse: (command, reason, text) => this.#client.refuse(command, reason, text),
    })
    this.#server = new ServerSide({
      outbox,
      login,
      data: this.#data,
      keepTls: policy.auth === 'passthrough',
      proceed: () => this.#proceed(),
      upgrade: (reply) => this.#upgrade(reply),
      close,
    })
  }

  handle(event: Event): Effect[] {
    if (this.#phase !== 'closed') {
      this.#handle(event)
      this.#proceed()
    }
    return this.#outbox.take()
  }

  /** A transfer command waits for its end, or data still flows. */
  get isTransferring(): boolean {
    return this.#server.transfer !== null || this.#data.isFlowing
  }

  get state(): EngineState {
    if (this.#phase !== 'connected') return this.#phase
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
        if (event.side === 'server') this.#server.ended()
        else this.#clientEnded()
        break
      case 'upstreamConnected':
        this.#phase = 'connected'
        this.#data.serverFound(event.server, event.knows)
        break
      case 'upstreamFailed':
        this.#close('upstream', '421 The FTP server cannot be reached, try again later.')
        break
      case 'pinholeOpened':
        this.#data.pinholeOpened(event)
        break
      case 'pinholeFailed':
        this.#data.pinholeFailed(event.pinhole, event.reason)
        break
      case 'pinholeExpired':
        this.#data.pinholeExpired(event.pinhole)
        break
      case 'legConnected':
        this.#data.legConnected(event.channel, event.side)
        break
      case 'legFailed':
        this.#legFailed(event.channel)
        break
      case 'channelEnded':
        this.#data.channelEnded(event.channel)
        break
      case 'timerFired':
        this.#timerFired(event.timer)
        break
      case 'drainRequested':
        this.#isDraining = true
        break
      default:
        assertNever(event)
    }
  }

  /** Lets the client's lines through as far as order allows. */
  #proceed(): void {
    while (this.#phase === 'connected' && this.#server.hasGreeted) {
      if (!this.#server.isReady || this.#data.isBusy) {
        if (this.#server.maybeOvertaken && this.#client.actOnOvertaking(this.#server)) continue
        break
      }
      if (this.#isFinished() || !this.#client.actOnNext(this.#server, this.#data)) break
    }
    if (this.#phase === 'connecting' || this.#phase === 'connected') this.#client.steerReading()
  }

  /** Nothing is left to do and somebody wants to go. */
  #isFinished(): boolean {
    if (this.isTransferring) return false
    if (this.#isDraining) this.#close('drain', '421 Service is shutting down, try again later.')
    else if (this.#hasClientEnded && this.#client.isEmpty) this.#close('client')
    return this.#phase === 'closed'
  }

  /** What a client said before its FIN is still answered; one that said nothing (a probe) is gone at once. */
  #clientEnded(): void {
    this.#hasClientEnded = true
    if (!this.#server.hasGreeted && this.#client.isEmpty) this.#close('client')
  }

  /** The server agreed to TLS: from here on only the two peers can read. */
  #upgrade(reply: Reply): void {
    if (!this.#client.isEmpty || this.#server.isPartial) {
      this.#outbox.refusal({ verb: 'AUTH', reason: 'plaintext_after_auth', code: 421, detail: '' })
      this.#close('protocol')
      return
    }
    this.#outbox.send('client', reply.text)
    this.#data.reset()
    this.#phase = 'pipe'
    this.#server.stop('pipe')
    this.#outbox.push({ type: 'passThrough' })
  }

  #legFailed(channel: number): void {
    const wasCurrent = this.#data.legFailed(channel)
    const { transfer } = this.#server
    if (!wasCurrent || transfer === null || transfer.isAnswered) return
    // The server will say so too, perhaps after a minute: the client does not wait for that.
    transfer.isAnswered = true
    this.#outbox.refusal({ verb: transfer.verb, reason: 'data_failed', code: 425, detail: '' })
    this.#outbox.reply('425 Cannot open the data connection.')
  }

  #timerFired(timer: SessionTimer | EngineTimer): void {
    switch (timer) {
      case 'login':
        if (!this.#login.isLoggedIn) this.#close('login_timeout', '421 Login timed out, closing.')
        break
      case 'idle':
        this.#close('idle', '421 Idle for too long, closing.')
        break
      case 'abort':
        this.#server.abortOverdue()
        break
      case 'hold':
        this.#data.releaseReplies()
        break
      default:
        assertNever(timer)
    }
  }

  #close(reason: CloseReason, reply?: string): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    if (reply !== undefined) this.#outbox.reply(reply)
    this.#server.stop('closed')
    this.#data.sessionEnded()
    this.#outbox.push({ type: 'close', reason })
  }
}
