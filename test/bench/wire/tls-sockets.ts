// The wire over node:tls: every connection, control and data, is TLS from its first byte, as in implicit FTPS. What it costs is
// not the system's: only the system's own CPU is measured.

import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { runUntil, SocketConnection, watchStdin } from './sockets.ts'
import type { Connection, ConnectionHandlers, Endpoint, Listener, Wire } from './wire.ts'
import { ignoreEverything } from './wire.ts'

/** In PEM. */
export interface Identity {
  readonly certificate: string
  readonly key: string
}

/** Clients need no identity, and take whatever certificate they are shown. */
export function openTlsWire(identity: Identity | null): Wire {
  const sessions = new WeakMap<Connection, Buffer>()
  // The listeners of data ports resume what the control connection's has begun.
  const ticketKeys = randomBytes(48)
  return {
    kind: 'tls',
    isDismissed: watchStdin(),
    listen(at, done) {
      if (identity === null) throw new Error('a TLS server needs a certificate')
      listenOn(at, { identity, ticketKeys }, done)
    },
    connect(to: Endpoint, handlers: ConnectionHandlers, beside?: Connection) {
      const connection = new SocketConnection(handlers)
      const session = beside === undefined ? undefined : sessions.get(beside)
      const socket = connect({
        host: to.address,
        port: to.port,
        rejectUnauthorized: false,
        ...(session === undefined ? {} : { session }),
      })
      socket.setNoDelay(true)
      socket.on('session', (ticket: Buffer) => sessions.set(connection, ticket))
      socket.on('data', (bytes) => connection.take(bytes, bytes.length))
      connection.adopt(socket, 'secureConnect')
      return connection
    },
    run: runUntil,
  }
}

interface ServerIdentity {
  readonly identity: Identity
  readonly ticketKeys: Buffer
}

function listenOn(
  at: Endpoint,
  { identity: { certificate, key }, ticketKeys }: ServerIdentity,
  done: (outcome: Listener | Error) => void,
): void {
  const server = createServer({ cert: certificate, key, ticketKeys, sessionIdContext: 'bench' })
  const listener: Listener = {
    port: at.port,
    onConnection: (connection) => connection.close(),
    close: () => void server.close(),
  }
  server.on('secureConnection', (socket) => {
    socket.setNoDelay(true)
    const connection = new SocketConnection(ignoreEverything)
    connection.adopt(socket)
    socket.on('data', (bytes) => connection.take(bytes, bytes.length))
    listener.onConnection(connection)
  })
  server.once('error', done)
  server.listen({ host: at.address, port: at.port, backlog: 4096 }, () => {
    // A TCP server that listens has an address object.
    done(Object.assign(listener, { port: (server.address() as AddressInfo).port }))
  })
}
