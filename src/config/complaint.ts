// How a mistake is worded: what is wrong (given what, allowed what). Every message of this folder is made here.

/** What a parser of one text value says. `reason` follows the key's name: `has a port above 65535`. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string }

/** The syntax of one kind of text value: how it is read, and how it is described when it is not. */
export interface TextForm<T> {
  /** As the documentation names it: `duration`. */
  readonly name: string
  /** What may be written, after the word "allowed": `500ms, 60s, 15m, 2h or 1d`. */
  readonly allowed: string
  /** The same as a regular expression for the JSON Schema; never narrower than `parse`. */
  readonly pattern: string
  parse(text: string): Parsed<T>
  /** The text as a message may quote it, where it can hold a secret. */
  readonly show?: (text: string) => string
}

/** A mistake that no single value shows. `path` starts at the top of the file; `text` follows the path. */
export interface RuleBreach {
  readonly path: readonly (string | number)[]
  readonly text: string
}

export function accept<T>(value: T): Parsed<T> {
  return { ok: true, value }
}

export function refuse<T>(reason: string): Parsed<T> {
  return { ok: false, reason }
}

/** `complaint('needs a unit', { given: 60, allowed: '60s' })` is `needs a unit (given 60, allowed 60s)`. */
export function complaint(
  reason: string,
  { given, allowed }: { readonly given: unknown; readonly allowed: string },
): string {
  return `${reason} (given ${showValue(given)}, allowed ${allowed})`
}

/** A value on one line of at most 80 characters; control characters are escaped. */
export function showValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 1 ? 'a list of 1' : `a list of ${value.length}`
  if (typeof value === 'object') return 'a map'
  if (typeof value !== 'string') return String(value)
  const shown = value.length > maxShownCharacters ? `${value.slice(0, maxShownCharacters)}…` : value
  return JSON.stringify(shown).replace(/[\u007f-\u009f\u2028\u2029]/g, escapeCharacter)
}

/** `sessions, idle or login`. */
export function oneOf(words: readonly string[]): string {
  return enumerate(words, 'or')
}

/** `sessions, idle and login`. */
export function allOf(words: readonly string[]): string {
  return enumerate(words, 'and')
}

/** The one word that was probably meant, or null. `nearestWord('idel', ['idle', 'login'])` is `idle`. */
export function nearestWord(typed: string, words: readonly string[]): string | null {
  if (typed.length > maxShownCharacters) return null
  let best: { word: string; distance: number } | null = null
  for (const word of words) {
    const distance = editDistance({ from: typed.toLowerCase(), to: word.toLowerCase() })
    if (best === null || distance < best.distance) best = { word, distance }
  }
  // A third of the letters may be wrong: enough for two typing errors in an ordinary key.
  return best !== null && best.distance <= Math.max(1, best.word.length / 3) ? best.word : null
}

const maxShownCharacters = 76

function enumerate(words: readonly string[], conjunction: string): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance({ from, to }: { readonly from: string; readonly to: string }): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = cell(last, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1)
      const swapped =
        i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
          ? cell(beforeLast, j - 2) + 1
          : Number.POSITIVE_INFINITY
      row.push(Math.min(cell(last, j) + 1, cell(row, j - 1) + 1, replaced, swapped))
    }
    beforeLast = last
    last = row
  }
  return cell(last, to.length)
}

function cell(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}
