// The server's half of the control channel as a stream of lines. A line is given out when it is whole; a reader that
// may not wait takes what stands there as a fragment.

import { LineBuffer, withoutEnd } from './line-buffer.ts'
import { TelnetReader } from './telnet.ts'

/** Where a line stands: a reply of its own, in a reply of several lines, or outside of any. */
export type Place = 'only' | 'first' | 'inner' | 'last' | 'outside'

export interface ReplyLine {
  readonly type: 'line'
  readonly place: Place
  /** The reply's, 100 to 699; 0 outside of any. */
  readonly code: number
  /** The line without its end, as it came. */
  readonly text: string
  /** What of the line was not given out as a fragment before, with its end as it came: LF or CRLF. */
  readonly rest: string
}

export type ReplyPart =
  | ReplyLine
  /** The next bytes of a line longer than 64 KiB, which begins with `text`. */
  | { readonly type: 'fragment'; readonly place: 'part'; readonly text: string; readonly rest: string }

/** The longest line of a server that is held to be read whole. */
export const MAX_REPLY_LINE_BYTES = 64 * 1024

/**
 * Cuts what a server says into lines and tells where each stands: `ddd text`, or `ddd-` up to the line that begins
 * `ddd ` with the same code, whatever stands between.
 *
 * A line inside another reply is text, even if it reads `227 …`. Memory is bounded by 64 KiB plus one push.
 * @see RFC 959 §4.2
 */
export class ReplyLines {
  readonly #buffer = new LineBuffer()
  readonly #telnet = new TelnetReader()
  /** Bytes of the current line that were given out already. */
  #given = 0
  /** The beginning of a line that is too long to be kept. */
  #head: string | null = null
  /** Code of the multi-line reply that is under way, or 0. */
  #open = 0

  push(text: string): void {
    this.#buffer.push(text)
  }

  /** The next whole line, or null when more bytes are needed. */
  next(): ReplyPart | null {
    if (this.#mayBeTelnet() && !this.#telnet.skip(this.#buffer)) return null
    const whole = this.#buffer.take()
    if (whole === null) return this.pendingBytes > MAX_REPLY_LINE_BYTES ? this.#cutOff() : null
    const line = this.#head ?? withoutEnd(whole)
    const rest = whole.slice(this.#given)
    this.#head = null
    this.#given = 0
    return this.#place(line, rest)
  }

  /** A multi-line reply is under way. */
  get isInReply(): boolean {
    return this.#open !== 0
  }

  /** A reply has begun and is not complete, or half a line stands there. */
  get isPartial(): boolean {
    return this.#open !== 0 || this.pendingBytes > 0 || this.#head !== null
  }

  /** Bytes that `next` has not given out. */
  get pendingBytes(): number {
    return this.#buffer.pendingBytes
  }

  /** What has arrived of the current line and was not given out; it may hold whole lines not taken yet. */
  get pending(): string {
    return this.#buffer.pending.slice(this.#given)
  }

  /** The current line from its beginning, as far as it came and is kept. */
  get begun(): string {
    return this.#head ?? this.#buffer.pending
  }

  /** Half a line stands there that was not given out, and that is no Telnet command. */
  get hasFragment(): boolean {
    return this.pendingBytes > this.#given && !this.#mayBeTelnet()
  }

  /** What Telnet wants answered to the server since the last call, or an empty string. */
  takeAnswer(): string {
    return this.#telnet.takeAnswer()
  }

  /** Gives out what stands there of a line, without waiting for its end. Only where `next` gave null. */
  takeFragment(): string {
    const fragment = this.pending
    this.#given = this.pendingBytes
    return fragment
  }

  /** Outside of a reply a line may begin with Telnet commands. */
  #mayBeTelnet(): boolean {
    if (this.#open !== 0 || this.#given > 0 || this.#head !== null) return false
    return this.#telnet.mayBegin(this.#buffer.firstCode)
  }

  /** Of a line without end only the beginning is kept: it says which reply the line belongs to. */
  #cutOff(): ReplyPart {
    const rest = this.takeFragment()
    this.#head ??= this.#buffer.pending.slice(0, HEAD_BYTES)
    this.#buffer.clear()
    this.#given = 0
    return { type: 'fragment', place: 'part', text: this.#head, rest }
  }

  #place(text: string, rest: string): ReplyLine {
    const code = codeOf(text)
    const isLast = text.charCodeAt(3) !== HYPHEN
    if (this.#open !== 0) {
      const open = this.#open
      if (code !== open || !isLast) return { type: 'line', place: 'inner', code: open, text, rest }
      this.#open = 0
      return { type: 'line', place: 'last', code, text, rest }
    }
    if (code === 0) return { type: 'line', place: 'outside', code, text, rest }
    if (isLast) return { type: 'line', place: 'only', code, text, rest }
    this.#open = code
    return { type: 'line', place: 'first', code, text, rest }
  }
}

const HEAD_BYTES = 64
const HYPHEN = 45
const SPACE = 32

/** 100 to 699, or 0 when the line does not begin with a reply code. */
function codeOf(line: string): number {
  const a = line.charCodeAt(0) - 48
  const b = line.charCodeAt(1) - 48
  const c = line.charCodeAt(2) - 48
  if (!(a >= 1 && a <= 6 && b >= 0 && b <= 9 && c >= 0 && c <= 9)) return 0
  const next = line.charCodeAt(3)
  if (line.length > 3 && next !== SPACE && next !== HYPHEN) return 0
  return a * 100 + b * 10 + c
}
