// What no single value can show: keys that contradict each other, and combinations that work badly.

import { checkBreaches } from './check-rules.ts'
import { complaint, type RuleBreach } from './complaint.ts'
import type { DataPortsConfig } from './config.ts'
import { resolveDataPorts, type TakenRange } from './data-ports.ts'
import { formatDuration } from './duration.ts'
import { type EphemeralPorts, ephemeralPart } from './kernel-ports.ts'
import {
  checkListeners,
  type ListenerSections,
  type Place,
  placesOf,
  sourcePortBreaches,
} from './listener-rules.ts'
import { greetingBreaches, passthroughBreaches, passthroughWarnings } from './passthrough-rules.ts'
import { mannerBreaches, mannerWarnings } from './pool-manner-rules.ts'
import { type PoolSections, poolBreaches, poolWarnings, viaBreaches } from './pool-rules.ts'
import { formatPortRange, rangeHasPort } from './port-range.ts'
import { checkRoutes } from './route-rules.ts'
import type { FileSections } from './schema.ts'
import { sourceBreaches } from './source-rules.ts'

/** The sections that rules look at; one with a mistake of its own is undefined. */
export interface ValidSections {
  readonly upstreams: PoolSections
  readonly listeners: ListenerSections
  readonly dataPorts: FileSections['dataPorts'] | undefined
  readonly pinholes: FileSections['pinholes'] | undefined
  readonly admin: FileSections['admin'] | undefined
  readonly workers: FileSections['workers'] | undefined
}

export interface RuleFindings {
  readonly breaches: readonly RuleBreach[]
  readonly warnings: readonly RuleBreach[]
  readonly dataPorts: DataPortsConfig | null
}

/** RFC 6384 §12: a mapping for an FTP data connection lives at least 30 seconds. */
const minPinholeTimeoutMs = 30_000

/** `ephemeralPorts` is what the kernel uses for itself, null where that is unknown. */
export function checkRules(sections: ValidSections, ephemeralPorts: EphemeralPorts | null): RuleFindings {
  const places = placesOf(sections.listeners, sections.admin ?? null)
  const listeners = checkListeners(sections.listeners, places)
  const routes = checkRoutes(sections.listeners, places, sections.upstreams)
  const ports =
    sections.dataPorts === undefined
      ? { config: null, taken: [], breaches: [] }
      : resolveDataPorts(sections.dataPorts, sections.workers ?? 1)
  return {
    breaches: [
      ...poolBreaches(sections.upstreams, places),
      ...viaBreaches(sections.upstreams, sections.listeners),
      ...mannerBreaches(sections.upstreams, sections.listeners),
      ...checkBreaches(sections.upstreams, sections.listeners),
      ...listeners.breaches,
      ...passthroughBreaches(sections.listeners, sections.upstreams),
      ...greetingBreaches(sections.listeners, sections.upstreams),
      ...sourceBreaches(sections.listeners, sections.upstreams),
      ...routes.breaches,
      ...ports.breaches,
      ...ports.taken.flatMap((range) => portBreaches(range, places)),
      ...sourcePortBreaches(
        sections.listeners,
        places,
        ports.taken.map(({ listen }) => listen),
      ),
    ],
    warnings: [
      ...poolWarnings(sections.upstreams, sections.listeners),
      ...mannerWarnings(sections.upstreams),
      ...listeners.warnings,
      ...passthroughWarnings(sections.listeners),
      ...routes.warnings,
      ...ports.taken.flatMap((range) => portWarnings(range, ephemeralPorts)),
      ...timeoutWarnings(sections),
    ],
    dataPorts: ports.config,
  }
}

function portBreaches(range: TakenRange, places: readonly Place[]): RuleBreach[] {
  const inside = places.filter((place) => rangeHasPort(range.listen, place.listen.port))
  return inside.map((place) => {
    const reason = `has port ${place.listen.port}, on which ${place.called} listens`
    const given = formatPortRange(range.listen)
    return { path: range.path, text: complaint(reason, { given, allowed: 'a range without that port' }) }
  })
}

function portWarnings({ path, listen, announce }: TakenRange, kernel: EphemeralPorts | null): RuleBreach[] {
  const warnings: RuleBreach[] = []
  const part = kernel === null ? null : ephemeralPart(listen, kernel)
  if (kernel !== null && part !== null) {
    const text = `has ports ${formatPortRange(part)} that the system also gives to outgoing connections (given ${formatPortRange(listen)}, net.ipv4.ip_local_port_range is ${formatPortRange(kernel.range)}); add them to net.ipv4.ip_local_reserved_ports`
    warnings.push({ path, text })
  }
  if (announce.first < 1024) {
    const text = `announces ports below 1024, which most servers and clients refuse as a bounce attack, RFC 2577 §3 (given ${formatPortRange(announce)})`
    warnings.push({ path, text })
  }
  return warnings
}

function timeoutWarnings({ pinholes }: ValidSections): RuleBreach[] {
  if (pinholes === undefined || pinholes.timeoutMs >= minPinholeTimeoutMs) return []
  const text = `is under the 30s that RFC 6384 §12 asks for: slow clients will miss their pinhole (given ${formatDuration(pinholes.timeoutMs)})`
  return [{ path: ['pinholes', 'timeout'], text }]
}
