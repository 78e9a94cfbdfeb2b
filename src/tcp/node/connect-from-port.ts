// Connections of ours that leave from a certain port, where the system lets us have it.

import { Socket } from 'node:net'
import type { Endpoint } from '../../ftp/endpoints.ts'

export interface PortedCall {
  readonly to: Endpoint
  /** An address of ours as the system writes it, and the port. */
  readonly from: Endpoint
}

/**
 * Begins to connect from this port, which may serve many peers at once, or from any port where the system does not give it:
 * we may not have it (EACCES), somebody listens on it (EADDRINUSE), or the same endpoint is connected with it (EADDRNOTAVAIL;
 * also for a minute afterwards, but Linux does not wait where both sides use TCP timestamps). Half-open is allowed.
 */
export function connectFromPort({ to, from }: PortedCall): Socket {
  return new PortedSocket({ allowHalfOpen: true }).connectFrom({ to, from })
}

/** What the system says when the port is not to be had, all before a packet has left. */
const notToBeHad: ReadonlySet<string | undefined> = new Set(['EACCES', 'EADDRINUSE', 'EADDRNOTAVAIL'])

/** Node knows no second try, so what would end the first one begins the other. */
class PortedSocket extends Socket {
  #call: PortedCall | null = null

  connectFrom(call: PortedCall): this {
    this.#call = call
    const { to, from } = call
    const local = { localAddress: from.address, localPort: from.port }
    return this.connect({ host: to.address, port: to.port, ...local })
  }

  override destroy(error?: NodeJS.ErrnoException): this {
    const call = this.#call
    this.#call = null
    if (call === null || !this.connecting || !notToBeHad.has(error?.code)) return super.destroy(error)
    const { to, from } = call
    this.#dropHandle()
    return this.connect({ host: to.address, port: to.port, localAddress: from.address })
  }

  /** The next `connect` makes a new one. */
  #dropHandle(): void {
    const handle: unknown = Reflect.get(this, '_handle')
    if (isClosable(handle)) handle.close()
    Reflect.set(this, '_handle', null)
  }
}

function isClosable(handle: unknown): handle is { close(): void } {
  return typeof handle === 'object' && handle !== null && 'close' in handle
}
