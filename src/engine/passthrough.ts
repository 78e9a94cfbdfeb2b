// TLS between the two peers that we cannot see into. Once it is to begin, nothing of the session is read or said by us; both
// peers must begin with a TLS record, so that no FTP in clear gets past unread, and then their connections are joined.

import type { Event, PassthroughKind, Side } from './contract.ts'
import type { DataSide } from './data-side.ts'
import type { Outbox } from './outbox.ts'

export interface PassthroughParts {
  readonly outbox: Outbox
  /** Null where AUTH is never passed on. */
  readonly kind: PassthroughKind | null
  readonly data: DataSide
}

/** `waiting`: for a server. `beginning`: the peers have not both sent their first record. */
type Phase = 'off' | 'waiting' | 'beginning' | 'joined'

export class Passthrough {
  readonly #parts: PassthroughParts
  #phase: Phase = 'off'
  /** What each peer began with: the head of a record, or a line of something else. */
  readonly #begun: Record<Side, string> = { client: '', server: '' }
  /** What the client said before there was a server. */
  #held = ''

  constructor(parts: PassthroughParts) {
    this.#parts = parts
  }

  /** Nothing of the session is FTP in clear any more. */
  get isOn(): boolean {
    return this.#phase !== 'off'
  }

  /** The connections are joined: bytes do not come here. */
  get isJoined(): boolean {
    return this.#phase === 'joined'
  }

  /** The client is here, and TLS is the first that it says. */
  clientArrived(): void {
    if (this.#parts.kind === 'implicit') this.#phase = 'waiting'
  }

  /** The server has agreed to AUTH. */
  begin(): void {
    this.#phase = 'beginning'
  }

  handle(event: Event): void {
    const { outbox, data } = this.#parts
    switch (event.type) {
      case 'received':
        this.#received(event.side, event.text)
        break
      case 'upstreamConnected':
        this.#serverFound()
        break
      case 'upstreamFailed':
        outbox.close('upstream')
        break
      case 'ended':
        outbox.close(event.side)
        break
      case 'timerFired':
        if (event.timer === 'idle') outbox.close('idle')
        else if (event.timer === 'login' && !this.isJoined) outbox.close('login_timeout')
        break
      case 'drainRequested':
        // Whether what is joined moves a file just now cannot be known.
        if (!this.isJoined) outbox.close('drain')
        break
      case 'channelEnded':
        data.channelEnded(event.channel)
        break
    }
  }

  #received(side: Side, text: string): void {
    const { outbox } = this.#parts
    if (!this.#hasBegun(side) && !this.#begins(side, text)) return
    if (this.#phase === 'waiting') {
      if (this.#held === '') outbox.push({ type: 'pauseReading', side })
      this.#held += text
    } else {
      outbox.send(side === 'client' ? 'server' : 'client', text)
      this.#joinOnceBegun()
    }
  }

  #serverFound(): void {
    if (this.#phase !== 'waiting') return
    const { outbox } = this.#parts
    this.#phase = 'beginning'
    if (this.#held === '') return
    outbox.send('server', this.#held)
    outbox.push({ type: 'resumeReading', side: 'client' })
    this.#held = ''
  }

  #joinOnceBegun(): void {
    if (this.isJoined || !this.#hasBegun('client') || !this.#hasBegun('server')) return
    this.#phase = 'joined'
    this.#parts.outbox.record({ type: 'passedThrough', kind: this.#parts.kind ?? 'explicit' })
    this.#parts.outbox.push({ type: 'passThrough' })
  }

  #hasBegun(side: Side): boolean {
    return heads[side].includes(this.#begun[side])
  }

  /**
   * Whether what that side has said so far is the head of a record, or a part of one. If not, nothing of it goes on, and what
   * can be read is heard to the end of its line, for the log.
   */
  #begins(side: Side, text: string): boolean {
    const said = this.#begun[side] + text
    const head = said.slice(0, HEAD_BYTES)
    if (heads[side].some((known) => known.startsWith(head))) {
      this.#begun[side] = head
      return true
    }
    const detail = said.slice(0, MAX_DETAIL).replace(/\r?\n.*$/s, '\n')
    this.#begun[side] = detail
    if (/^[\x20-\x7e]+$/.test(detail) && detail.length < MAX_DETAIL) return false
    const { outbox } = this.#parts
    outbox.record({ type: 'protocolError', side, reason: 'not_tls', detail: detail.trimEnd() })
    outbox.close('protocol')
    return false
  }
}

/** Type and major version of a record: a handshake, of a server also an alert. */
const heads: Readonly<Record<Side, readonly string[]>> = {
  client: ['\x16\x03'],
  server: ['\x16\x03', '\x15\x03'],
}
const HEAD_BYTES = 2
const MAX_DETAIL = 80
