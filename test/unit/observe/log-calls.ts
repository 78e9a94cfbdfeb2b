// Finds in the source what other rooms say through `observer.log(level, event, message, fields)`.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface LogCall {
  readonly event: string
  readonly level: string
  /** `…` stands for what is filled in at run time. */
  readonly message: string
  /** Names in the object that is given; what is spread into it is not known. */
  readonly fields: readonly string[]
}

export interface LogCalls {
  readonly calls: readonly LogCall[]
  /** Calls of `.log(` that name no level: they pass on what others say. */
  readonly others: readonly string[]
}

const source = new URL('../../../src', import.meta.url).pathname
const levels = ['debug', 'info', 'warn', 'error']

/** Of every file but those of the observer itself. */
export function logCallsOfOtherRooms(): LogCalls {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.startsWith('observe/') && !name.startsWith('demo/'),
  )
  const calls: LogCall[] = []
  const others: string[] = []
  for (const name of files.sort()) {
    const text = readFileSync(join(source, name), 'utf8')
    for (const { index } of text.matchAll(/\.log\(/g)) {
      const call = readCall(argumentsAt(text, index + '.log'.length))
      if (call === null) others.push(`${name}: ${text.slice(index, text.indexOf(')', index) + 1)}`)
      else calls.push(call)
    }
  }
  return { calls, others }
}

function readCall([level = '', event = '', message = '', fields = '']: readonly string[]): LogCall | null {
  const name = literal(level)
  const what = literal(event)
  if (name === null || what === null || !levels.includes(name)) return null
  return { event: what, level: name, message: wording(message), fields: keysOf(fields) }
}

function literal(argument: string): string | null {
  return /^'([^'\\]*)'$/.exec(argument)?.[1] ?? null
}

function wording(argument: string): string {
  const template = /^`([\s\S]*)`$/.exec(argument)?.[1]
  return literal(argument) ?? template?.replaceAll(/\$\{[^}]*\}/g, '…') ?? '…'
}

function keysOf(argument: string): readonly string[] {
  const inner = /^\{([\s\S]*)\}$/.exec(argument)?.[1]
  if (inner === undefined) return []
  return splitAtCommas(inner).flatMap((part) => /^(\w+)/.exec(part)?.[1] ?? [])
}

/** The arguments of the call whose parenthesis stands at `open`. */
function argumentsAt(text: string, open: number): readonly string[] {
  let depth = 0
  for (let at = open; at < text.length; at += 1) {
    if (isOpening(text[at])) depth += 1
    if (isClosing(text[at])) depth -= 1
    if (depth === 0) return splitAtCommas(text.slice(open + 1, at))
  }
  return []
}

/** At the commas that are in no bracket and in no text. */
function splitAtCommas(text: string): readonly string[] {
  const parts: string[] = ['']
  let depth = 0
  let quote = ''
  for (const character of text) {
    if (quote === '' && /['`]/.test(character)) quote = character
    else if (character === quote) quote = ''
    if (isOpening(character)) depth += 1
    if (isClosing(character)) depth -= 1
    if (character === ',' && depth === 0 && quote === '') parts.push('')
    else parts.push((parts.pop() ?? '') + character)
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}

function isOpening(character: string | undefined): boolean {
  return character === '(' || character === '{' || character === '['
}

function isClosing(character: string | undefined): boolean {
  return character === ')' || character === '}' || character === ']'
}
