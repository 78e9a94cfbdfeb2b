import type { Listener, Wire } from '../wire/wire.ts'

/**
 * So many listeners rest before one is used again. With fewer, new connections meet old ones of the same port in TIME_WAIT
 * far more often than with a server that picks its ports at random.
 */
const resting = 256

/**
 * Listening sockets for passive transfers, reused in turn: opening one costs more than all else that the server does for
 * a transfer. A listener goes back to the pool only after its one connection was accepted, so that a late connection can
 * never reach another session.
 */
export class PassivePool {
  private readonly wire: Wire
  private readonly address: string
  private readonly ports: { readonly first: number; readonly last: number } | null
  private readonly free: Listener[] = []
  private nextPort: number

  constructor(wire: Wire, address: string, ports?: { readonly first: number; readonly last: number }) {
    this.wire = wire
    this.address = address
    this.ports = ports ?? null
    this.nextPort = ports?.first ?? 0
  }

  take(done: (outcome: Listener | Error) => void): void {
    const isUsedUp = this.ports !== null && this.nextPort > this.ports.last
    const free = isUsedUp || this.free.length >= resting ? this.free.shift() : undefined
    if (free !== undefined) done(free)
    else if (this.ports === null) this.wire.listen({ address: this.address, port: 0 }, done)
    else this.openInRange(this.ports.last, done)
  }

  giveBack(listener: Listener): void {
    listener.onConnection = (connection) => connection.close()
    this.free.push(listener)
  }

  /** Skips ports that another process holds. */
  private openInRange(last: number, done: (outcome: Listener | Error) => void): void {
    if (this.nextPort > last) {
      done(new Error(`no passive port is free up to ${last}`))
      return
    }
    const port = this.nextPort++
    this.wire.listen({ address: this.address, port }, (outcome) => {
      if (outcome instanceof Error) this.openInRange(last, done)
      else done(outcome)
    })
  }
}
