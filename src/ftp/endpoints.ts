// The four wire forms of an endpoint: PORT and EPRT arguments, 227 and 229 replies. Each parser says where the
// endpoint stood, so that a rewrite replaces those characters and leaves the server's own words alone.
//
// Numbers are strict: decimal digits only, no sign or hex, octets to 255, ports 1 to 65535. What a grammar does not
// accept is refused, never repaired.

import { familyOf, parseAddress } from './addresses.ts'

/** An address and a port, as FTP names them. `address` is canonical text: `10.0.0.5`, `2001:db8::1`. */
export interface Endpoint {
  readonly address: string
  /** 1 to 65535. */
  readonly port: number
}

/** Half-open range of characters, `[start, end)`. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface LocatedEndpoint extends Span {
  readonly endpoint: Endpoint
}

export interface LocatedPort extends Span {
  readonly port: number
}

/**
 * Reads the argument of PORT.
 *
 * `'10,0,0,5,19,137'` gives `{ address: '10.0.0.5', port: 5001 }`; anything but six bytes gives null.
 * @see RFC 959 §5.3.2
 */
export function parseHostPort(text: string): Endpoint | null {
  if (text.includes(' ') || text.includes('\t')) return null
  const located = hostPortAt(text, 0)
  return located !== null && located.end === text.length ? located.endpoint : null
}

/** `{ address: '10.0.0.5', port: 5001 }` gives `'10,0,0,5,19,137'`. IPv4 only. */
export function formatHostPort({ address, port }: Endpoint): string {
  return `${address.replaceAll('.', ',')},${port >> 8},${port & 0xff}`
}

/**
 * Finds the endpoint in the last line of a 227 reply.
 *
 * `'227 Entering Passive Mode (10,0,0,5,19,137).'` gives the endpoint and the span of the six numbers. The text
 * has no fixed wording and parentheses are optional, so the scan is for the first six numbers between commas; `1, 2` before
 * them are words. Blanks and tabs around the numbers are read over, as curl and lftp do.
 * @see RFC 1123 §4.1.2.6
 */
export function parse227(line: string): LocatedEndpoint | null {
  let at = 3
  while (at < line.length) {
    if (!isDigit(line.charCodeAt(at))) {
      at += 1
      continue
    }
    const { count, end } = numbersAt(line, at)
    if (count > 1 && isPartOfWord(line, at - 1)) return null
    if (count >= 6) return hostPortAt(line, at)
    at = end
  }
  return null
}

/**
 * Puts another endpoint into a 227 line, keeping its words. A reply without parentheses gets them: kernel
 * helpers further down look for the opening one.
 */
export function rewrite227(line: string, { start, end }: Span, endpoint: Endpoint): string {
  const before = line.slice(0, start)
  const after = line.slice(end)
  const open = /\([ \t]*$/.test(before) ? '' : '('
  const close = /^[ \t]*\)/.test(after) ? '' : ')'
  return `${before}${open}${formatHostPort(endpoint)}${close}${after}`
}

/** A whole 227 line of our own, without line end. */
export function format227(endpoint: Endpoint): string {
  return `227 Entering Passive Mode (${formatHostPort(endpoint)}).`
}

export type EprtResult =
  | { readonly ok: true; readonly endpoint: Endpoint; readonly delimiter: string }
  /** `family`: well formed, but a network protocol other than 1 (IPv4) and 2 (IPv6). */
  | { readonly ok: false; readonly reason: 'syntax' | 'family' }

/**
 * Reads the argument of EPRT with any delimiter from 33 to 126 that is not a digit, the same throughout.
 *
 * `'|1|10.0.0.5|5001|'` gives `10.0.0.5` port 5001. The family number must match the address.
 * @see RFC 2428 §2
 */
export function parseEprt(text: string): EprtResult {
  const delimiter = text[0] ?? ''
  if (!isDelimiter(delimiter.charCodeAt(0))) return { ok: false, reason: 'syntax' }
  const fields = text.split(delimiter)
  const [before, family, host, digits, after] = fields
  if (fields.length !== 5 || before !== '' || after !== '' || !host || !digits || !family) {
    return { ok: false, reason: 'syntax' }
  }
  const port = parsePort(digits)
  if (port === null || !/^\d{1,3}$/.test(family)) return { ok: false, reason: 'syntax' }
  if (family !== '1' && family !== '2') return { ok: false, reason: 'family' }
  const address = parseAddress(host)
  const wroteV6 = host.includes(':')
  if (address === null || wroteV6 !== (family === '2')) return { ok: false, reason: 'syntax' }
  return { ok: true, endpoint: { address, port }, delimiter }
}

