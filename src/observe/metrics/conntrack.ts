// How full the kernel's connection tracking is. It is one table for everything that passes this machine, and when it is full
// new connections are dropped, ours among them.

import { readFileSync } from 'node:fs'
import { type Families, measuredGauge } from './family.ts'

export interface ConntrackUse {
  readonly entries: number
  readonly limit: number
}

/** Null where nothing is tracked. */
export function readConntrack(folder = '/proc/sys/net/netfilter'): ConntrackUse | null {
  const [entries, limit] = ['nf_conntrack_count', 'nf_conntrack_max'].map((name) => read(`${folder}/${name}`))
  return entries && limit ? { entries, limit } : null
}

/** `use` is called at every scrape. */
export function defineConntrackMetrics(families: Families, use: () => ConntrackUse | null): void {
  const measure = (figure: (use: ConntrackUse) => number) => {
    const now = use()
    return now === null ? [] : [{ labels: {}, value: figure(now) }]
  }
  measuredGauge(
    families,
    {
      name: 'ftp_alg_conntrack_entries',
      help: 'Connections of the whole machine that the kernel tracks; only where pinholes or interception need it.',
      labels: [],
      aggregator: 'max',
    },
    () => measure(({ entries }) => entries),
  )
  measuredGauge(
    families,
    {
      name: 'ftp_alg_conntrack_limit',
      help: 'Connections that the kernel can track (net.netfilter.nf_conntrack_max); beyond it new ones are dropped.',
      labels: [],
      aggregator: 'max',
    },
    () => measure(({ limit }) => limit),
  )
}

function read(file: string): number | null {
  try {
    return Number(readFileSync(file, 'latin1'))
  } catch {
    return null
  }
}
