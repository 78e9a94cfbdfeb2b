// The backend that needs no privilege: we listen on a port of the range and hand the connection to whoever asked.

import type { Side } from '../../engine/contract.ts'
import { AlgError } from '../../errors.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'
import type { Connection } from '../../tcp/connection.ts'
import type { Introductions } from '../../tcp/proxy-protocol/introductions.ts'
import type { Tcp } from '../../tcp/tcp.ts'
import { Roster, type RosterMember } from '../../timing/roster.ts'
import type { PoolUse } from '../../vocabulary.ts'
import type { OpenPinhole, PinholeBackend, PinholeEvents, PinholeHandle, PinholeRequest } from '../backend.ts'
import { poolError, poolPeerOf } from '../pool-error.ts'
import type { PortLease, PortPool } from '../port-pool.ts'
import { Gate, type Intruder } from './gate.ts'

export interface RelayBackendOptions {
  readonly tcp: Tcp
  /** The same pool twice where one range serves both sides. */
  readonly pools: Readonly<Record<Side, PortPool>>
  readonly intruded: (intruder: Intruder) => void
  readonly introductions: Introductions
  /** Ports that may be open without a pinhole: each is a descriptor, and a client could have one opened with every PASV. */
  readonly idlePorts: number
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
}

/** A pinhole that waits for its peer. */
interface Waiting extends RosterMember {
  readonly request: PinholeRequest
  readonly events: PinholeEvents
  readonly lease: PortLease
  readonly gate: Gate
  /** Of the gate. */
  readonly key: string
  deadlineMs: number
}

/** How long a port without a pinhole stays open, so that busy ports are not opened and closed all the time. */
const GRACE_MS = 800
const SWEEP_MS = 250
/** A port that another program holds is left alone this long. */
const BLOCKED_MS = 30_000
const MAX_TRIES = 32

export class RelayBackend implements PinholeBackend {
  readonly name = 'relay'
  readonly #options: RelayBackendOptions
  /** Key: `address|port`. */
  readonly #gates = new Map<string, Gate>()
  /** Those without a pinhole, by the same keys; the one that has waited longest is first. */
  readonly #idle = new Map<string, Gate>()
  readonly #waiting = new Roster<Waiting>()
  #sweeper: NodeJS.Timeout | null = null
  #watch: ReturnType<typeof steadyClock.watch> | null = null

  constructor(options: RelayBackendOptions) {
    this.#options = options
  }

