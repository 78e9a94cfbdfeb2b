// One PASV, EPSV, PORT or EPRT from the client's line to our answer: what the server is asked instead, which
// pinholes are opened, what is announced. Nothing is announced before its pinhole is open.

import { familyOf } from '../ftp/addresses.ts'
import {
  type Endpoint,
  format227,
  format229,
  formatEprt,
  formatHostPort,
  parse227,
  parse229,
  rewrite227,
  rewrite229,
} from '../ftp/endpoints.ts'
import type { Reply } from '../ftp/replies.ts'
import type { Mode, PinholeFailure, RefusalReason, UpstreamFact } from './contract.ts'
import type { DataChannel } from './data-channel.ts'
import type { ActiveVerb, PassiveVerb } from './data-request.ts'
import type { Outbox } from './outbox.ts'
import { judgeServerEndpoint, type Policy } from './policy.ts'

export interface NegotiationOptions {
  readonly verb: PassiveVerb | ActiveVerb
  /** Where an active client listens, as judged, and the delimiter it used in EPRT. */
  readonly clientEndpoint: Endpoint | null
  readonly delimiter: string
  readonly channel: DataChannel
  readonly server: Endpoint
  readonly policy: Policy
  readonly knows: ReadonlySet<UpstreamFact>
  readonly isOwnAddress: (address: string) => boolean
  readonly nextPinhole: () => number
  /** Sends a line upstream whose reply belongs to this negotiation. */
  readonly ask: (verb: string, line: string) => void
  readonly outbox: Outbox
}

/** `ready`: the channel is announced or accepted. `refused`: the client was answered with an error. */
export type NegotiationState = 'pending' | 'ready' | 'refused'

export class Negotiation {
  readonly #options: NegotiationOptions
  /** The verb that the server was asked with last, and all so far. */
  #asked: PassiveVerb | ActiveVerb | null = null
  readonly #tried = new Set<PassiveVerb | ActiveVerb>()
  /** What the server was told to connect to. */
  #announced: Endpoint | null = null
  #serverReply: Reply | null = null
  #pinhole = 0
  #pinholeFrom: 'client' | 'server' = 'client'

  constructor(options: NegotiationOptions) {
    this.#options = options
  }

  start(): NegotiationState {
    const { channel, clientEndpoint } = this.#options
    if (channel.serverMode === 'passive') return this.#askPassive(this.#firstPassiveVerb())
    return this.#openPinhole('server', channel.clientMode === 'active' ? clientEndpoint : null)
  }

  replied(reply: Reply): NegotiationState {
    this.#serverReply = reply
    if (this.#asked === 'PASV' || this.#asked === 'EPSV') return this.#passiveReplied(reply, this.#asked)
    return this.#activeReplied(reply)
  }

  pinholeOpened(pinhole: number, announce: Endpoint): NegotiationState {
    if (pinhole !== this.#pinhole) return 'pending'
    return this.#pinholeFrom === 'server' ? this.#askActive(announce) : this.#announce(announce)
  }

  pinholeFailed(pinhole: number, reason: PinholeFailure): NegotiationState {
    if (pinhole !== this.#pinhole) return 'pending'
    switch (reason) {
      case 'exhausted':
        return this.#refuse('pinhole_exhausted', '425 No data port is free, try again later.')
      case 'share':
        return this.#refuse('pinhole_share', '425 You hold as many data ports as one client may.')
      case 'backend':
        return this.#refuse('pinhole_backend', '425 Cannot open a data port, try again later.')
    }
  }

  // The server side, passive: PASV or EPSV.

  /** Old verbs are answered with old ones where the server's address allows it. */
  #firstPassiveVerb(): PassiveVerb {
    const { server, knows, verb } = this.#options
    if (familyOf(server.address) === 6) return 'EPSV'
    const isOldVerb = verb === 'PASV' || verb === 'PORT'
    return isOldVerb || knows.has('refusesEpsv') ? 'PASV' : 'EPSV'
  }

  /** Always without argument: `EPSV 1` speaks of the client's control connection, not of ours. */
  #askPassive(verb: PassiveVerb): NegotiationState {
    this.#asked = verb
    this.#tried.add(verb)
    this.#options.ask(verb, verb)
    return 'pending'
  }

  #passiveReplied(reply: Reply, asked: PassiveVerb): NegotiationState {
    const { server, policy, isOwnAddress, channel, outbox } = this.#options
    if (reply.code !== (asked === 'PASV' ? 227 : 229)) return this.#passiveRefused(reply, asked)
    const at227 = asked === 'PASV' ? parse227(reply.line) : null
    const port = asked === 'PASV' ? at227?.endpoint.port : parse229(reply.line)?.port
    if (port === undefined) {
      return this.#refuse(
        'pasv_reply',
        '425 The server answered passive mode with no usable endpoint.',
        reply.line,
      )
    }
    const verdict = judgeServerEndpoint({
      named: at227?.endpoint.address ?? null,
      port,
      server,
      policy,
      isOwnAddress,
    })
    if (!verdict.ok) return this.#refuse(verdict.reason, verdict.text, reply.line)
    if (asked === 'PASV' && this.#tried.has('EPSV')) outbox.push({ type: 'remember', fact: 'refusesEpsv' })
    channel.serverEndpoint = verdict.endpoint
    if (channel.clientMode === 'passive') return this.#openPinhole('client', verdict.endpoint)
    outbox.reply(`200 ${this.#options.verb} command successful.`)
    return this.#converted('active', 'passive')
  }

