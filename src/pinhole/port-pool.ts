// A port is taken *for a peer*: what is unique is (expected peer address, local port), so a range of ten ports
// serves ten pinholes of every client at once. Pure: time and randomness are arguments.

export interface PortPoolOptions {
  /** Inclusive. */
  readonly first: number
  readonly last: number
  /** How long a port rests before the same peer gets it again, while others are free. */
  readonly quarantineMs: number
  /** How many ports one client may hold for a peer that serves others too (a server). */
  readonly share: number
  /** Uniform in [0, below); cryptographic in production (RFC 2577 §8: guessable ports get stolen). */
  readonly random: (below: number) => number
}

export interface PortLease {
  /** The address that is expected to connect. */
  readonly peer: string
  /** The client it is charged to; the same as `peer` on the client's side. */
  readonly client: string
  readonly port: number
}

export type PortResult =
  | { readonly ok: true; readonly lease: PortLease }
  | { readonly ok: false; readonly reason: 'exhausted' | 'share' }

interface PeerPorts {
  readonly taken: Set<number>
  /** Port to the time it may be used again, oldest first. */
  readonly resting: Map<number, number>
  /** Port to the number of connections that came to it and last. */
  readonly running: Map<number, number>
  /** Ports held for each client; only kept where a peer serves several clients. */
  readonly byClient: Map<string, number>
}

/** Hands out the ports of one range. */
export class PortPool {
  readonly #options: PortPoolOptions
  readonly #peers = new Map<string, PeerPorts>()
  /** Port to the number of pinholes it carries. */
  readonly #carried = new Map<number, number>()
  /** Ports that another program holds, to the time they are tried again. */
  readonly #blocked = new Map<number, number>()
  /**
   * Peers that gave a port back in this quarantine and in the one before: those of the one before have nothing that still
   * rests of it, and are forgotten unless they hold more. A peer that does not come again is not looked at anywhere else.
   */
  #young = new Set<string>()
  #old = new Set<string>()
  #youngSinceMs = Number.NEGATIVE_INFINITY

  constructor(options: PortPoolOptions) {
    this.#options = options
  }

  /** Number of ports in the range. */
  get size(): number {
    return this.#options.last - this.#options.first + 1
  }

  /** Ports that carry a pinhole now. */
  get inUse(): number {
    return this.#carried.size
  }

  /** Peers that something is remembered of. */
  get peers(): number {
    return this.#peers.size
  }

  /** Leases that rest now, over all peers. */
  resting(nowMs: number): number {
    let count = 0
    for (const [peer, ports] of this.#peers) {
      this.#wake(peer, ports, nowMs)
      count += ports.resting.size
    }
    return count
  }

