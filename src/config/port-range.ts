// Ranges of TCP ports, inclusive at both ends, and how they are cut among instances.

import { parsePort as readPort } from '../ftp/endpoints.ts'
import { accept, type Parsed, refuse, type TextForm } from './complaint.ts'

export interface PortRange {
  /** 1 to 65535. */
  readonly first: number
  readonly last: number
}

/** Which part of a range is ours: number `index`, counted from 0, of `of` parts. */
export interface Slice {
  readonly index: number
  readonly of: number
}

export const portRangeForm: TextForm<PortRange> = {
  name: 'port range',
  allowed: 'FIRST-LAST within 1-65535, as in 30000-30999',
  pattern: '^[1-9][0-9]{0,4}-[1-9][0-9]{0,4}$',
  parse: parsePortRange,
}

/** Reads `'30000-30999'`. Refuses spaces, signs, leading zeros, ports above 65535 and a range that runs down. */
export function parsePortRange(text: string): Parsed<PortRange> {
  const match = /^([0-9]+)-([0-9]+)$/.exec(text)
  if (match === null) return refuse('is not a range of ports')
  const first = parsePort(match[1] ?? '')
  const last = parsePort(match[2] ?? '')
  if (!first.ok) return refuse(first.reason)
  if (!last.ok) return refuse(last.reason)
  if (first.value > last.value) return refuse('ends before it begins')
  return accept({ first: first.value, last: last.value })
}

export function formatPortRange(range: PortRange): string {
  return `${range.first}-${range.last}`
}

/** Reads a decimal port, 1 to 65535, without sign or leading zero. */
export function parsePort(text: string): Parsed<number> {
  if (!/^[0-9]+$/.test(text)) return refuse('has a port that is not a number')
  if (Number(text) === 0) return refuse('has port 0')
  if (text.startsWith('0')) return refuse('has a port with a leading zero')
  const port = readPort(text)
  return port === null ? refuse('has a port above 65535') : accept(port)
}

/** `{ first: 7, last: 7 }` has size 1. */
export function sizeOfRange(range: PortRange): number {
  return range.last - range.first + 1
}

export function rangeHasPort(range: PortRange, port: number): boolean {
  return range.first <= port && port <= range.last
}

/** The ports in both ranges, or null. */
export function overlapOfRanges(one: PortRange, other: PortRange): PortRange | null {
  const first = Math.max(one.first, other.first)
  const last = Math.min(one.last, other.last)
  return first <= last ? { first, last } : null
}

/**
 * Cuts a range into `of` parts whose sizes differ by one port at most, and returns part `index`. The parts
 * are disjoint and together they are the whole range. `30000-30999` cut to 1 of 4 is `30250-30499`.
 *
 * Null when there are fewer ports than parts, whatever the index: all instances then refuse alike.
 */
export function cutSlice(range: PortRange, slice: Slice): PortRange | null {
  const size = sizeOfRange(range)
  if (size < slice.of || slice.index >= slice.of) return null
  return {
    first: range.first + Math.floor((size * slice.index) / slice.of),
    last: range.first + Math.floor((size * (slice.index + 1)) / slice.of) - 1,
  }
}
