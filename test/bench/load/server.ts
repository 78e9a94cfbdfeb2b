// The FTP server behind everything that is measured: it speaks just enough FTP, keeps its passive listeners open from one
// transfer to the next, and serves `/<bytes>.bin` of any size from one pattern. It is not a product; it is cheap.
//
//   node server.js '{"listeners":[{"at":{"address":"10.72.1.2","port":21}}]}'
//
// Prints `ready` and serves until its standard input ends.

import { writeSync } from 'node:fs'
import { type Identity, openTlsWire } from '../wire/tls-sockets.ts'
import type { Endpoint, Wire } from '../wire/wire.ts'
import { openWire } from '../wire/wire.ts'
import { PassivePool } from './passive-pool.ts'
import { ServerSession } from './server-session.ts'

export interface ServerOptions {
  readonly listeners: readonly ServerListener[]
  /** With it, all connections are TLS. */
  readonly identity?: Identity
}

export interface ServerListener {
  readonly at: Endpoint
  /** What 227 carries; by default the listening address. For plain TCP relays, which rewrite nothing. */
  readonly announce?: string
  /** The ports that 227 may carry; by default any. Inclusive. */
  readonly passivePorts?: { readonly first: number; readonly last: number }
}

process.title = 'ftp-alg-bench load'
// Written by our own orchestrator, one line above.
const options = JSON.parse(process.argv[2] ?? '{"listeners":[]}') as ServerOptions
const wire = options.identity === undefined ? await openWire() : openTlsWire(options.identity)
for (const listener of options.listeners) serve(wire, listener)
writeSync(1, 'ready\n')
await wire.run(wire.isDismissed)
process.exit(0)

function serve(on: Wire, { at, announce, passivePorts }: ServerListener): void {
  const pool = new PassivePool(on, at.address, passivePorts)
  const announced = (announce ?? at.address).replaceAll('.', ',')
  on.listen(at, (outcome) => {
    if (outcome instanceof Error) throw outcome
    outcome.onConnection = (connection) => new ServerSession(connection, pool, announced)
  })
}