  /**
   * Takes a random port for a peer; when all the free ones rest, the one that has rested longest, and one with a running
   * connection only when there is no other.
   */
  take({ peer, client, nowMs }: Omit<PortLease, 'port'> & { readonly nowMs: number }): PortResult {
    this.#forgetGone(nowMs)
    const ports = this.#peers.get(peer) ?? newPeer()
    const held = ports.byClient.get(client) ?? 0
    this.#wake(peer, ports, nowMs)
    const port = this.#pick(ports, nowMs)
    if (port === null) return { ok: false, reason: 'exhausted' }
    // A client that is its own peer takes nothing from the others.
    if (peer !== client && held >= this.#options.share) return { ok: false, reason: 'share' }
    this.#peers.set(peer, ports)
    ports.taken.add(port)
    ports.resting.delete(port)
    ports.byClient.set(client, held + 1)
    this.#carried.set(port, (this.#carried.get(port) ?? 0) + 1)
    return { ok: true, lease: { peer, client, port } }
  }

  /** Gives a port back; it rests before the same peer gets it again. Giving back twice does nothing. */
  release({ peer, client, port }: PortLease, nowMs: number): void {
    const ports = this.#peers.get(peer)
    if (ports === undefined || !ports.taken.delete(port)) return
    this.#rest(peer, { ports, port, nowMs })
    const held = (ports.byClient.get(client) ?? 1) - 1
    if (held > 0) ports.byClient.set(client, held)
    else ports.byClient.delete(client)
    const carried = (this.#carried.get(port) ?? 1) - 1
    if (carried > 0) this.#carried.set(port, carried)
    else this.#carried.delete(port)
  }

  /**
   * Marks a connection as still using this released port. Call the returned function when the connection closes.
   * For peers that come from one port of their own, as a server does from port 20: a second connection between the same
   * two endpoints is impossible, and refused by the peer's own system.
   */
  trackConnection({ peer, port }: PortLease): (nowMs: number) => void {
    const ports = this.#peers.get(peer) ?? newPeer()
    this.#peers.set(peer, ports)
    ports.resting.delete(port)
    ports.running.set(port, (ports.running.get(port) ?? 0) + 1)
    let isOver = false
    return (nowMs) => {
      if (isOver) return
      isOver = true
      const left = (ports.running.get(port) ?? 1) - 1
      if (left > 0) ports.running.set(port, left)
      else ports.running.delete(port)
      if (left === 0 && !ports.taken.has(port)) this.#rest(peer, { ports, port, nowMs })
    }
  }

  /** Leaves a port alone until then: another program listens on it. */
  block(port: number, untilMs: number): void {
    this.#blocked.set(port, untilMs)
  }

  #pick(ports: PeerPorts, nowMs: number): number | null {
    return (
      (this.#hasRested(ports, nowMs) ? this.#draw(ports, nowMs) : null) ??
      this.#firstFree(ports.resting, ports, nowMs) ??
      this.#firstFree(ports.running, ports, nowMs)
    )
  }

  /** Whether there is a free port that does not rest: without one, a busy peer would have the whole range searched. */
  #hasRested({ taken, resting, running }: PeerPorts, nowMs: number): boolean {
    let rested = this.size - taken.size - resting.size
    for (const port of running.keys()) if (!taken.has(port) && !resting.has(port)) rested -= 1
    for (const [port, untilMs] of this.#blocked) {
      if (untilMs <= nowMs) this.#blocked.delete(port)
      else if (!taken.has(port) && !resting.has(port) && !running.has(port)) rested -= 1
    }
    return rested > 0
  }

  #draw(ports: PeerPorts, nowMs: number): number | null {
    const { first, random } = this.#options
    const size = this.size
    // A few independent draws keep the choice uniform; the scan after them makes it certain.
    for (let draw = 0; draw < 4; draw += 1) {
      const port = first + random(size)
      if (this.#isFree(port, ports, nowMs) && hasRested(port, ports)) return port
    }
    const start = random(size)
    for (let step = 0; step < size; step += 1) {
      const port = first + ((start + step) % size)
      if (this.#isFree(port, ports, nowMs) && hasRested(port, ports)) return port
    }
    return null
  }

  /** Of ports that rest, the one that has rested longest. */
  #firstFree(among: ReadonlyMap<number, number>, ports: PeerPorts, nowMs: number): number | null {
    for (const port of among.keys()) {
      if (this.#isFree(port, ports, nowMs)) return port
    }
    return null
  }

  #isFree(port: number, ports: PeerPorts, nowMs: number): boolean {
    if (ports.taken.has(port)) return false
    const blockedUntil = this.#blocked.get(port)
    if (blockedUntil === undefined) return true
    if (blockedUntil > nowMs) return false
    this.#blocked.delete(port)
    return true
  }

  #rest(peer: string, { ports, port, nowMs }: { ports: PeerPorts; port: number; nowMs: number }): void {
    ports.resting.set(port, nowMs + this.#options.quarantineMs)
    this.#young.add(peer)
  }

  /** Forgets peers whose ports have rested, once in a quarantine. */
  #forgetGone(nowMs: number): void {
    if (nowMs - this.#youngSinceMs < this.#options.quarantineMs) return
    for (const peer of this.#old) {
      const ports = this.#peers.get(peer)
      if (ports !== undefined) this.#wake(peer, ports, nowMs)
    }
    this.#old = this.#young
    this.#young = new Set()
    this.#youngSinceMs = nowMs
  }

  /** Ends the rest of ports whose time has come; forgets a peer that holds nothing. */
  #wake(peer: string, ports: PeerPorts, nowMs: number): void {
    for (const [port, until] of ports.resting) {
      if (until > nowMs) break
      ports.resting.delete(port)
    }
    if (ports.taken.size + ports.resting.size + ports.running.size === 0) this.#peers.delete(peer)
  }
}

function newPeer(): PeerPorts {
  return { taken: new Set(), resting: new Map(), running: new Map(), byClient: new Map() }
}

function hasRested(port: number, { resting, running }: PeerPorts): boolean {
  return !resting.has(port) && !running.has(port)
}
