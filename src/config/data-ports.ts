// From `dataPorts` as written to the ranges that this instance uses.

import { complaint, type RuleBreach } from './complaint.ts'
import type { DataPortsConfig, PortRangeConfig } from './config.ts'
import { type DataPortsSection, defaultDataPorts } from './data-ports-schema.ts'
import {
  cutSlice,
  formatPortRange,
  overlapOfRanges,
  type PortRange,
  parsePortRange,
  type Slice,
  sizeOfRange,
} from './port-range.ts'

export interface ResolvedDataPorts {
  /** Null when there are breaches. */
  readonly config: DataPortsConfig | null
  /** Ports that this configuration takes on all its instances together: before any slice. */
  readonly taken: readonly TakenRange[]
  readonly breaches: readonly RuleBreach[]
}

export interface TakenRange {
  /** Where `listen` is written. */
  readonly path: RuleBreach['path']
  readonly listen: PortRange
  readonly announcePath: RuleBreach['path']
  readonly announce: PortRange
}

/**
 * Works out both sides' ranges, cut to this instance's slice. Every worker process needs at least one port of
 * every range, because two processes cannot listen on the same one.
 */
export function resolveDataPorts(written: DataPortsSection, workers: number): ResolvedDataPorts {
  const breaches: RuleBreach[] = []
  const taken = rangesOf(written, breaches)
  const slice = 'first' in written ? undefined : written.slice
  if (slice !== undefined && slice.index >= slice.of) {
    const allowed = `0 to ${slice.of - 1}, because dataPorts.slice.of is ${slice.of}`
    const text = complaint('is too large', { given: slice.index, allowed })
    breaches.push({ path: ['dataPorts', 'slice', 'index'], text })
  }
  for (const range of taken) checkRange(range, { slice, workers, breaches })
  const [client, server] = taken
  if (client !== undefined && server !== undefined) {
    const both = overlapOfRanges(client.listen, server.listen)
    if (both !== null) {
      const given = formatPortRange(server.listen)
      const allowed = `ports outside ${formatPortRange(client.listen)}`
      const text = complaint(`shares ${formatPortRange(both)} with dataPorts.client`, { given, allowed })
      breaches.push({ path: server.path, text })
    }
  }
  if (client === undefined || breaches.length > 0) return { config: null, taken, breaches }
  const clientRange = cutToSlice(client, slice)
  const serverRange = server === undefined ? clientRange : cutToSlice(server, slice)
  if (clientRange === null || serverRange === null) return { config: null, taken, breaches }
  const config = { client: clientRange, server: serverRange, shared: server === undefined }
  return { config, taken, breaches }
}

/** One range for a shared pool, two for pools apart (client first), none when the shape is wrong. */
function rangesOf(written: DataPortsSection, breaches: RuleBreach[]): TakenRange[] {
  const path = ['dataPorts']
  if ('first' in written) return [takenRange(path, written)]
  const { listen, announce, client, server } = written
  if (client === undefined && server === undefined) {
    const taken = takenRange(path, { listen: listen ?? defaultRange(), announce })
    return [listen === undefined ? { ...taken, path } : taken]
  }
  if (listen !== undefined || announce !== undefined) {
    const allowed = 'listen and announce for one pool, or client and server for two'
    const text = complaint('mixes one pool with two', { given: Object.keys(written).join(', '), allowed })
    breaches.push({ path, text })
    return []
  }
  if (client === undefined || server === undefined) {
    const [missing, present] = client === undefined ? ['client', 'server'] : ['server', 'client']
    const allowed = 'a range of its own, as in 31000-31999'
    const text = complaint(`is required beside dataPorts.${present}`, { given: undefined, allowed })
    breaches.push({ path: ['dataPorts', missing], text })
    return []
  }
  return [takenRange(['dataPorts', 'client'], client), takenRange(['dataPorts', 'server'], server)]
}

type SideSection = NonNullable<Exclude<DataPortsSection, PortRange>['client']>

function takenRange(path: string[], side: SideSection): TakenRange {
  if ('first' in side) return { path, listen: side, announcePath: path, announce: side }
  return {
    path: [...path, 'listen'],
    listen: side.listen,
    announcePath: [...path, 'announce'],
    announce: side.announce ?? side.listen,
  }
}

function checkRange(
  range: TakenRange,
  context: { readonly slice: Slice | undefined; readonly workers: number; readonly breaches: RuleBreach[] },
): void {
  const { slice, workers, breaches } = context
  const [announced, listened] = [sizeOfRange(range.announce), sizeOfRange(range.listen)]
  if (announced !== listened) {
    const allowed = `${listened} ports, as many as in listen: ${formatPortRange(range.listen)}`
    const text = complaint(`has ${announced} ports`, { given: formatPortRange(range.announce), allowed })
    breaches.push({ path: range.announcePath, text })
  }
  const parts = slice?.of ?? 1
  if (listened < parts) {
    const text = complaint(`has ${listened} ports for ${parts} slices`, {
      given: formatPortRange(range.listen),
      allowed: `at least ${parts} ports`,
    })
    breaches.push({ path: range.path, text })
  } else if (listened < parts * workers) {
    const text = complaint(`has too few ports for ${workers} workers`, {
      given: formatPortRange(range.listen),
      allowed: `at least ${parts * workers} ports, one a worker and slice`,
    })
    breaches.push({ path: range.path, text })
  }
}

function cutToSlice(range: TakenRange, slice: Slice | undefined): PortRangeConfig | null {
  const ours = slice === undefined ? range.listen : cutSlice(range.listen, slice)
  return ours === null ? null : { ...ours, announceOffset: range.announce.first - range.listen.first }
}

function defaultRange(): PortRange {
  const parsed = parsePortRange(defaultDataPorts)
  if (!parsed.ok) throw new Error(`the default of dataPorts is no range: ${defaultDataPorts}`)
  return parsed.value
}
