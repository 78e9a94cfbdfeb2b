import type { Network } from '../../ftp/addresses.ts'
import type { Connection, ConnectionError, Listening } from '../../tcp/connection.ts'
import type { Introductions, Met } from '../../tcp/proxy-protocol/introductions.ts'
import type { Tcp } from '../../tcp/tcp.ts'
import type { IntruderReason } from '../../vocabulary.ts'
import type { PinholeRequest } from '../backend.ts'

/** An unexpected peer connected to a data port. */
export interface Intruder {
  readonly from: { readonly address: string; readonly port: number }
  readonly port: number
  readonly reason: IntruderReason
}

export interface GateOptions {
  readonly tcp: Tcp
  /** The local address as the operating system writes it; a link-local one keeps its zone. */
  readonly address: string
  readonly port: number
  readonly intruded: (intruder: Intruder) => void
  /** Finds out whom a balancer's connection is from. */
  readonly introductions: Introductions
}

type GateOpened = (error: ConnectionError | null) => void

/** Peers remembered as served on a port that is never without a pinhole. */
const MAX_SERVED = 1_000

/** What to do when the peer that a gate waits for has come. */
export interface Admission {
  readonly admit: (connection: Connection) => void
  /** It was gone again by a reset. */
  readonly lost: () => void
}

interface Expected {
  readonly isServer: boolean
  /** Who may come in the peer's place. */
  readonly others: readonly Network[]
  readonly admission: Admission
}

/**
 * One listening data port. It carries one pinhole for each expected peer, tells peers apart when they arrive and
 * resets all others.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #expected = new Map<string, Expected>()
  /** Peers that were let in while the port was open: a second connection is a duplicate, not a stranger. */
  readonly #served = new Set<string>()
  #listening: Listening | null = null
  /** Who waits for the port to be open; null once it is, or has failed. */
  #opening: GateOpened[] | null = []
  /** When the last pinhole went; the port stays open for a moment, for the next one. */
  emptySinceMs = 0

  constructor(options: GateOptions) {
    this.#options = options
  }

  /** Calls back with null once a connection would succeed, or with the error of the system. */
  open(done: GateOpened): void {
    if (this.#opening === null) {
      done(null)
      return
    }
    this.#opening.push(done)
    if (this.#opening.length > 1) return
    const { tcp, address, port } = this.#options
    this.#listening = tcp.listen({
      at: { address, port },
      backlog: 64,
      noDelay: false,
      isExclusive: true,
      accepted: (connection) => this.#accepted(connection),
      // Where the system does not say who it was, the pinhole stays: a stranger could end it.
      lost: (remote) => (remote === null ? undefined : this.#admission(remote.address)?.lost()),
      listens: (error) => {
        const waiting = this.#opening ?? []
        this.#opening = null
        for (const each of waiting) each(error)
      },
      // It ends no pinhole: the peer tries again or the pinhole expires.
      failed: () => undefined,
    })
  }

  /** No peer is expected, and no caller waits for the port to open. */
  get isEmpty(): boolean {
    return this.#opening === null && this.#expected.size === 0
  }

  /** `others` may come in the peer's place: then this pinhole has the port for itself. */
  expect(
    { expect: peer, from, others }: Pick<PinholeRequest, 'expect' | 'from' | 'others'>,
    admission: Admission,
  ): void {
    this.#expected.set(peer, { isServer: from === 'server', others, admission })
    this.#served.delete(peer)
  }

  unexpect(peer: string): void {
    this.#expected.delete(peer)
  }

  /** Stops listening; connections that were let in live on. */
  close(): void {
    this.#listening?.close()
  }

  /** A server comes by itself, whatever networks the balancers of clients are in. */
  #accepted(connection: Connection): void {
    const from = connection.remote
    if (this.#expected.get(from.address)?.isServer === true) this.#met({ connection, from })
    else this.#options.introductions.meet(connection, (met) => this.#met(met))
  }

  #met({ connection, from }: Pick<Met, 'connection' | 'from'>): void {
    if (connection === null) {
      this.#options.intruded({ from, port: this.#options.port, reason: 'proxy_header' })
      return
    }
    const { address: peer } = from
    const admission = this.#admission(peer)
    if (admission !== null) {
      admission.admit(connection)
      return
    }
    const reason = this.#served.has(peer) ? 'duplicate' : this.isEmpty ? 'late' : 'wrong_peer'
    connection.reset()
    this.#options.intruded({ from, port: this.#options.port, reason })
  }

  /** The pinhole that a peer has come to, which is used up with it. */
  #admission(peer: string): Admission | null {
    const key = this.#keyFor(peer)
    const expected = this.#expected.get(key)
    if (expected === undefined) return null
    this.#expected.delete(key)
    this.#served.add(peer)
    const [oldest] = this.#served
    if (this.#served.size > MAX_SERVED && oldest !== undefined) this.#served.delete(oldest)
    return expected.admission
  }

  /** Whose pinhole a peer may use: its own, or that of a peer it may stand for. */
  #keyFor(peer: string): string {
    if (this.#expected.has(peer)) return peer
    for (const [key, { others }] of this.#expected) {
      if (others.some((network) => network?.matches(peer) ?? true)) return key
    }
    return peer
  }
}