/**
 * `{ address: '10.0.0.5', port: 5001 }` gives `'|1|10.0.0.5|5001|'`, or the same with another delimiter. One that
 * stands in the address itself is `|` again: `:` cannot carry IPv6.
 */
export function formatEprt({ address, port }: Endpoint, delimiter = '|'): string {
  const family = familyOf(address) === 6 ? '2' : '1'
  const bar = address.includes(delimiter) ? '|' : delimiter
  return `${bar}${family}${bar}${address}${bar}${port}${bar}`
}

/**
 * Finds the port in the last line of a 229 reply: `(<d><d><d>port<d>)` with one delimiter throughout.
 *
 * `'229 Entering Extended Passive Mode (|||6446|)'` gives 6446 and the span of its digits. IBM i answers with
 * `!` for `|`; some servers fill in a family and an address, which mean nothing here.
 * @see RFC 2428 §3
 */
export function parse229(line: string): (LocatedPort & { readonly isStrict: boolean }) | null {
  for (let open = line.indexOf('(', 3); open >= 0; open = line.indexOf('(', open + 1)) {
    const delimiter = line.charAt(open + 1)
    if (!isDelimiter(delimiter.charCodeAt(0))) continue
    const second = line.indexOf(delimiter, open + 2)
    const third = second < 0 ? -1 : line.indexOf(delimiter, second + 1)
    if (third < 0) continue
    const start = third + 1
    let end = start
    while (isDigit(line.charCodeAt(end))) end += 1
    if (line[end] !== delimiter || line[end + 1] !== ')') continue
    const port = parsePort(line.slice(start, end))
    return port === null ? null : { port, start, end, isStrict: third === open + 3 }
  }
  return null
}

/** Puts another port into a 229 line, keeping its words and its delimiter. */
export function rewrite229(line: string, { start, end }: Span, port: number): string {
  return line.slice(0, start) + String(port) + line.slice(end)
}

/** A whole 229 line of our own, without line end. */
export function format229(port: number): string {
  return `229 Entering Extended Passive Mode (|||${port}|)`
}

const COMMA = 44
const SPACE = 32
const TAB = 9

function skipBlanks(text: string, from: number): number {
  let at = from
  while (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB) at += 1
  return at
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function isDelimiter(code: number): boolean {
  return code >= 33 && code <= 126 && !isDigit(code)
}

/** A letter, digit or sign next to a number makes it something else: `-10`, `0x1f`. */
function isPartOfWord(text: string, at: number): boolean {
  return /[\w+-]/.test(text.charAt(at))
}

/** Reads one to five digits, 1 to 65535, or gives null. `'021'` is 21. */
export function parsePort(digits: string): number | null {
  if (!/^\d{1,5}$/.test(digits)) return null
  const port = Number(digits)
  return port >= 1 && port <= 65535 ? port : null
}

/** How many numbers with commas between them begin at `start`, and where the last of them ends. */
function numbersAt(text: string, start: number): { readonly count: number; readonly end: number } {
  for (let count = 1, at = start; ; count += 1) {
    while (isDigit(text.charCodeAt(at))) at += 1
    const comma = skipBlanks(text, at)
    const next = text.charCodeAt(comma) === COMMA ? skipBlanks(text, comma + 1) : at
    if (!isDigit(text.charCodeAt(next))) return { count, end: at }
    at = next
  }
}

/** Six comma-separated bytes at `start`, blanks between them; a seventh number or a further digit refuses the whole. */
function hostPortAt(text: string, start: number): LocatedEndpoint | null {
  const bytes: number[] = []
  let at = start
  while (true) {
    let value = 0
    const first = at
    while (isDigit(text.charCodeAt(at)) && at - first < 4) {
      value = value * 10 + text.charCodeAt(at) - 48
      at += 1
    }
    if (at === first || at - first > 3 || value > 255) return null
    bytes.push(value)
    if (bytes.length === 6) break
    at = skipBlanks(text, at)
    if (text.charCodeAt(at) !== COMMA) return null
    at = skipBlanks(text, at + 1)
  }
  if (text.charCodeAt(skipBlanks(text, at)) === COMMA || isPartOfWord(text, at)) return null
  const [a, b, c, d, high = 0, low = 0] = bytes
  const port = (high << 8) | low
  if (port === 0) return null
  return { endpoint: { address: `${a}.${b}.${c}.${d}`, port }, start, end: at }
}
