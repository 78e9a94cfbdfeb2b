import { getSystemErrorMap } from 'node:util'
import type { ListenAddress } from '../../config/config.ts'
import { AlgError } from '../../errors.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Observer } from '../../observe/observer.ts'
import type { Connection, ConnectionError, Listening } from '../../tcp/connection.ts'
import type { Introductions, Met } from '../../tcp/proxy-protocol/introductions.ts'
import type { Tcp } from '../../tcp/tcp.ts'
import type { RejectReason } from '../../vocabulary.ts'
import type { SessionRegistry } from '../session/registry.ts'
import { Session } from '../session/session.ts'
import type { SessionSetting, SessionStart } from '../session/setting.ts'
import { TurnedAway } from './turn-away.ts'

export interface ListenerOptions {
  readonly name: string
  readonly listen: ListenAddress
  readonly registry: SessionRegistry
  readonly observer: Observer
  /** Read for each new session, so that a reload reaches the next one. */
  readonly setting: () => SessionSetting
  readonly routeOf: (connection: Connection) => Route
  readonly tcp: Tcp
  readonly introductions: Introductions
  /** An operator has taken it out of service. */
  readonly isDrained: () => boolean
  /** A listening descriptor to take over instead of binding `listen`; for interception. */
  readonly openFd?: () => number
}

/** Where a client wants to go, or why it is turned away. */
export type Route = Destination | { readonly refusal: RejectReason }

export type Destination = Pick<SessionStart, 'target' | 'interceptedDestination' | 'translation'>

/** Accepts control connections and makes sessions of them. */
export class Listener {
  readonly #options: ListenerOptions
  readonly #turnedAway = new TurnedAway()
  #listening: Listening | null = null

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  /** Listens; resolves with the address and port in use. Errors: `AlgError` LISTEN_FAILED. */
  start(): Promise<Endpoint> {
    const { name, openFd, listen, tcp, observer, introductions } = this.#options
    const { address, port } = listen
    return new Promise((resolve, reject) => {
      this.#listening = tcp.listen({
        at: { address, port },
        ...(openFd === undefined ? {} : { fd: openFd() }),
        backlog: 511,
        // A 226 must not wait for the acknowledgement of the 150 before it.
        noDelay: true,
        isExclusive: false,
        accepted: (connection) => introductions.meet(connection, (met) => this.#met(met)),
        listens: (error, at) => {
          if (error === null) resolve(at)
          else reject(listenFailed(error, { listener: name, address, port }))
        },
        failed: (error) => {
          observer.listenerChanged({ listener: name, isAccepting: false })
          observer.log('listener.error', { listener: name, error })
        },
        recovered: () => {
          observer.listenerChanged({ listener: name, isAccepting: true })
          observer.log('listener.recover', { listener: name })
        },
      })
    })
  }

  /** False while it rests for want of descriptors or of the kernel's watches; it tries again by itself. */
  get isAccepting(): boolean {
    return this.#listening?.isAccepting !== false
  }

  /** Takes no more connections; sessions go on. */
  stop(): void {
    this.#options.introductions.cancelAll()
    this.#listening?.close()
    this.#listening = null
  }

  #met({ connection, from: client, destination, introduction, problem }: Met): void {
    const { name, registry, observer, routeOf, isDrained } = this.#options
    if (connection === null) {
      observer.sessionRejected({ listener: name, client, reason: 'proxy_header', detail: problem })
      return
    }
    const refusal = isDrained() ? 'draining' : registry.refusal(client.address)
    try {
      const route = refusal === null ? routeOf(connection) : { refusal }
      if ('refusal' in route) {
        observer.sessionRejected({ listener: name, client, reason: route.refusal })
        this.#turnedAway.say(connection, farewells[route.refusal])
      } else {
        this.#open(connection, route, { reachedAt: destination?.address ?? null, introduction })
      }
    } catch (error) {
      // No client may be left waiting for a greeting because of an error of ours.
      observer.sessionFailed({ listener: name, client, error })
      this.#turnedAway.say(connection, '421 This proxy has a defect, see its log.')
    }
  }

  #open(
    connection: Connection,
    route: Destination,
    { reachedAt, introduction }: Pick<SessionStart, 'reachedAt' | 'introduction'>,
  ): void {
    const { name, registry, observer, setting } = this.#options
    const session = new Session({
      setting: setting(),
      connection,
      target: route.target,
      interceptedDestination: route.interceptedDestination,
      translation: route.translation,
      reachedAt,
      introduction,
      observer: observer.sessionOpened({ listener: name, client: connection.remote, introduction }),
      ended: (ended) => registry.remove(ended),
    })
    registry.add(session)
  }
}

const farewells: Readonly<Record<RejectReason, string>> = {
  limit: '421 Too many sessions, try again later.',
  client_limit: '421 Too many sessions from your address, try again later.',
  draining: '421 Service is shutting down, try again later.',
  no_destination: '421 The server you meant cannot be found out.',
  loop: '421 This would lead back to here.',
  proxy_header: '421 Who you are cannot be found out.',
}

function listenFailed(
  error: ConnectionError,
  { listener, address, port }: { readonly listener: string } & ListenAddress,
): AlgError {
  const options = { context: { listener, address, port, errno: error.code }, cause: error }
  const what = `cannot listen on ${address} port ${port}`
  if (error.code === 'EACCES' && port < 1024) {
    const needs =
      'ports below 1024 need CAP_NET_BIND_SERVICE, or a socket that systemd opens (ftp-alg.socket)'
    return new AlgError('PRIVILEGE_MISSING', `${what}: ${needs}`, options)
  }
  // In the words of the admin listener, whichever make of TCP it came from.
  const [, text] = [...getSystemErrorMap().values()].find(([name]) => name === error.code) ?? []
  const why = text === undefined ? error.message : `${text} (${error.code})`
  return new AlgError('LISTEN_FAILED', `${what}: ${why}`, options)
}
