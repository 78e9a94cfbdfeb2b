// One PASV, EPSV, PORT or EPRT from the client's line to our answer: what the server is asked instead, which
// pinholes are opened, what is announced. Nothing is announced before its pinhole is open.

import { familyOf } from '../ftp/addresses.ts'
import { type Endpoint, formatEprt, formatHostPort, parse227, parse229 } from '../ftp/endpoints.ts'
import { replyWithoutEndpoints } from '../ftp/harmless.ts'
import { announcement } from './announcement.ts'
import type { Mode, PinholeFailure, RefusalReason, Side, UpstreamFact } from './contract.ts'
import type { DataChannel } from './data-channel.ts'
import type { DataVerb } from './data-request.ts'
import type { Outbox } from './outbox.ts'
import { judgeServerEndpoint, type Policy } from './policy.ts'
import { reportFailure } from './refusals.ts'
import type { Reply } from './reply.ts'
import type { ReplyQueue } from './reply-queue.ts'

/** The approved request for a data channel, and how it will be made on the server's side. */
export interface DataChannelPlan {
  /** What the client said. */
  readonly verb: DataVerb
  readonly clientMode: Mode
  readonly serverMode: Mode
  /** Where an active client listens, and the delimiter it used in EPRT. */
  readonly clientEndpoint: Endpoint | null
  readonly delimiter: string
  /** What the server is asked with, in order: PASV and EPSV, or PORT and EPRT. */
  readonly serverVerbs: readonly DataVerb[]
  /** What is said for the client's own verb. */
  readonly line: string
  /** The client's own verb goes on and no other: it sees what came of it. */
  readonly isFaithful: boolean
  /** A passive server's port is connected to before the client is answered. */
  readonly reachesFirst: boolean
}

/** What every negotiation of a session needs. */
export interface NegotiationParts {
  readonly server: Endpoint
  readonly policy: Policy
  readonly outbox: Outbox
  readonly queue: ReplyQueue
  readonly isOwnAddress: (address: string) => boolean
  nextPinhole(): number
  /** The server was seen to refuse a verb and to take another. */
  learned(fact: UpstreamFact): void
}

/** `ready`: the channel is announced or accepted. `refused`: the client was answered with an error. */
export type NegotiationState = 'pending' | 'ready' | 'refused'

export class Negotiation {
  readonly #plan: DataChannelPlan
  readonly #channel: DataChannel
  readonly #parts: NegotiationParts
  /** How many of the verbs the server was asked with. */
  #askedCount = 0
  /** The verb that the server was asked with last. */
  #asked: DataVerb | null = null
  /** The server's answer to the client's own verb. */
  #ownReply: Reply | null = null
  /** Where the server was asked to connect to. */
  #announced: Endpoint | null = null
  #pinhole = 0
  #pinholeFrom: Side = 'client'
  #isOpening = false
  /** The server's port is being connected to. */
  #isReaching = false
  /** The reply to the client, once it is true. */
  #announce: Endpoint | null = null

  constructor(plan: DataChannelPlan, channel: DataChannel, parts: NegotiationParts) {
    this.#plan = plan
    this.#channel = channel
    this.#parts = parts
  }

  /** The server has answered, and the client's answer waits for a pinhole or the server's port. */
  get isAnswering(): boolean {
    return this.#isOpening || this.#isReaching
  }

  /** The server's port is being connected to. */
  get isReaching(): boolean {
    return this.#isReaching
  }

  start(): NegotiationState {
    const { serverMode, clientMode, clientEndpoint } = this.#plan
    if (serverMode === 'passive') return this.#askPassive()
    return this.#openPinhole('server', clientMode === 'active' ? clientEndpoint : null)
  }

