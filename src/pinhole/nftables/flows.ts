// Connections that the kernel forwards through a pinhole: when they begin, when they end, how much they carried.

import type { Endpoint } from '../../ftp/endpoints.ts'
import type { FlowBytes, FlowKey, FlowReport } from '../../kernel/conntrack.ts'
import type { ConntrackEvents } from '../../kernel/conntrack-watch.ts'
import { placeOf, ResetFlows } from './reset-flows.ts'

export interface AwaitedFlow {
  /** The connection is there and the kernel moves its bytes. */
  readonly began: (flow: RunningFlow) => void
  /** It is over; null when conntrack did not count or events were lost. */
  readonly ended: (bytes: FlowBytes | null) => void
}

export interface RunningFlow {
  /** What it has carried so far; null when that cannot be known. A question to the kernel. */
  carried(): FlowBytes | null
  /** From here on it is not reported. */
  forget(): void
}

export interface FlowQuestions {
  /** The counters of one connection now, or null. */
  readonly find: (key: FlowKey) => FlowReport | null
  /** Every connection with our mark. */
  readonly list: () => readonly FlowReport[]
  /** Has conntrack forget one. */
  readonly erase: (key: FlowKey) => void
}

/** Matches what conntrack reports with the pinholes that wait and the connections that run. */
export class ForwardedFlows implements ConntrackEvents {
  readonly #ask: FlowQuestions
  readonly #awaited = new Map<string, AwaitedFlow>()
  readonly #running = new Map<FlowKey, AwaitedFlow>()
  readonly #reset = new ResetFlows()

  constructor(ask: FlowQuestions) {
    this.#ask = ask
  }

  /** Connections that are forwarded now. */
  get running(): number {
    return this.#running.size
  }

  /** Waits for one connection from `peer` to `at`. */
  expect(peer: string, at: Endpoint, flow: AwaitedFlow): void {
    this.#awaited.set(placeOf(peer, at), flow)
  }

  unexpect(peer: string, at: Endpoint): void {
    this.#awaited.delete(placeOf(peer, at))
  }

  /**
   * Call before a pinhole opens there. Conntrack keeps a connection for ten seconds after the target has reset it. A first
   * packet with the same addresses and ports goes where that connection went: to another client, or to a port where nobody
   * listens. A peer that connects from one port only, as a server does from port 20, would meet that again and again.
   */
  makeWay(peer: string, at: Endpoint): void {
    for (const key of this.#reset.take(placeOf(peer, at))) this.#ask.erase(key)
  }

  readonly began = ({ flow, key }: FlowReport): void => {
    const place = placeOf(flow.from.address, flow.to)
    this.#reset.delete(key)
    const awaited = this.#awaited.get(place)
    // Also marked, but not forwarded: what we relay, and what an earlier run of ours let through.
    if (awaited === undefined) return
    this.#awaited.delete(place)
    this.#running.set(key, awaited)
    awaited.began({
      carried: () => this.#ask.find(key)?.bytes ?? null,
      forget: () => void this.#running.delete(key),
    })
  }

  readonly closed = (key: FlowKey, how: 'closed' | 'reset'): void => {
    if (how === 'reset') this.#reset.add(key)
    if (this.#running.has(key)) this.#end(key, this.#ask.find(key)?.bytes ?? null)
  }

  readonly forgotten = (key: FlowKey, bytes: FlowBytes | null): void => {
    this.#reset.delete(key)
    this.#end(key, bytes)
  }

  /** Catches up: what is in conntrack's table and what is not decides. */
  readonly lost = (): void => {
    const reports = this.#ask.list()
    const openReports = reports.filter(({ state }) => state === 'open')
    // Closed ones may be of an earlier pinhole at the same place.
    for (const report of openReports) this.began(report)
    this.#reset.clear()
    for (const { key, state } of reports) if (state === 'reset') this.#reset.add(key)
    const open = new Set(openReports.map(({ key }) => key))
    const counted = new Map(reports.map(({ key, bytes }) => [key, bytes]))
    for (const [key, running] of this.#running) {
      if (open.has(key)) continue
      this.#running.delete(key)
      running.ended(counted.get(key) ?? null)
    }
  }

  #end(key: FlowKey, bytes: FlowBytes | null): void {
    const running = this.#running.get(key)
    if (running === undefined) return
    this.#running.delete(key)
    running.ended(bytes)
  }
}
