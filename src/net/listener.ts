import { createServer, type Server, type Socket } from 'node:net'
import type { ListenAddress } from '../config/config.ts'
import { AlgError } from '../errors.ts'
import { canonicalAddress } from '../ftp/addresses.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { Observer, RejectReason } from '../observe/observer.ts'
import { listenOnDescriptor } from './listen-on.ts'
import { Session } from './session.ts'
import type { SessionRegistry } from './session-registry.ts'
import type { SessionSetting } from './session-setting.ts'
import type { UpstreamTarget } from './upstreams.ts'

export interface ListenerOptions {
  readonly name: string
  readonly listen: ListenAddress
  readonly registry: SessionRegistry
  readonly observer: Observer
  /** Read for each new session, so that a reload reaches the next one. */
  readonly setting: () => SessionSetting
  readonly routeOf: (socket: Socket) => Route
  /** A listening descriptor to take over instead of binding `listen`; for interception. */
  readonly openFd?: () => number
}

/** Where a client wants to go, or why it is turned away. */
export type Route =
  | { readonly target: UpstreamTarget; readonly assumed: string | null }
  | { readonly refusal: RejectReason }

/** Accepts control connections and makes sessions of them. */
export class Listener {
  readonly #options: ListenerOptions
  readonly #server: Server

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#server = createServer(
      // A 226 must not wait for the acknowledgement of the 150 before it.
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      (socket) => this.#accepted(socket),
    )
  }

  /** Listens; resolves with the address and port in use. Errors: `AlgError` LISTEN_FAILED. */
  start(): Promise<Endpoint> {
    const { openFd, listen } = this.#options
    const { address, port } = listen
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException) => {
        reject(
          new AlgError('LISTEN_FAILED', `cannot listen on ${address} port ${port}: ${error.message}`, {
            context: { listener: this.#options.name, address, port, errno: error.code },
            cause: error,
          }),
        )
      }
      this.#server.once('error', failed)
      this.#server.once('listening', () => {
        this.#server.off('error', failed)
        this.#server.on('error', (error) => {
          // Accept failed (no file descriptors, say): the connection waits in the backlog.
          this.#options.observer.log('error', 'listener.error', 'cannot accept connections', {
            listener: this.#options.name,
            error,
          })
        })
        const bound = this.#server.address()
        const isIp = typeof bound === 'object' && bound !== null
        resolve({ address: canonicalAddress(isIp ? bound.address : address), port: isIp ? bound.port : port })
      })
      if (openFd === undefined) this.#server.listen({ host: address, port, backlog: 511 })
      else listenOnDescriptor(this.#server, openFd())
    })
  }

  /** Takes no more connections; sessions go on. */
  stop(): void {
    this.#server.close()
  }

  #accepted(socket: Socket): void {
    const { name, registry, observer, setting, routeOf } = this.#options
    const client = { address: canonicalAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 }
    // Gone before we looked.
    if (client.address === '') {
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    const refusal = registry.refusal(client.address)
    const route = refusal === null ? routeOf(socket) : { refusal }
    if ('refusal' in route) {
      observer.sessionRejected({ listener: name, client, reason: route.refusal })
      turnAway(socket, route.refusal)
      return
    }
    const session = new Session({
      setting: setting(),
      socket,
      ...route,
      observer: observer.sessionOpened({ listener: name, client }),
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
}

/** Says 421 and closes; a peer that does not read is not waited for. */
function turnAway(socket: Socket, reason: RejectReason): void {
  socket.on('error', () => undefined)
  // Whatever it sends meanwhile: a trickle of bytes must not keep the connection.
  const timer = setTimeout(() => socket.destroy(), 2_000)
  socket.once('close', () => clearTimeout(timer))
  socket.resume()
  socket.end(`${farewells[reason]}\r\n`, 'latin1')
}
