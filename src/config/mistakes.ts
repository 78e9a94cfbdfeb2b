// From what zod and the rules found to lines that a person can act on:
// `config.yaml:7:11 limits.idle: needs a unit, such as 60s (given 60, allowed …)`.

import type { z } from 'zod'
import { nearestWord, oneOf } from './complaint.ts'
import { type Origin, originOf } from './merge.ts'
import type { FileMistake, YamlFile } from './yaml-file.ts'

/** What is wrong, and where in the tree of values. */
export interface Finding {
  readonly path: readonly PropertyKey[]
  readonly text: string
  /** The key at `path` is itself the mistake. */
  readonly unknownKey?: string
}

/** Everything a location is worked out from. Both are null or empty when there is no file. */
export interface ErrorLocation {
  /** As the user named it. */
  readonly name: string | null
  readonly file: YamlFile | null
  readonly origins: readonly Origin[]
}

/** One finding for each thing that is wrong; unions are resolved to the shape that was probably meant. */
export function findingsOf(issues: readonly z.core.$ZodIssue[], keysAt: KeysAt): Finding[] {
  return issues.flatMap((issue) => flatten(issue, [], keysAt))
}

/** The keys that the schema knows in the map at a path. */
export type KeysAt = (path: readonly PropertyKey[]) => readonly string[]

/** Lines in the order of the file; then what came from the environment and the command line. */
export function printFindings(findings: readonly Finding[], location: ErrorLocation): string[] {
  const located = findings.map((finding) => locate(finding, location))
  return sortByPosition([...(location.file?.mistakes ?? []).map(byFile(location)), ...located])
}

/** `['listeners', 0, 'upstream']` is `listeners[0].upstream`. */
export function formatPath(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${printable(String(step))}`))
  return steps.join('').replace(/^\./, '')
}

interface Line {
  readonly line: number
  readonly column: number
  readonly text: string
}

function flatten(issue: z.core.$ZodIssue, around: readonly PropertyKey[], keysAt: KeysAt): Finding[] {
  const path = [...around, ...issue.path]
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(path)
    return issue.keys.map((key) => ({ path, unknownKey: key, text: wordUnknownKey(path, key, known) }))
  }
  if (issue.code !== 'invalid_union') return [{ path, text: issue.message }]
  // A shape of another type than the given value was not meant. If none is left, the union speaks for all.
  const meant = issue.errors.filter((issues) => !issues.some(isOfAnotherType))
  const [only] = meant
  if (meant.length !== 1 || only === undefined) return [{ path, text: issue.message }]
  return only.flatMap((inner) => flatten(inner, path, keysAt))
}

/** Keys that were removed, and what to write instead. */
const formerKeys: ReadonlyMap<string, string> = new Map([
  [
    'policy.auth',
    'is no key any more: leave it out where AUTH is refused, or set tls.mode: passthrough in the listeners where it passes',
  ],
])

function isOfAnotherType({ code, path }: z.core.$ZodIssue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')
}

function wordUnknownKey(path: readonly PropertyKey[], key: string, known: readonly string[]): string {
  const former = formerKeys.get(formatPath([...path, key]))
  if (former !== undefined) return `${former} (given ${printable(key)}, allowed ${oneOf(known)})`
  const meant = nearestWord(key, known)
  const reason = meant === null ? 'is not a known key' : `is not a known key; did you mean ${meant}?`
  return `${reason} (given ${printable(key)}, allowed ${oneOf(known)})`
}

function locate({ path, text, unknownKey }: Finding, { name, file, origins }: ErrorLocation): Line {
  const origin = unknownKey === undefined ? originOf(path, origins) : null
  if (origin !== null) return unlocated(`${origin.name}: ${text}`)
  const full = formatPath(unknownKey === undefined ? path : [...path, unknownKey])
  if (name === null || file?.locator == null) return unlocated(`${full}: ${text}`)
  const { line, column } =
    unknownKey === undefined ? file.locator.locate(path) : file.locator.locateKey(path, unknownKey)
  return { line, column, text: `${name}:${line}:${column} ${full}: ${text}` }
}

function byFile({ name }: ErrorLocation) {
  return ({ position, text }: FileMistake): Line =>
    position === null
      ? { line: 0, column: 0, text: `${name}: ${text}` }
      : { ...position, text: `${name}:${position.line}:${position.column}: ${text}` }
}

function unlocated(text: string): Line {
  return { line: Number.POSITIVE_INFINITY, column: 0, text }
}

function sortByPosition(lines: readonly Line[]): string[] {
  const inOrder = lines.toSorted((one, other) =>
    one.line === other.line ? one.column - other.column : one.line - other.line,
  )
  return [...new Set(inOrder.map(({ text }) => text))]
}

/** Keys come from the file and may hold anything. */
function printable(key: string): string {
  return /^[\w.<>-]{1,76}$/.test(key) ? key : JSON.stringify(key.slice(0, 76))
}
