import { connect, createServer, type Socket } from 'node:net'
import { Relay } from '../../../src/net/relay.ts'
import { within } from './patience.ts'
import { Wire } from './wire.ts'

/** A relay without a session around it, between two peers. */
export interface Relayed {
  readonly relay: Relay
  readonly client: Wire
  readonly server: Wire
  /** The relay's own sockets. */
  readonly legs: { readonly client: Socket; readonly server: Socket }
  readonly ended: () => Promise<'ok' | 'reset'>
}

/** `before` runs when both connections stand and nothing is relayed yet. */
export async function relayed(
  before?: (peers: { client: Wire; server: Wire }) => Promise<void>,
): Promise<Relayed> {
  const client = await connection()
  const server = await connection()
  await before?.({ client: client.peer, server: server.peer })
  let relay: Relay | undefined
  const ended = new Promise<'ok' | 'reset'>((resolve) => {
    relay = new Relay({ client: client.leg, server: server.leg, ended: resolve })
  })
  if (relay === undefined) throw new Error('no relay')
  return {
    relay,
    client: client.peer,
    server: server.peer,
    legs: { client: client.leg, server: server.leg },
    ended: () => within(ended, { what: 'the end of the relay' }),
  }
}

/** Call it after each test: closes every socket that was made here. */
export function closeRelayed(): void {
  for (const socket of sockets.splice(0)) socket.destroy()
}

const sockets: Socket[] = []

/** Two ends of a TCP connection: the relay's, paused as the product gets it, and the peer's. */
async function connection(): Promise<{ leg: Socket; peer: Wire }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not bound')
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const own = connect({ host: '127.0.0.1', port: address.port, allowHalfOpen: true })
  own.pause()
  const leg = await accepted
  server.close()
  sockets.push(leg, own)
  return { leg, peer: new Wire(own) }
}
