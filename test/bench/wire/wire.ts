// What the load client and the load server need from the network, and nothing more. Three implementations: `epoll.ts`
// (system calls of Linux through koffi, several times cheaper than anything it measures), `sockets.ts` (node:net,
// for machines that have no epoll or no koffi) and `tls-sockets.ts` (node:tls, where every connection is TLS).

/** `{ address: '10.71.1.1', port: 2121 }`; IPv4 only. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

export interface ConnectionHandlers {
  /** The connection that we asked for is up. Not called for accepted connections. */
  connected?(connection: Connection): void
  /** `bytes` is lent for the length of this call. Not called after `discard()`. */
  received?(connection: Connection, bytes: Buffer): void
  /** Bytes arrived and were thrown away after `discard()`; see `Connection.bytesDiscarded`. */
  discarded?(connection: Connection): void
  /** `pump()` has handed its last byte to the kernel. */
  pumped?(connection: Connection): void
  /** The peer is gone; `error` is null after an orderly end. The connection is closed already. */
  ended(connection: Connection, error: string | null): void
}

export interface Connection {
  handlers: ConnectionHandlers
  readonly bytesDiscarded: number
  /** For lines: a short write counts as a failure of the connection. */
  write(bytes: Buffer): void
  /** Sends `bytes` bytes of the pattern from its beginning, as fast as the peer takes them. */
  pump(bytes: number): void
  /** From now on what arrives is counted and dropped, in the kernel where that is possible. `batchBytes`: do not wake for less. */
  discard(batchBytes: number): void
  /** Orderly close; no handler is called afterwards. */
  close(): void
}

export interface Listener {
  readonly port: number
  onConnection: (connection: Connection) => void
  close(): void
}

export interface Wire {
  readonly kind: 'epoll' | 'net' | 'tls'
  /** Port 0 lets the system choose. No promises here: the epoll loop leaves no room for microtasks. Accepted connections carry `ignoreEverything` until the caller sets handlers. */
  listen(at: Endpoint, done: (outcome: Listener | Error) => void): void
  /** `beside`: on a wire with TLS, whose session is offered for resumption: the control connection's for its data. */
  connect(to: Endpoint, handlers: ConnectionHandlers, beside?: Connection): Connection
  /** Serves events until `isDone()`, which is asked after every batch of events and at least every 50 ms. */
  run(isDone: () => boolean): Promise<void>
  /** Becomes true when the process that started us closes our standard input. */
  readonly isDismissed: () => boolean
}

export const ignoreEverything: ConnectionHandlers = { ended() {} }

/** The pattern repeats after this many bytes. */
export const patternBytes = 1 << 20

/** Byte `i` of every file: cheap to check, and never the same at a shifted position of the pattern. */
export function patternByte(i: number): number {
  const position = i % patternBytes
  return (position ^ (position >> 8) ^ (position >> 16)) & 0xff
}

export function makePattern(): Buffer {
  const pattern = Buffer.allocUnsafe(patternBytes)
  for (let i = 0; i < patternBytes; i++) pattern[i] = patternByte(i)
  return pattern
}

/** The cheapest wire that this machine has. */
export async function openWire(): Promise<Wire> {
  if (process.platform === 'linux') {
    try {
      const { openEpollWire } = await import('./epoll.ts')
      return await openEpollWire()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      process.stderr.write(
        `epoll through koffi is not available (${reason.split('\n')[0]}); using node:net\n`,
      )
    }
  }
  const { openSocketsWire } = await import('./sockets.ts')
  return openSocketsWire()
}
