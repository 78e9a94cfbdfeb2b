// The nftables backend on the gateway of a lab, an echo server behind it, and visitors.

import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Endpoint } from '../../src/ftp/endpoints.ts'
import { deduplicateAttempts } from '../../src/pinhole/attempts.ts'
import type {
  BackendObserver,
  OpenPinhole,
  PinholeHandle,
  PinholeRequest,
} from '../../src/pinhole/backend.ts'
import type { NftablesBackend } from '../../src/pinhole/nftables/backend.ts'
import { createNftablesBackend, type NftablesBackendOptions } from '../../src/pinhole/nftables/create.ts'
import { PortPool } from '../../src/pinhole/port-pool.ts'
import type { Intruder } from '../../src/pinhole/relay/gate.ts'
import { RelayBackend } from '../../src/pinhole/relay/relay-backend.ts'
import type { Connection } from '../../src/tcp/connection.ts'
import { echo, introductions, tcp } from './connections.ts'
import type { Lab } from './kernel-netns.ts'

export type Swallowed = Parameters<BackendObserver['pinholeSwallowed']>[0]

export interface OpenedHole extends OpenPinhole {
  readonly handle: PinholeHandle
  /** What happened, in order. */
  readonly events: readonly string[]
  /** Who came, where we relay. */
  readonly connections: readonly Connection[]
}

/** Rules of a gateway that drops by default; `acceptance` stands in both chains. */
export const droppingGateway = (acceptance: string) => `
flush ruleset
table inet filter {
  set ftp_data { type ipv4_addr . ipv4_addr . inet_service; flags timeout; }
  set endless { type ipv4_addr . ipv4_addr . inet_service; }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname lo accept
    ct state established accept
    ${acceptance}
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established accept
    ${acceptance}
  }
}
`

export class GatewayBackend {
  readonly swallowed: Swallowed[] = []
  readonly log: { event: string; fields: unknown }[] = []
  readonly intruders: Intruder[] = []
  readonly echo: Endpoint
  readonly #lab: Lab
  #backend: NftablesBackend | null = null

  static async create(lab: Lab): Promise<GatewayBackend> {
    const { at } = await lab.listen('server', { address: lab.address('server'), port: 0 }, echoing)
    return new GatewayBackend(lab, at)
  }

  private constructor(lab: Lab, echo: Endpoint) {
    this.#lab = lab
    this.echo = echo
  }

  /** Ends the one before, if there is one: what the kernel tells has one listener. */
  async start(options: Partial<NftablesBackendOptions> = {}): Promise<NftablesBackend> {
    await this.#backend?.stop()
    const range = { first: 30_000, last: 30_999 }
    const random = (below: number) => randomInt(below)
    const pool = new PortPool({ ...range, quarantineMs: 0, share: 1000, random })
    const pools = { client: pool, server: pool }
    const now = () => performance.now()
    const intruded = deduplicateAttempts({ now, intruded: (intruder) => void this.intruders.push(intruder) })
    const relay = new RelayBackend({
      tcp,
      introductions,
      idlePorts: 256,
      pools: options.pools ?? pools,
      intruded,
      now,
    })
    const log: NftablesBackendOptions['log'] = (event, fields) => void this.log.push({ event, fields })
    this.#backend = await createNftablesBackend({
      relay,
      pools,
      intruded,
      strangers: { ports: [range], everywhere: false },
      now,
      log,
      swallowed: (swallowed) => void this.swallowed.push(swallowed),
      ...options,
    })
    return this.#backend
  }

  async stop(): Promise<void> {
    await this.#backend?.stop()
    this.#backend = null
    this.log.length = 0
    this.intruders.length = 0
    this.swallowed.length = 0
  }

  /** From the client to the gateway, forwarded to the echo server. */
  request(changes: Partial<PinholeRequest> = {}): PinholeRequest {
    const lab = this.#lab
    return {
      owner: 'k3v9x0q2m1',
      from: 'client',
      expect: lab.address('client'),
      others: [],
      client: lab.address('client'),
      local: lab.gatewayTowards('client'),
      target: this.echo,
      source: lab.gatewayTowards('server'),
      timeoutMs: 20_000,
      ...changes,
    }
  }

  open(by: NftablesBackend, changes: Partial<PinholeRequest> = {}): Promise<OpenedHole> {
    const events: string[] = []
    const connections: Connection[] = []
    return new Promise((resolve, reject) => {
      const handle = by.open(
        this.request(changes),
        {
          connected(connection) {
            events.push('connected')
            connections.push(connection)
            echo(connection)
          },
          lost: () => void events.push('lost'),
          forwarded: () => void events.push('forwarded'),
          forwardEnded: (totals) => void events.push(totals === null ? 'ended uncounted' : 'ended'),
          expired: () => void events.push('expired'),
        },
        (error, pinhole) => {
          if (pinhole === null) reject(error)
          else queueMicrotask(() => resolve({ ...pinhole, handle, events, connections }))
        },
      )
    })
  }

  /** A table of the gateway as nft lists it. */
  table(name = 'ip ftp_alg'): string {
    return execFileSync('nft', ['list', 'table', ...name.split(' ')], { encoding: 'utf8' })
  }

  hasElements(name?: string): boolean {
    return this.table(name).includes('elements')
  }
}

/** Whether words come back; false when the connection is refused, reset or closed before. */
export function saysAndHears(socket: Socket, words: string): Promise<boolean> {
  return new Promise((resolve) => {
    let heard = ''
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
      if (heard === words) resolve(true)
    })
    socket.write(words)
  })
}

function echoing(socket: Socket): void {
  socket.on('error', () => undefined)
  socket.pipe(socket)
}
