// Finds in the source what other rooms say through `observer.log(event, fields)`.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface LogCall {
  readonly event: string
  /** Names in the object that is given; what is spread into it is not known. */
  readonly fields: readonly string[]
}

const source = new URL('../../../src', import.meta.url).pathname

/** Of every file but those of the observer itself. A call with a variable for its event is not listed. */
export function logCallsOfOtherRooms(): readonly LogCall[] {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.startsWith('observe/') && !name.startsWith('demo/'),
  )
  return files.flatMap((name) => {
    const text = readFileSync(join(source, name), 'utf8')
    return [...text.matchAll(/\.log\(/g)].flatMap(({ index }) => {
      const [event = '', fields = ''] = argumentsAt(text, index + '.log'.length)
      const name = /^'([^'\\]*)'$/.exec(event)?.[1]
      return name === undefined ? [] : [{ event: name, fields: keysOf(fields) }]
    })
  })
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
