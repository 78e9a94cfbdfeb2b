// Reads the YAML file: plain values, every mistake in its syntax, and where each key stands.

import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { type Document, LineCounter, parseAllDocuments, visit, type YAMLError } from 'yaml'
import { showValue } from './complaint.ts'
import { type Position, YamlLocator } from './yaml-locator.ts'

export interface FileMistake {
  /** Null where the whole file is meant. */
  readonly position: Position | null
  readonly text: string
}

export interface YamlFile {
  /** The top map as plain values, or null when nothing can be said about it before the mistakes are mended. */
  readonly tree: Readonly<Record<string, unknown>> | null
  readonly mistakes: readonly FileMistake[]
  readonly locator: YamlLocator | null
}

/** Never throws: whatever is wrong with the file is in `mistakes`. */
export function readYamlFile(file: string): YamlFile {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    return unusable(whole(`cannot be read: ${wordReadError(error)}`))
  }
  return parseYaml(bytes)
}

export function parseYaml(bytes: Uint8Array): YamlFile {
  const text = Buffer.from(bytes).toString('utf8')
  if (!isUtf8(bytes)) return unusable(notUtf8(text, bytes))
  const lines = new LineCounter()
  const positionOf = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  try {
    // YAML 1.2 whatever a %YAML directive says: `010` is ten, `yes` is text, and no tag makes a date.
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      logLevel: 'error',
      prettyErrors: false,
      resolveKnownTags: false,
      schema: 'core',
      version: '1.2',
    })
    // A stream without any document carries its errors itself.
    const errors = 'empty' in documents ? documents.errors : []
    return openDocuments([...documents], { text, positionOf, errors })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return unusable(whole(`cannot be read as YAML: ${reason}`))
  }
}

interface Source {
  readonly text: string
  readonly positionOf: (offset: number) => Position
  /** Of no document in particular. */
  readonly errors: readonly YAMLError[]
}

function openDocuments(documents: readonly Document.Parsed[], source: Source): YamlFile {
  const [document, second] = documents
  const broken = [...source.errors, ...documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])]
  const mistakes = broken.map((error) => ({
    position: source.positionOf(error.pos[0]),
    text: wordYamlError(error, source.text),
  }))
  if (broken.some(({ code }) => code !== 'DUPLICATE_KEY')) return unusable(...mistakes)
  if (document === undefined) return unusable(whole(emptyFile))
  if (second !== undefined) {
    const text = `holds several YAML documents (given ${documents.length}, allowed 1)`
    return unusable({ position: source.positionOf(second.range[0]), text })
  }
  const unresolved = unresolvedAliases(document, source)
  if (unresolved.length > 0) return unusable(...mistakes, ...unresolved)
  const tree: unknown = document.toJS()
  if (tree === null) return unusable(whole(emptyFile))
  if (!isTree(tree)) {
    const text = `is not a map (given ${showValue(tree)}, allowed a map of keys)`
    return unusable({ position: source.positionOf(document.contents?.range[0] ?? 0), text })
  }
  return { tree, mistakes, locator: new YamlLocator(document, source.positionOf) }
}

const emptyFile = 'is empty (given nothing, allowed a map of keys)'

function whole(text: string): FileMistake {
  return { position: null, text }
}

function unusable(...mistakes: readonly FileMistake[]): YamlFile {
  return { tree: null, mistakes, locator: null }
}

/** The first byte that is wrong has become the first U+FFFD of the text. */
function notUtf8(text: string, bytes: Uint8Array): FileMistake {
  const before = text.slice(0, text.indexOf('\ufffd'))
  const lines = before.split('\n')
  const byte = (bytes[Buffer.byteLength(before)] ?? 0).toString(16).padStart(2, '0')
  return {
    position: { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 },
    text: `is not UTF-8 text (given byte 0x${byte}, allowed UTF-8)`,
  }
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unresolvedAliases(document: Document.Parsed, source: Source): FileMistake[] {
  const mistakes: FileMistake[] = []
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return
      const text = `names an anchor that does not stand before it (given *${alias.source})`
      mistakes.push({ position: source.positionOf(alias.range?.[0] ?? 0), text })
    },
  })
  return mistakes
}

function wordReadError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a directory'
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied'
  return error instanceof Error ? error.message : String(error)
}

function wordYamlError(error: YAMLError, text: string): string {
  const from = text.slice(error.pos[0])
  if (error.code === 'DUPLICATE_KEY') {
    const key = /^[^:\n]*/.exec(from)?.[0].trim() ?? ''
    return `the key ${key} stands twice in one map (given 2, allowed 1)`
  }
  const line = text.slice(text.lastIndexOf('\n', error.pos[0] - 1) + 1).split('\n', 1)[0] ?? ''
  // Unquoted, `[::]:2121` begins a list.
  const address = /(?<!['"])\[[0-9A-Fa-f:.]+\](:[0-9]+)?/.exec(line)?.[0]
  const hint = address?.includes(':') ? `; write an IPv6 address in quotes: '${address}'` : ''
  return `is not YAML: ${error.message}${hint}`
}
