// Which ports the kernel hands out by itself to outgoing connections. One of them may be busy just when a
// pinhole wants it.

import { readFileSync } from 'node:fs'
import { overlapOfRanges, type PortRange } from './port-range.ts'

/** Ports for outgoing connections, or null where the system has no such file (not Linux). */
export interface EphemeralPorts {
  readonly range: PortRange
  /** Never handed out: net.ipv4.ip_local_reserved_ports. */
  readonly reserved: readonly PortRange[]
}

/** Reads the settings of the network namespace that this process is in. */
export function readEphemeralPorts(directory = '/proc/sys/net/ipv4'): EphemeralPorts | null {
  const range = readRanges(`${directory}/ip_local_port_range`)[0]
  if (range === undefined) return null
  return { range, reserved: readRanges(`${directory}/ip_local_reserved_ports`) }
}

/** The part of a range that the kernel may take for itself, or null when there is none. */
export function ephemeralPart(range: PortRange, kernel: EphemeralPorts): PortRange | null {
  const part = overlapOfRanges(range, kernel.range)
  if (part === null) return null
  for (let port = part.first; port <= part.last; port += 1) {
    const inside = kernel.reserved.find((reserved) => reserved.first <= port && port <= reserved.last)
    if (inside === undefined) return part
    port = inside.last
  }
  return null
}

/** `32768\t60999`, `30000-30999,40000` and an empty file are all in use by the kernel. */
function readRanges(file: string): PortRange[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return []
  }
  return [...text.matchAll(/([0-9]+)(?:[-\t ]+([0-9]+))?/g)].map(([, first, last]) => ({
    first: Number(first),
    last: Number(last ?? first),
  }))
}
