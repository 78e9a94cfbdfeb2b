// How data channels come to be in one session: what the client asks for, the negotiation under way, and what was
// learned about the server.

import { assertNever } from '../errors.ts'
import type { Command } from '../ftp/commands.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { Reply } from '../ftp/replies.ts'
import { Algs, needsTranslation } from './algs.ts'
import type { Mode, PinholeFailure, UpstreamFact } from './contract.ts'
import { DataChannels } from './data-channels.ts'
import { type DataRequest, readDataRequest } from './data-request.ts'
import { Negotiation, type NegotiationParts, type NegotiationState } from './negotiation.ts'
import type { EngineOptions } from './options.ts'
import type { Outbox } from './outbox.ts'
import type { Policy } from './policy.ts'
import { type Refusals, reportFailure } from './refusals.ts'
import type { Upstream } from './upstream.ts'
import { activeVerbs, passiveVerbs } from './upstream-verbs.ts'

export interface DataSideParts {
  readonly options: EngineOptions
  readonly outbox: Outbox
  readonly upstream: Upstream
  readonly refusals: Refusals
}

export class DataSide implements NegotiationParts {
  readonly channels: DataChannels
  readonly #options: EngineOptions
  readonly outbox: Outbox
  readonly upstream: Upstream
  readonly #refusals: Refusals
  #server: Endpoint | null = null
  #knows: readonly UpstreamFact[] = []
  #algs: Algs | null = null
  #isEpsvAll = false
  #negotiation: Negotiation | null = null
  #lastPinhole = 0

  constructor({ options, outbox, upstream, refusals }: DataSideParts) {
    this.channels = new DataChannels(outbox)
    this.#options = options
    this.outbox = outbox
    this.upstream = upstream
    this.#refusals = refusals
  }

  /** The next command must wait. */
  get isNegotiating(): boolean {
    return this.#negotiation !== null
  }

  /** An answer to the client waits for its pinhole: nothing may overtake it. */
  get isOpeningPinhole(): boolean {
    return this.#negotiation?.isOpening === true
  }

  /** What RFC 6384 adds to this session, or null where it does not apply. */
  get algs(): Algs | null {
    return this.#algs
  }

  serverFound(server: Endpoint, knows: readonly UpstreamFact[]): void {
    this.#server = server
    this.#knows = knows
    if (needsTranslation({ client: this.#options.client, server: server.address })) this.#algs = new Algs()
  }

  /** PASV, EPSV, PORT or EPRT. */
  requested(command: Command): void {
    const { client, policy } = this.#options
    const request = readDataRequest(command, { client, policy, isEpsvAll: this.#isEpsvAll })
    switch (request.type) {
      case 'refused':
        this.#refusals.refuse(command, request.reason, request.text)
        break
      case 'epsvAll':
        // Not passed on: the server would refuse the PASV or PORT of a fallback or conversion.
        this.#isEpsvAll = true
        this.outbox.reply('200 EPSV ALL noted.')
        break
      case 'passive':
      case 'active':
        this.#negotiate(request)
        break
      default:
        assertNever(request)
    }
  }

  /** Whether a transfer command may go upstream; where not, the client has been told. */
  mayTransfer({ verb }: Command): boolean {
    const status = this.channels.current?.status ?? 'open'
    if (status === 'open') return true
    this.channels.reset()
    if (status === 'expired') {
      const text = '425 The data port has expired, set up another.'
      reportFailure(this.outbox, { verb, reason: 'pinhole_expired', text })
    } else {
      const text = '425 Cannot open the data connection.'
      reportFailure(this.outbox, { verb, reason: 'data_failed', text })
    }
    return false
  }

  /** The server answered a question of the negotiation. */
  replied(reply: Reply): void {
    this.#settle(this.#negotiation?.replied(reply))
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

  // These three are true when the transfer that runs, or the next one, cannot have its data connection.

  pinholeExpired(pinhole: number): boolean {
    const { current } = this.channels
    if (current?.owns(pinhole) !== true) return false
    current.pinholeExpired(pinhole)
    this.#settle(this.#negotiation?.dataFailed('pinhole_expired'))
    return true
  }

  legFailed(channel: number): boolean {
    return this.#lost(this.channels.legFailed(channel))
  }

  channelEnded(channel: number): boolean {
    return this.#lost(this.channels.ended(channel))
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

  #negotiate(request: Extract<DataRequest, { type: Mode }>): void {
    const { upstreamMode } = this.#options
    const { verb, type: clientMode } = request
    const serverMode = upstreamMode === 'client' ? clientMode : upstreamMode
    const choice = {
      verb,
      server: this.server.address,
      knows: this.#knows,
      isTranslating: this.#algs?.isTranslating ?? null,
    }
    const wish = {
      verb,
      clientMode,
      serverMode,
      clientEndpoint: request.type === 'active' ? request.endpoint : null,
      delimiter: request.type === 'active' ? request.delimiter : '|',
      serverVerbs: serverMode === 'passive' ? passiveVerbs(choice) : activeVerbs(choice),
    }
    this.#negotiation = new Negotiation(wish, this.channels.begin(wish), this)
    this.#settle(this.#negotiation.start())
  }

  #lost(isCurrent: boolean): boolean {
    if (isCurrent) this.#settle(this.#negotiation?.dataFailed('data_failed'))
    return isCurrent
  }

  #settle(state: NegotiationState | undefined): void {
    if (state === undefined || state === 'pending') return
    this.#negotiation = null
    if (state === 'refused') this.channels.forget()
  }
}
