// Every metric of the process, in one registry of its own. docs/metrics.md lists them; a test holds both equal.

import { Registry } from 'prom-client'
import type { PoolUse } from '../vocabulary.ts'
import { type ControlMetrics, defineControlMetrics } from './metrics/control.ts'
import { type DataMetrics, defineDataMetrics } from './metrics/data.ts'
import { definePinholeMetrics, type PinholeMetrics } from './metrics/pinholes.ts'
import {
  type BuildFacts,
  defineProcessMetrics,
  defineRuntimeMetrics,
  type ProcessMetrics,
} from './metrics/process.ts'
import { defineSessionMetrics, type SessionMetrics } from './metrics/sessions.ts'

/** The series of one listener: its sessions share them, so a session costs no memory here. */
export interface ListenerMetrics {
  readonly name: string
  readonly session: SessionMetrics
  readonly control: ControlMetrics
  readonly data: DataMetrics
  readonly pinhole: PinholeMetrics
}

export interface Metrics {
  readonly registry: Registry
  readonly process: ProcessMetrics
  readonly pinholeRejected: ReturnType<typeof definePinholeMetrics>['rejected']
  /** Made, with every series at 0, when a listener is first named. Names come from the configuration only. */
  listener(name: string): ListenerMetrics
  listeners(): Iterable<ListenerMetrics>
}

export interface MetricsFacts extends BuildFacts {
  /** Their series exist, at 0, from the first scrape on. */
  readonly listeners: readonly string[]
  /** Called at every scrape. */
  readonly pools: () => readonly PoolUse[]
}

export function createMetrics(facts: MetricsFacts): Metrics {
  const registry = new Registry()
  const process = defineProcessMetrics(registry, facts)
  const session = defineSessionMetrics(registry)
  const control = defineControlMetrics(registry)
  const data = defineDataMetrics(registry)
  const pinhole = definePinholeMetrics(registry, facts.pools)
  defineRuntimeMetrics(registry)

  const listeners = new Map<string, ListenerMetrics>()
  const listener = (name: string): ListenerMetrics => {
    const known = listeners.get(name)
    if (known !== undefined) return known
    const made: ListenerMetrics = {
      name,
      session: session(name),
      control: control(name),
      data: data(name),
      pinhole: pinhole.forListener(name),
    }
    listeners.set(name, made)
    return made
  }
  for (const name of facts.listeners) listener(name)
  return {
    registry,
    process,
    pinholeRejected: pinhole.rejected,
    listener,
    listeners: () => listeners.values(),
  }
}
