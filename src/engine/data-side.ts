// Everything about data channels in one session: the negotiation under way, the channel that the next transfer
// will use, and those of earlier transfers that still deliver their last bytes.

import { assertNever } from '../errors.ts'
import type { Command } from '../ftp/commands.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { Reply } from '../ftp/replies.ts'
import type { Mode, PinholeFailure, RefusalReason, Side, UpstreamFact } from './contract.ts'
import { DataChannel } from './data-channel.ts'
import { type ActiveVerb, type PassiveVerb, readDataRequest } from './data-request.ts'
import { Negotiation, type NegotiationState } from './negotiation.ts'
import type { Outbox } from './outbox.ts'
import type { Policy } from './policy.ts'

export interface DataSideOptions {
  readonly client: string
  readonly upstreamMode: 'client' | 'passive' | 'active'
  readonly policy: Policy
  readonly isOwnAddress: (address: string) => boolean
  readonly outbox: Outbox
  /** Sends a line upstream whose reply comes back through `replied`. */
  readonly ask: (verb: string, line: string) => void
  readonly refuse: (command: Command, reason: RefusalReason, text: string) => void
}

/** A client that starts transfers and never reads them holds at most this many channels. */
const MAX_CHANNELS = 4

export class DataSide {
  readonly #options: DataSideOptions
  /** Channels with a leg that is not closed, oldest first. */
  readonly #channels: DataChannel[] = []
  readonly #knows = new Set<UpstreamFact>()
  #server: Endpoint = { address: '0.0.0.0', port: 0 }
  #negotiation: Negotiation | null = null
  #current: DataChannel | null = null
  /** Replies that wait until an active client is reached. */
  #held: string[] = []
  #isEpsvAll = false
  #lastChannel = 0
  #lastPinhole = 0

  constructor(options: DataSideOptions) {
    this.#options = options
  }

  get isNegotiating(): boolean {
    return this.#negotiation !== null
  }

  /** The next command must wait. */
  get isBusy(): boolean {
    return this.#negotiation !== null || this.#held.length > 0
  }

  get isFlowing(): boolean {
    return this.#channels.some((channel) => channel.isJoined)
  }

  get currentChannel(): number | null {
    return this.#current?.id ?? null
  }

  serverFound(server: Endpoint, knows: readonly UpstreamFact[]): void {
    this.#server = server
    for (const fact of knows) this.#knows.add(fact)
  }

  // Commands.