  #passiveRefused(reply: Reply, asked: PassiveVerb): NegotiationState {
    const { server, knows } = this.#options
    const other = asked === 'EPSV' ? 'PASV' : 'EPSV'
    const isWorthAsking =
      familyOf(server.address) === 4 &&
      !this.#tried.has(other) &&
      !(other === 'EPSV' && knows.has('refusesEpsv'))
    return isWorthAsking && mayFallBack(reply.code) ? this.#askPassive(other) : this.#passOn(reply)
  }

  // The server side, active: PORT or EPRT.

  #askActive(announce: Endpoint): NegotiationState {
    const { server, knows, verb, delimiter, ask, outbox, clientEndpoint } = this.#options
    const needsExtended = familyOf(server.address) === 6
    const isOldVerb = verb === 'PASV' || verb === 'PORT'
    const asked: ActiveVerb =
      needsExtended || (!isOldVerb && !knows.has('refusesEprt') && !this.#tried.has('EPRT')) ? 'EPRT' : 'PORT'
    if (familyOf(announce.address) !== familyOf(server.address)) {
      return this.#refuse(
        'family',
        "425 No address of the server's family can be announced.",
        announce.address,
      )
    }
    this.#asked = asked
    this.#tried.add(asked)
    this.#announced = announce
    outbox.record({
      type: 'rewrite',
      kind: asked === 'EPRT' ? 'eprt' : 'port',
      from: clientEndpoint,
      to: announce,
    })
    const argument = asked === 'EPRT' ? formatEprt(announce, delimiter) : formatHostPort(announce)
    ask(asked, `${asked} ${argument}`)
    return 'pending'
  }

  #activeReplied(reply: Reply): NegotiationState {
    const { channel, outbox, verb, server } = this.#options
    if (reply.code >= 300) {
      if (
        mayFallBack(reply.code) &&
        this.#asked === 'EPRT' &&
        familyOf(server.address) === 4 &&
        this.#announced !== null
      ) {
        return this.#askActive(this.#announced)
      }
      return this.#passOn(reply)
    }
    if (this.#asked === 'PORT' && this.#tried.has('EPRT'))
      outbox.push({ type: 'remember', fact: 'refusesEprt' })
    if (channel.clientMode === 'passive') return this.#openPinhole('client', null)
    if (verb === this.#asked) outbox.send('client', reply.text)
    else outbox.reply(`200 ${verb} command successful.`)
    return 'ready'
  }

  // The client side.

  #announce(announce: Endpoint): NegotiationState {
    const { verb, outbox, channel } = this.#options
    const reply = this.#serverReply
    if (verb === 'PASV' && familyOf(announce.address) !== 4) {
      return this.#refuse('family', '425 No IPv4 address can be announced, use EPSV.', announce.address)
    }
    const kind = verb === 'PASV' ? 'pasv_227' : 'epsv_229'
    outbox.record({ type: 'rewrite', kind, from: channel.serverEndpoint, to: announce })
    outbox.send('client', this.#announcement(verb, announce, reply))
    return channel.serverMode === 'active' ? this.#converted('passive', 'active') : 'ready'
  }

  /** The server's own words where it answered the same verb, ours otherwise. */
  #announcement(verb: string, announce: Endpoint, reply: Reply | null): string {
    const before = reply === null ? '' : reply.text.slice(0, reply.text.length - reply.line.length - 2)
    if (reply !== null && verb === this.#asked) {
      const line227 = verb === 'PASV' ? parse227(reply.line) : null
      if (line227 !== null) return `${before}${rewrite227(reply.line, line227, announce)}\r\n`
      const line229 = verb === 'EPSV' ? parse229(reply.line) : null
      if (line229 !== null) return `${before}${rewrite229(reply.line, line229, announce.port)}\r\n`
    }
    return `${verb === 'PASV' ? format227(announce) : format229(announce.port)}\r\n`
  }

  #openPinhole(from: 'client' | 'server', target: Endpoint | null): NegotiationState {
    this.#pinhole = this.#options.nextPinhole()
    this.#pinholeFrom = from
    this.#options.channel.openPinhole({ pinhole: this.#pinhole, from, target })
    return 'pending'
  }

  #converted(from: Mode, to: Mode): NegotiationState {
    this.#options.outbox.record({ type: 'conversion', from, to })
    return 'ready'
  }

  /** The server's refusal, in its own words where the client asked the same; 425 in ours otherwise. */
  #passOn(reply: Reply): NegotiationState {
    const { verb, outbox, channel } = this.#options
    const isSameQuestion = verb === this.#asked || (verb === 'EPSV' && channel.serverMode === 'passive')
    if (isSameQuestion || reply.code === 421 || reply.code === 530) {
      channel.close('reset', 'refused')
      outbox.send('client', reply.text)
      return 'refused'
    }
    return this.#refuse('upstream_refused', '425 The server refused to set up a data connection.', reply.line)
  }

  #refuse(reason: RefusalReason, text: string, detail = ''): NegotiationState {
    const { outbox, channel, verb } = this.#options
    channel.close('reset', 'refused')
    outbox.refusal({ verb, reason, code: Number(text.slice(0, 3)), detail })
    outbox.reply(text)
    return 'refused'
  }
}

/** Any 5xx says "not like this", except 530: nobody is logged in. */
function mayFallBack(code: number): boolean {
  return code >= 500 && code !== 530
}
