// Every metric of the process. docs/metrics.md lists them; a test holds both equal.

import { Registry } from 'prom-client'
import type { CertificateUse, PoolUpstreamUse, PoolUse } from '../vocabulary.ts'
import { type ConntrackUse, defineConntrackMetrics } from './metrics/conntrack.ts'
import { type ControlMetrics, defineControlMetrics } from './metrics/control.ts'
import { type DataMetrics, defineDataMetrics } from './metrics/data.ts'
import type { Families, MetricFamily } from './metrics/family.ts'
import { definePinholeMetrics, type PinholeMetrics } from './metrics/pinholes.ts'
import {
  type BuildFacts,
  defineProcessMetrics,
  defineRuntimeMetrics,
  type ProcessMetrics,
  runtimeFamilies,
} from './metrics/process.ts'
import { defineRecentMetrics } from './metrics/recent.ts'
import { defineSessionMetrics, type SessionMetrics } from './metrics/sessions.ts'
import { defineTlsMetrics, type TlsMetrics } from './metrics/tls.ts'
import { defineUpstreamMetrics } from './metrics/upstreams.ts'
import { Outcomes } from './view/recent.ts'

/** The series of one listener: its sessions share them, so a session costs no memory here. */
export interface ListenerMetrics {
  readonly name: string
  readonly session: SessionMetrics
  readonly control: ControlMetrics
  readonly data: DataMetrics
  readonly pinhole: PinholeMetrics
  /** Lately: control connections to servers, and data connections with whoever was to make one. */
  readonly recent: { readonly upstream: Outcomes; readonly sentAway: Outcomes; readonly data: Outcomes }
  /** Made when it is first asked for: most listeners have none. */
  readonly tls: () => TlsMetrics
}

export interface Metrics {
  /** All of them, now. */
  families(): Promise<readonly MetricFamily[]>
  readonly process: ProcessMetrics
  readonly pinholeRejected: ReturnType<typeof definePinholeMetrics>['rejected']
  readonly pinholeSwallowed: ReturnType<typeof definePinholeMetrics>['swallowed']
  /** Made, with every series at 0, when a listener is first named. Names come from the configuration only. */
  listener(name: string): ListenerMetrics
  listeners(): Iterable<ListenerMetrics>
}

export interface MetricsFacts extends BuildFacts {
  /** Their series exist, at 0, from the first scrape on; those of TLS for whoever has it. */
  readonly listeners: readonly {
    readonly name: string
    readonly intercepts: boolean
    readonly hasTls: boolean
  }[]
  /** Called at every scrape; absent: nothing of ours is tracked. */
  readonly conntrack?: () => ConntrackUse | null
  /** Called at every scrape. */
  readonly pools: () => readonly PoolUse[]
  readonly upstreams: () => readonly PoolUpstreamUse[]
  /** Called at every scrape; absent: there are none. */
  readonly certificates?: () => readonly CertificateUse[]
}

export function createMetrics(facts: MetricsFacts): Metrics {
  const families: Families = []
  const process = defineProcessMetrics(families, facts)
  const session = defineSessionMetrics(families)
  const control = defineControlMetrics(families)
  const data = defineDataMetrics(families)
  const pinhole = definePinholeMetrics(families, facts.pools)
  defineUpstreamMetrics(families, facts.upstreams)
  const tls = defineTlsMetrics(families, facts.certificates ?? (() => []))
  const runtime = new Registry()
  defineRuntimeMetrics(runtime)

  const listeners = new Map<string, ListenerMetrics>()
  const listener = (name: string): ListenerMetrics => {
    const known = listeners.get(name)
    if (known !== undefined) return known
    let madeTls: TlsMetrics | null = null
    const made: ListenerMetrics = {
      name,
      session: session(name),
      control: control(name),
      data: data(name),
      pinhole: pinhole.forListener(name),
      recent: { upstream: new Outcomes(), sentAway: new Outcomes(), data: new Outcomes() },
      tls: () => {
        madeTls ??= tls(name)
        return madeTls
      },
    }
    listeners.set(name, made)
    return made
  }
  defineConntrackMetrics(families, facts.conntrack ?? (() => null))
  defineRecentMetrics(families, () => [...listeners.values()])
  for (const { name, intercepts, hasTls } of facts.listeners) {
    const made = listener(name)
    made.session.intercepts.value = Number(intercepts)
    if (hasTls) made.tls()
  }
  return {
    families: async () => [...families.map((family) => family()), ...(await runtimeFamilies(runtime))],
    process,
    pinholeRejected: pinhole.rejected,
    pinholeSwallowed: pinhole.swallowed,
    listener,
    listeners: () => listeners.values(),
  }
}
