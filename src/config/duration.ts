// Durations in the file are a whole number and a unit; inside the program they are milliseconds.

import { accept, type Parsed, refuse, type TextForm } from './complaint.ts'

/** 7 days: longer than any FTP timer makes sense, and well inside the 24.8 days that a Node timer can hold. */
export const maxDurationMs = 7 * 86_400_000

export const durationForm: TextForm<number> = {
  name: 'duration',
  allowed: '1ms to 7d, as in 500ms, 60s, 15m, 2h or 1d',
  pattern: '^[1-9][0-9]*(ms|s|m|h|d)$',
  parse: parseDuration,
}

/**
 * Reads a duration into milliseconds. `'15m'` gives `900000`.
 *
 * Refuses a bare number (`60` could be seconds or milliseconds), fractions, zero, and more than seven days.
 */
export function parseDuration(text: string): Parsed<number> {
  const match = /^(0|[1-9][0-9]*)(ms|s|m|h|d)?$/.exec(text)
  const [, digits = '', unit] = match ?? []
  if (match === null) return refuse('is not a duration')
  if (digits === '0') return refuse('must be longer than zero')
  if (unit === undefined) return refuse(`needs a unit, such as ${digits}s`)
  const milliseconds = Number(digits) * (unitMs.get(unit) ?? Number.NaN)
  if (milliseconds > maxDurationMs) return refuse('is longer than 7d')
  return accept(milliseconds)
}

/** Writes milliseconds in the largest unit that needs no fraction; under two minutes in seconds, as people say it. */
export function formatDuration(milliseconds: number): string {
  for (const [unit, size] of unitMs) {
    const isOneMinute = unit === 'm' && milliseconds < 2 * size
    if (milliseconds % size === 0 && !isOneMinute) return `${milliseconds / size}${unit}`
  }
  return `${milliseconds}ms`
}

/** Largest first: `formatDuration` takes the first that divides. */
const unitMs: ReadonlyMap<string, number> = new Map([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
])