  replied(reply: Reply): NegotiationState {
    if (this.#asked === this.#plan.verb) this.#ownReply = reply
    return this.#plan.serverMode === 'passive' ? this.#passiveReplied(reply) : this.#activeReplied(reply)
  }

  /** The client has its answer from the server itself, in a reply that is none to what we asked: 250 to a PORT is as good as 200. */
  repliedAstray(code: number): NegotiationState {
    const { clientMode, serverMode } = this.#plan
    if (code < 300 && clientMode === 'active' && serverMode === 'active') return 'ready'
    this.#channel.close('reset', 'refused')
    return 'refused'
  }

  pinholeOpened(pinhole: number, announce: Endpoint): NegotiationState {
    if (pinhole !== this.#pinhole) return 'pending'
    this.#isOpening = false
    if (this.#pinholeFrom === 'client') {
      this.#announce = announce
      return this.#isReaching ? 'pending' : this.#announceToClient(announce)
    }
    this.#announced = announce
    return this.#askActive(announce)
  }

  pinholeFailed(pinhole: number, reason: PinholeFailure): NegotiationState {
    if (pinhole !== this.#pinhole) return 'pending'
    this.#channel.pinholeGone(pinhole)
    switch (reason) {
      case 'exhausted':
        return this.#refuse('pinhole_exhausted', '425 No data port is free, try again later.')
      case 'share':
        return this.#refuse('pinhole_share', '425 You hold as many data ports as one client may.')
      case 'backend':
        return this.#refuse('pinhole_backend', '425 Cannot open a data port, try again later.')
    }
  }

  /** The connection to the server's port stands. */
  serverReached(): NegotiationState {
    if (!this.#isReaching) return 'pending'
    this.#isReaching = false
    if (this.#askedCount > 1 && this.#asked === 'PASV') this.#parts.learned('refusesEpsv')
    if (this.#plan.clientMode === 'active') return this.#tellActiveClient()
    return this.#announce === null ? 'pending' : this.#announceToClient(this.#announce)
  }

  /** Nothing answers there: as if the verb had been refused. */
  serverUnreachable(): NegotiationState {
    this.#isReaching = false
    this.#channel.serverUnreachable()
    if (this.#askedCount < this.#plan.serverVerbs.length) return this.#askPassive()
    return this.#refuse('data_failed', unusable(this.#plan, 'The data port of the server cannot be reached.'))
  }

  /** What was set up for it so far is lost. */
  dataFailed(reason: 'pinhole_expired' | 'data_failed'): NegotiationState {
    return this.#refuse(reason, '425 The data connection was lost while it was set up.')
  }

  // The server side, passive: PASV or EPSV.

  #askPassive(): NegotiationState {
    const verb = this.#nextVerb()
    if (verb === null) return this.#refuse('upstream_refused', '425 The server has no passive mode.')
    this.#parts.queue.ask({ verb, line: verb === this.#plan.verb ? this.#plan.line : verb })
    return 'pending'
  }

  #passiveReplied(reply: Reply): NegotiationState {
    const { server, policy, isOwnAddress } = this.#parts
    const named = reply.code === 227 ? (parse227(reply.line)?.endpoint ?? null) : null
    const port = reply.code === 229 ? parse229(reply.line)?.port : named?.port
    if (port === undefined) {
      const isUnusable = reply.code === 227 || reply.code === 229
      if (isUnusable ? this.#hasNextVerb() : this.#mayFallBack(reply)) return this.#askPassive()
      if (!isUnusable) return this.#passOn(reply)
      return this.#refuse('pasv_reply', unusable(this.#plan, NO_ENDPOINT), reply.line)
    }
    const address = named?.address ?? null
    const verdict = judgeServerEndpoint({ named: address, port, server, policy, isOwnAddress })
    if (!verdict.ok) return this.#refuse(verdict.reason, verdict.text, reply.line)
    this.#channel.serverEndpoint = verdict.endpoint
    const { clientMode, reachesFirst } = this.#plan
    if (reachesFirst) {
      this.#isReaching = true
      this.#channel.reachServer()
    } else if (this.#asked === 'PASV' && this.#askedCount > 1) {
      this.#parts.learned('refusesEpsv')
    }
    // Of an earlier verb, whose port could not be reached, the client's pinhole may be open already.
    if (clientMode === 'active' || this.#pinhole !== 0) return 'pending'
    return this.#openPinhole('client', verdict.endpoint)
  }

  #tellActiveClient(): NegotiationState {
    this.#converted()
    this.#parts.outbox.reply(`200 ${this.#plan.verb} command successful.`)
    return 'ready'
  }

  // The server side, active: PORT or EPRT.

  #askActive(announced: Endpoint): NegotiationState {
    const { server, queue, outbox } = this.#parts
    if (familyOf(announced.address) !== familyOf(server.address)) {
      const text = "425 No address of the server's family can be announced."
      return this.#refuse('family', text, announced.address)
    }
    const verb = this.#nextVerb()
    if (verb === null) return this.#refuse('upstream_refused', '425 The server has no active mode.')
    const { clientEndpoint, delimiter } = this.#plan
    const kind = verb === 'EPRT' ? 'eprt' : 'port'
    outbox.record({ type: 'rewrite', kind, from: clientEndpoint, to: announced })
    const argument = verb === 'EPRT' ? formatEprt(announced, delimiter) : formatHostPort(announced)
    queue.ask({ verb, line: `${verb} ${argument}` })
    return 'pending'
  }

  #activeReplied(reply: Reply): NegotiationState {
    const { outbox } = this.#parts
    if (reply.code >= 300) {
      // Whoever came to the announced port already was not waiting for another command.
      const stillOpen = this.#channel.owns(this.#pinhole) ? this.#announced : null
      return stillOpen !== null && this.#mayFallBack(reply) ? this.#askActive(stillOpen) : this.#passOn(reply)
    }
    if (this.#asked === 'PORT' && this.#askedCount > 1) this.#parts.learned('refusesEprt')
    if (this.#plan.clientMode === 'passive') return this.#openPinhole('client', null)
    if (this.#ownReply === reply) outbox.send('client', replyWithoutEndpoints(reply.text))
    else outbox.reply(`200 ${this.#plan.verb} command successful.`)
    return 'ready'
  }

  // The client side.

  #announceToClient(announce: Endpoint): NegotiationState {
    const { outbox } = this.#parts
    const { verb, serverMode } = this.#plan
    if (verb === 'PASV' && familyOf(announce.address) !== 4) {
      return this.#refuse('family', '425 No IPv4 address can be announced, use EPSV.', announce.address)
    }
    const kind = verb === 'PASV' ? 'pasv_227' : 'epsv_229'
    outbox.record({ type: 'rewrite', kind, from: this.#channel.serverEndpoint, to: announce })
    if (serverMode === 'active') this.#converted()
    outbox.send('client', announcement({ verb, announce, ownReply: this.#ownReply }))
    return 'ready'
  }

  #openPinhole(from: Side, target: Endpoint | null): NegotiationState {
    this.#pinhole = this.#parts.nextPinhole()
    this.#pinholeFrom = from
    this.#isOpening = true
    this.#channel.openPinhole({ pinhole: this.#pinhole, from, target })
    return 'pending'
  }

  /** The verb to ask the server with now; null when it was asked with all of them. */
  #nextVerb(): DataVerb | null {
    this.#asked = this.#plan.serverVerbs[this.#askedCount] ?? null
    this.#askedCount += 1
    return this.#asked
  }

  /** Any 5xx says "not like this", except 530: not logged in. */
  #mayFallBack({ code }: Reply): boolean {
    return code >= 500 && code !== 530 && this.#hasNextVerb()
  }

  #hasNextVerb(): boolean {
    return this.#askedCount < this.#plan.serverVerbs.length
  }

  #converted(): void {
    const { clientMode, serverMode } = this.#plan
    this.#parts.outbox.record({ type: 'conversion', from: clientMode, to: serverMode })
  }

  /** The server's refusal, in its own words where they answer what the client asked; 425 in ours otherwise. */
  #passOn(reply: Reply): NegotiationState {
    const isForClient = reply.code === 421 || reply.code === 530
    // A server that knows neither verb has said so of the client's own one.
    const said =
      isForClient || (this.#plan.verb === 'EPSV' && this.#asked === 'PASV') ? reply : this.#ownReply
    // A 227 whose port could not be reached is no refusal, and names the server's address.
    if (said === null || said.code < 400) {
      const text = '425 The server refused to set up a data connection.'
      return this.#refuse('upstream_refused', text, reply.line)
    }
    this.#channel.close('reset', 'refused')
    this.#parts.outbox.send('client', replyWithoutEndpoints(said.text))
    return 'refused'
  }

  #refuse(reason: RefusalReason, text: string, detail = ''): NegotiationState {
    this.#isOpening = false
    this.#channel.close('reset', 'refused')
    reportFailure(this.#parts.outbox, { verb: this.#plan.verb, reason, text, detail })
    return 'refused'
  }
}

const NO_ENDPOINT = 'The server answered passive mode with no usable endpoint.'

/** A client that could fall back from EPSV by itself gets a 5xx so that it does, since to some a 425 is worth another try. */
function unusable({ isFaithful, verb }: DataChannelPlan, text: string): string {
  return `${isFaithful && verb === 'EPSV' ? '522' : '425'} ${text}`
}