  open(
    request: PinholeRequest,
    events: PinholeEvents,
    opened: (error: Error | null, pinhole: OpenPinhole | null) => void,
  ): PinholeHandle {
    const handle = new Handle((waiting) => this.#close(waiting), this.#options.now)
    this.#try(request, events, handle, opened, MAX_TRIES)
    return handle
  }

  async closeAll(): Promise<void> {
    for (const waiting of this.#waiting) this.#close(waiting)
    this.#options.introductions.cancelAll()
    for (const gate of this.#gates.values()) gate.close()
    this.#gates.clear()
    this.#idle.clear()
    if (this.#sweeper !== null) clearInterval(this.#sweeper)
    this.#sweeper = null
    this.#watch?.done()
    this.#watch = null
  }

  use(): readonly PoolUse[] {
    const { pools, now } = this.#options
    const figures = (pool: PoolUse['pool'], of: PortPool): PoolUse => {
      return { pool, ports: of.size, inUse: of.inUse, quarantined: of.resting(now()) }
    }
    return pools.client === pools.server
      ? [figures('shared', pools.client)]
      : [figures('client', pools.client), figures('server', pools.server)]
  }

  #try(
    request: PinholeRequest,
    events: PinholeEvents,
    handle: Handle,
    opened: (error: Error | null, pinhole: OpenPinhole | null) => void,
    tries: number,
  ): void {
    const { tcp, pools, now, intruded, introductions } = this.#options
    const pool = pools[request.from]
    const taken = pool.take({ peer: poolPeerOf(request), client: request.client, nowMs: now() })
    if (!taken.ok) {
      opened(poolError(taken.reason, request, pool), null)
      return
    }
    const { lease } = taken
    const key = `${request.local}|${lease.port}`
    const gate =
      this.#gates.get(key) ??
      new Gate({ tcp, address: request.local, port: lease.port, intruded, introductions })
    this.#gates.set(key, gate)
    gate.open((error) => {
      if (error !== null) {
        this.#gates.delete(key)
        pool.release(lease, now())
        const isHeldByOther = error.code === 'EADDRINUSE' || error.code === 'EACCES'
        if (isHeldByOther) pool.block(lease.port, now() + BLOCKED_MS)
        if (isHeldByOther && tries > 1 && !handle.isClosed)
          this.#try(request, events, handle, opened, tries - 1)
        else opened(listenError(error, request, lease.port), null)
        return
      }
      this.#startSweeper()
      if (handle.isClosed) {
        pool.release(lease, now())
        this.#rests(gate, key)
        return
      }
      const deadlineMs = now() + request.timeoutMs
      this.#idle.delete(key)
      this.#wait({ request, events, lease, gate, key, deadlineMs, place: -1 }, handle)
      opened(null, { at: { address: request.local, port: lease.port }, inKernel: false })
    })
  }

  #wait(waiting: Waiting, handle: Handle): void {
    const { request, events, gate } = waiting
    this.#waiting.add(waiting)
    handle.waiting = waiting
    const used = () => {
      this.#release(waiting)
      handle.waiting = null
    }
    gate.expect(request, {
      admit: (connection) => {
        used()
        this.#keep(waiting, connection)
        events.connected(connection)
      },
      lost: () => {
        used()
        events.lost()
      },
    })
  }

  #close(waiting: Waiting): void {
    waiting.gate.unexpect(waiting.request.expect)
    this.#release(waiting)
  }

  #release(waiting: Waiting): void {
    if (!this.#waiting.delete(waiting)) return
    const { pools, now } = this.#options
    const nowMs = now()
    pools[waiting.request.from].release(waiting.lease, nowMs)
    this.#rests(waiting.gate, waiting.key)
  }

  /** The last pinhole of a gate may have gone: it stays open for a moment. */
  #rests(gate: Gate, key: string): void {
    if (!gate.isEmpty) return
    gate.emptySinceMs = this.#options.now()
    this.#idle.delete(key)
    this.#idle.set(key, gate)
    if (this.#idle.size <= this.#options.idlePorts) return
    const [oldest] = this.#idle
    if (oldest !== undefined) this.#shut(...oldest)
  }

  #shut(key: string, gate: Gate): void {
    this.#idle.delete(key)
    if (!gate.isEmpty) return
    this.#gates.delete(key)
    gate.close()
  }

  /** A server may call from one port of its own, such as 20. */
  #keep({ request, lease }: Waiting, connection: Connection): void {
    if (request.from !== 'server') return
    const { pools, now } = this.#options
    const over = pools.server.trackConnection(lease)
    connection.whenClosed(() => over(now()))
  }

  #startSweeper(): void {
    this.#watch ??= steadyClock.watch()
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  /** Expires pinholes, closes ports that carry none, and stops itself when nothing is left. */
  #sweep(): void {
    this.#watch?.tick()
    const nowMs = this.#options.now()
    for (const waiting of this.#waiting) {
      if (waiting.deadlineMs > nowMs) continue
      this.#close(waiting)
      waiting.events.expired()
    }
    for (const [key, gate] of this.#idle) {
      if (gate.emptySinceMs + GRACE_MS <= nowMs) this.#shut(key, gate)
    }
    if (this.#gates.size > 0 || this.#sweeper === null) return
    clearInterval(this.#sweeper)
    this.#sweeper = null
    this.#watch?.done()
    this.#watch = null
  }
}

class Handle implements PinholeHandle {
  waiting: Waiting | null = null
  isClosed = false
  readonly #close: (waiting: Waiting) => void
  readonly #now: () => number

  constructor(close: (waiting: Waiting) => void, now: () => number) {
    this.#close = close
    this.#now = now
  }

  close(): void {
    this.isClosed = true
    if (this.waiting !== null) this.#close(this.waiting)
    this.waiting = null
  }

  prolong(timeoutMs: number): void {
    if (this.waiting !== null) this.waiting.deadlineMs = this.#now() + timeoutMs
  }
}

function listenError(error: NodeJS.ErrnoException, { local }: PinholeRequest, port: number): AlgError {
  return new AlgError('PINHOLE_FAILED', `cannot listen on ${local} port ${port}: ${error.message}`, {
    context: { address: local, port, errno: error.code },
    cause: error,
  })
}
