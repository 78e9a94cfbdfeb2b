// How data channels come to be in one session: what the client asks for, the negotiation under way, and what was
// learned about the server.

import { assertNever } from '../errors.ts'
import { familyOf } from '../ftp/addresses.ts'
import type { Command } from '../ftp/commands.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import { Algs, needsTranslation } from './algs.ts'
import type { Event, LegFailure, Mode, PinholeFailure, Side, UpstreamFact } from './contract.ts'
import { DataChannels } from './data-channels.ts'
import { type DataFailure, failureOf, textOf } from './data-failure.ts'
import { type DataRequest, readDataRequest } from './data-request.ts'
import type { UpstreamManner } from './manner.ts'
import { Negotiation, type NegotiationParts, type NegotiationState } from './negotiation.ts'
import type { EngineOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { Policy } from './policy.ts'
import { type Refusals, reportFailure } from './refusals.ts'
import type { Reply } from './reply.ts'
import type { ReplyQueue } from './reply-queue.ts'
import type { Security } from './security.ts'
import { activeVerbs, passiveVerbs } from './upstream-verbs.ts'

/** A data channel that may be set up. */
type DataSetup = Extract<DataRequest, { readonly type: Mode }>

export interface DataSideParts {
  readonly options: EngineOptions
  readonly outbox: Outbox
  readonly queue: ReplyQueue
  readonly refusals: Refusals
  readonly security: Security
}

export class DataSide implements NegotiationParts {
  readonly channels: DataChannels
  readonly #options: EngineOptions
  #manner: Pick<UpstreamManner, 'upstreamMode' | 'upstreamVerbs'>
  readonly outbox: Outbox
  readonly queue: ReplyQueue
  readonly #refusals: Refusals
  readonly #security: Security
  #server: Endpoint | null = null
  #knows: readonly UpstreamFact[] = []
  #algs: Algs | null = null
  #isEpsvAll = false
  #negotiation: Negotiation | null = null
  #lastPinhole = 0
  /** Why the current channel came to nothing. */
  #failure: DataFailure = 'data_failed'

  constructor({ options, outbox, queue, refusals, security }: DataSideParts) {
    this.channels = new DataChannels(outbox)
    this.#options = options
    this.#manner = options
    this.outbox = outbox
    this.queue = queue
    this.#refusals = refusals
    this.#security = security
  }

  /** The next command must wait. */
  get isNegotiating(): boolean {
    return this.#negotiation !== null || this.#security.isBusy
  }

  /** An answer to the client waits for its pinhole or the server's port: nothing may overtake it. */
  get isAnswering(): boolean {
    return this.#negotiation?.isAnswering === true
  }

  /** How data connections with the server are opened. */
  get upstreamMode(): UpstreamManner['upstreamMode'] {
    return this.#manner.upstreamMode
  }

  /** Client and server speak the same: what the client says about data channels goes on verb by verb. */
  get isFaithful(): boolean {
    const { upstreamMode, upstreamVerbs } = this.#manner
    const { client } = this.#options
    if (upstreamMode !== 'client' || upstreamVerbs.length > 0) return false
    return this.#server === null || familyOf(this.#server.address) === familyOf(client)
  }

  /** A transfer needs not wait for what is outstanding. */
  get isReadyForTransfer(): boolean {
    return (this.channels.current?.status ?? 'open') === 'open'
  }

  /** What the client sent before is not with the server yet. */
  get isUploading(): boolean {
    const { transfer } = this.queue
    const { current } = this.channels
    const isUnderWay = transfer !== null && !transfer.isAnswered && current?.mayHoldUpload === true
    return this.channels.isUploading || isUnderWay
  }

  /** What RFC 6384 adds to this session, or null where it does not apply. */
  get algs(): Algs | null {
    return this.#algs
  }

  serverFound({ server, knows, manner }: Extract<Event, { readonly type: 'upstreamConnected' }>): void {
    this.#server = server
    this.#knows = knows
    if (manner !== null) {
      this.#manner = manner
      this.#security.towards(manner.tls)
    }
    if (needsTranslation({ client: this.#options.client, server: server.address })) this.#algs = new Algs()
  }

  /** The server's control connection is encrypted, or was asked to be and is not. */
  serverSecured(isSecure: boolean): void {
    this.#security.serverSecured(isSecure)
  }

  /** PASV, EPSV, PORT or EPRT. */
  requested(command: Command): void {
    const { client, policy, isOwnAddress } = this.#options
    const request = readDataRequest(command, { client, policy, isOwnAddress, isEpsvAll: this.#isEpsvAll })
    switch (request.type) {
      case 'refused':
        this.#refusals.refuse(command, request.reason, request.text)
        break
      case 'epsvAll':
        if (this.isFaithful) {
          this.queue.forward(command, { channel: null })
          break
        }
        // Not passed on: the server would refuse the PASV or PORT of a fallback or conversion.
        this.#isEpsvAll = true
        this.outbox.reply('200 EPSV ALL noted.')
        break
      case 'passive':
      case 'active':
        this.#negotiate(request, command)
        break
      default:
        assertNever(request)
    }
  }

  /** The server took EPSV ALL. */
  onlyEpsvAllowed(): void {
    this.#isEpsvAll = true
  }

  /** Whether a transfer command may go upstream; where not, the client has had its reply. */
  mayTransfer({ verb }: Command): boolean {
    const status = this.channels.current?.status ?? 'open'
    if (status === 'open') return true
    this.channels.reset()
    if (status === 'expired') {
      const text = '425 The data port has expired, set up another.'
      reportFailure(this.outbox, { verb, reason: 'pinhole_expired', text })
    } else {
      reportFailure(this.outbox, { verb, reason: 'data_failed', text: textOf(this.#failure) })
    }
    return false
  }

  /** The server answered a question of the negotiation. */
  replied(reply: Reply): void {
    if (this.#security.server?.isAsking === true) this.#security.server.replied(reply)
    else this.#settle(this.#negotiation?.replied(reply))
  }

  /** The server answered it with a code that is no answer to it, and the client has seen that. */
  repliedAstray(code: number): void {
    const { server } = this.#security
    if (server?.isAsking === true) server.replied({ code, line: '', text: '' })
    else this.#settle(this.#negotiation?.repliedAstray(code))
  }

  pinholeOpened(opened: { pinhole: number; announce: Endpoint; inKernel: boolean }): void {
    const { pinhole, announce, inKernel } = opened
    const { current } = this.channels
    if (inKernel && current?.owns(pinhole) === true) current.forwardedByKernel()
    this.#settle(this.#negotiation?.pinholeOpened(pinhole, announce))
  }

  pinholeFailed(pinhole: number, reason: PinholeFailure): void {
    this.#settle(this.#negotiation?.pinholeFailed(pinhole, reason))
  }

  // These three tell why the transfer that runs, or the next one, cannot have its data connection; null if it can.

  pinholeExpired(pinhole: number): DataFailure | null {
    const { current } = this.channels
    if (current?.owns(pinhole) !== true) return null
    current.pinholeExpired(pinhole)
    this.#settle(this.#negotiation?.dataFailed('pinhole_expired'))
    return 'pinhole_expired'
  }

  legFailed(channel: number, side: Side, reason: LegFailure): DataFailure | null {
    if (this.#negotiation?.isReaching === true && side === 'server' && this.channels.isCurrent(channel)) {
      this.#settle(this.#negotiation.serverUnreachable())
      return null
    }
    return this.#lost(this.channels.legFailed(channel), failureOf(side, reason))
  }

  channelEnded(channel: number): DataFailure | null {
    return this.#lost(this.channels.ended(channel), 'data_failed')
  }

  legConnected(channel: number, side: Side): void {
    this.channels.legConnected(channel, side)
    if (this.#negotiation === null || !this.channels.isCurrent(channel)) return
    if (side === 'server') this.#settle(this.#negotiation.serverReached())
    // Whoever comes to a port that was not announced has guessed it; an active client was called by us.
    else if (this.channels.current?.clientMode === 'passive')
      this.#settle(this.#negotiation.dataFailed('data_failed'))
  }

  /** REIN: as if the session had just begun. What flows runs on. */
  reset(): void {
    this.#isEpsvAll = false
    this.channels.retire()
  }

  sessionEnded(): void {
    this.#negotiation = null
    this.channels.sessionEnded()
  }

  // What a negotiation needs.

  get server(): Endpoint {
    if (this.#server === null) throw new Error('a negotiation began before there was a server')
    return this.#server
  }

  get policy(): Policy {
    return this.#options.policy
  }

  get isOwnAddress(): (address: string) => boolean {
    return this.#options.isOwnAddress
  }

  nextPinhole(): number {
    this.#lastPinhole += 1
    return this.#lastPinhole
  }

  learned(fact: UpstreamFact): void {
    if (this.#knows.includes(fact)) return
    this.#knows = [...this.#knows, fact]
    this.outbox.push({ type: 'remember', fact })
  }

  #negotiate(request: DataSetup, command: Command): void {
    if (this.#security.mustAsk(command, () => this.#negotiate(request, command))) return
    const { reachesFirst } = this.#options
    const { upstreamMode, upstreamVerbs } = this.#manner
    const { isFaithful } = this
    const { verb, type: clientMode } = request
    const serverMode = upstreamMode === 'client' ? clientMode : upstreamMode
    const choice = {
      verb,
      server: this.server.address,
      knows: this.#knows,
      isFaithful,
      configured: upstreamVerbs,
      isTranslating: this.#algs?.isTranslating ?? null,
    }
    const plan = {
      verb,
      clientMode,
      serverMode,
      protection: this.#security.protection,
      clientEndpoint: request.type === 'active' ? request.endpoint : null,
      delimiter: request.type === 'active' ? request.delimiter : '|',
      // `EPSV 1` speaks of the client's control connection: only where the server's is alike it means the same there.
      line: isFaithful ? command.line : verb,
      isFaithful,
      reachesFirst: serverMode === 'passive' && (reachesFirst || clientMode === 'active'),
      serverVerbs: serverMode === 'passive' ? passiveVerbs(choice) : activeVerbs(choice),
    }
    this.#negotiation = new Negotiation(plan, this.channels.begin(plan), this)
    this.#settle(this.#negotiation.start())
  }

  #lost(isCurrent: boolean, failure: DataFailure): DataFailure | null {
    if (!isCurrent) return null
    this.#failure = failure
    this.#settle(this.#negotiation?.dataFailed('data_failed'))
    return failure
  }

  #settle(state: NegotiationState | undefined): void {
    if (state === undefined || state === 'pending') return
    this.#negotiation = null
    if (state === 'refused') this.channels.forget()
    else this.#security.dataAnnounced()
  }
}
