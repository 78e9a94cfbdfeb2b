import type { Connection } from '../../../src/tcp/connection.ts'
import { Relay } from '../../../src/tcp/relay/relay.ts'
import type { Tcp } from '../../../src/tcp/tcp.ts'
import { tcp as best, connectionPair } from '../connections.ts'
import { within } from './patience.ts'
import { Wire } from './wire.ts'

/** A relay without a session around it, between two peers. */
export interface Relayed {
  readonly relay: Relay
  readonly client: Wire
  readonly server: Wire
  /** The relay's own connections. */
  readonly legs: { readonly client: Connection; readonly server: Connection }
  readonly ended: () => Promise<'ok' | 'reset'>
}

/** `before` runs when both connections stand and nothing is relayed yet. */
export async function relayed(
  before?: (peers: { client: Wire; server: Wire }) => Promise<void>,
  tcp: Tcp = best,
): Promise<Relayed> {
  const client = await connection(tcp)
  const server = await connection(tcp)
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
  for (const end of ends.splice(0)) end.destroy()
}

const ends: { destroy(): unknown }[] = []

async function connection(tcp: Tcp): Promise<{ leg: Connection; peer: Wire }> {
  const { connection: leg, socket } = await connectionPair(tcp)
  ends.push(leg, socket)
  return { leg, peer: new Wire(socket) }
}