  /** PASV, EPSV, PORT or EPRT. */
  requested(command: Command): void {
    const { client, policy, upstreamMode, outbox, refuse } = this.#options
    const request = readDataRequest(command, { client, policy, isEpsvAll: this.#isEpsvAll })
    switch (request.type) {
      case 'refused':
        refuse(command, request.reason, request.text)
        break
      case 'epsvAll':
        // Not passed on: the server would refuse the PASV or PORT of a fallback or conversion.
        this.#isEpsvAll = true
        outbox.reply('200 EPSV ALL noted.')
        break
      case 'passive':
        this.#negotiate({
          verb: request.verb,
          clientMode: 'passive',
          serverMode: upstreamMode === 'active' ? 'active' : 'passive',
          clientEndpoint: null,
          delimiter: '|',
        })
        break
      case 'active':
        this.#negotiate({
          verb: request.verb,
          clientMode: 'active',
          serverMode: upstreamMode === 'passive' ? 'passive' : 'active',
          clientEndpoint: request.endpoint,
          delimiter: request.delimiter,
        })
        break
      default:
        assertNever(request)
    }
  }

  /** Whether a transfer command may go upstream; where not, the client has been told. */
  mayTransfer(command: Command): boolean {
    const status = this.#current?.status ?? 'open'
    if (status === 'open') return true
    this.#forgetCurrent()
    if (status === 'expired') {
      this.#refuseTransfer(command, 'pinhole_expired', '425 The data port has expired, set up another.')
    } else {
      this.#refuseTransfer(command, 'data_failed', '425 Cannot open the data connection.')
    }
    return false
  }

  transferRequested(): void {
    this.#current?.transferRequested()
  }

  // Replies.

  replied(reply: Reply): void {
    this.#settle(this.#negotiation?.replied(reply))
  }

  transferReplied(reply: Reply, { isAnswered }: { readonly isAnswered: boolean }): void {
    const { outbox } = this.#options
    const channel = this.#current
    if (reply.code < 300) channel?.transferAccepted()
    if (!isAnswered) {
      if (reply.code < 300 && channel?.holdsReplies === true) {
        this.#held.push(reply.text)
        if (reply.code >= 200 && channel.awaitsServer) outbox.push({ type: 'setTimer', timer: 'hold' })
      } else {
        this.releaseReplies()
        outbox.send('client', reply.text)
      }
    }
    const isOver = reply.code >= 400 || (reply.code >= 200 && (channel?.isUntouched === true || isAnswered))
    if (isOver) this.#closeCurrent()
  }

  /** Lets held replies go: the client was reached, or nobody will come. */
  releaseReplies(): void {
    const held = this.#held
    this.#held = []
    for (const text of held) this.#options.outbox.send('client', text)
  }

  aborted(): void {
    this.releaseReplies()
    this.#closeCurrent()
  }

  // What happens on the data side.

  pinholeOpened({
    pinhole,
    announce,
    inKernel,
  }: {
    pinhole: number
    announce: Endpoint
    inKernel: boolean
  }): void {
    if (inKernel) this.#current?.forwardedByKernel()
    this.#settle(this.#negotiation?.pinholeOpened(pinhole, announce))
  }

  pinholeFailed(pinhole: number, reason: PinholeFailure): void {
    this.#settle(this.#negotiation?.pinholeFailed(pinhole, reason))
  }

  pinholeExpired(pinhole: number): void {
    const channel = this.#channels.find((each) => each.owns(pinhole))
    if (channel === undefined) return
    channel.pinholeExpired(pinhole)
    if (channel === this.#current) this.releaseReplies()
    this.#remove(channel)
  }

  legConnected(id: number, side: Side): void {
    const channel = this.#channels.find((each) => each.id === id)
    if (channel === undefined) return
    channel.legConnected(side)
    if (channel === this.#current && !channel.holdsReplies) this.releaseReplies()
  }

  /** True when it is the current transfer's channel: somebody must be told. */
  legFailed(id: number): boolean {
    const channel = this.#channels.find((each) => each.id === id)
    if (channel === undefined) return false
    channel.legFailed()
    this.#remove(channel)
    if (channel !== this.#current) return false
    this.#held = []
    return true
  }

  channelEnded(id: number): void {
    const channel = this.#channels.find((each) => each.id === id)
    if (channel === undefined) return
    this.#remove(channel)
    if (channel === this.#current) {
      this.releaseReplies()
      this.#current = null
    }
  }

  /** REIN: as if the session had just begun. */
  reset(): void {
    this.#isEpsvAll = false
    this.#retireCurrent()
  }

  /** Pinholes close, legs without a partner are reset; joined ones run on until they end by themselves. */
  sessionEnded(): void {
    this.#negotiation = null
    this.#held = []
    for (const channel of this.#channels) {
      if (!channel.isJoined) channel.close('reset', 'session_end')
    }
    this.#channels.length = 0
    this.#current = null
  }

  #negotiate(request: {
    readonly verb: PassiveVerb | ActiveVerb
    readonly clientMode: Mode
    readonly serverMode: Mode
    readonly clientEndpoint: Endpoint | null
    readonly delimiter: string
  }): void {
    const { outbox, policy, isOwnAddress, ask } = this.#options
    this.#retireCurrent()
    while (this.#channels.length >= MAX_CHANNELS) this.#channels.shift()?.close('reset', 'replaced')
    this.#lastChannel += 1
    const channel = new DataChannel({ id: this.#lastChannel, ...request }, outbox)
    this.#channels.push(channel)
    this.#current = channel
    this.#negotiation = new Negotiation({
      ...request,
      channel,
      server: this.#server,
      policy,
      knows: this.#knows,
      isOwnAddress,
      nextPinhole: () => {
        this.#lastPinhole += 1
        return this.#lastPinhole
      },
      ask,
      outbox,
    })
    this.#settle(this.#negotiation.start())
  }

  #settle(state: NegotiationState | undefined): void {
    if (state === undefined || state === 'pending') return
    this.#negotiation = null
    if (state === 'refused') this.#forgetCurrent()
  }

  /** A new PASV or PORT: what was set up before and not used is closed, what flows runs on. */
  #retireCurrent(): void {
    const channel = this.#current
    this.#current = null
    if (channel === null || channel.isJoined) return
    channel.close('reset', 'replaced')
    this.#remove(channel)
  }

  /** The transfer is over by the server's word. */
  #closeCurrent(): void {
    const channel = this.#current
    this.#current = null
    if (channel === null) return
    channel.close('finish', 'unused')
    // A joined channel reports its own end when its last bytes are through.
    if (!channel.isJoined) this.#remove(channel)
  }

  #forgetCurrent(): void {
    if (this.#current !== null) this.#remove(this.#current)
    this.#current = null
  }

  #remove(channel: DataChannel): void {
    const index = this.#channels.indexOf(channel)
    if (index >= 0) this.#channels.splice(index, 1)
  }

  /** Not the client's fault: it does not count against it. */
  #refuseTransfer(command: Command, reason: RefusalReason, text: string): void {
    const { outbox } = this.#options
    outbox.refusal({ verb: command.verb, reason, code: 425, detail: '' })
    outbox.reply(text)
  }
}
