import { LineSplitter } from './lines.ts'

/** A complete reply of the server. */
export interface Reply {
  readonly type: 'reply'
  /** 100 to 699. */
  readonly code: number
  /** The closing line, without line end: the only one that is ever read for an endpoint. */
  readonly line: string
  /** The whole reply as it goes to the client, every line ending in CRLF. */
  readonly text: string
}

export type ReplyResult =
  | Reply
  /** A line outside any reply that is none: text without meaning. */
  | { readonly type: 'stray'; readonly line: string }
  /** Past 64 KiB or 1000 lines. */
  | { readonly type: 'tooLong' }

const MAX_REPLY_BYTES = 64 * 1024
const MAX_REPLY_LINES = 1000

/**
 * Groups the lines of a server into replies: `ddd text`, or `ddd-` up to the line that begins `ddd ` with the same
 * code, whatever stands between.
 *
 * A line inside another reply is text, even if it reads `227 …`.
 * @see RFC 959 §4.2
 */
export class ReplyGrouper {
  readonly #lines = new LineSplitter({ maxLineBytes: MAX_REPLY_BYTES })
  /** The multi-line reply that is under way, if one is. */
  #open: OpenReply | null = null

  push(text: string): void {
    this.#lines.push(text)
  }

  /** The next complete reply, or null when more bytes are needed. */
  next(): ReplyResult | null {
    for (;;) {
      const line = this.#lines.next()
      if (line === null || line.type === 'tooLong') return line
      const result = this.#open === null ? this.#begin(line.text) : this.#goOn(this.#open, line.text)
      if (result !== null) return result
    }
  }

  /** A reply has begun and is not complete, or half a line stands there. */
  get isPartial(): boolean {
    return this.#open !== null || this.#lines.pendingBytes > 0
  }

  /** Bytes that `next` has not looked at. */
  get pendingBytes(): number {
    return this.#lines.pendingBytes
  }

  /** What has arrived of the current line. */
  get pending(): string {
    return this.#lines.pending
  }

  #begin(line: string): ReplyResult | null {
    const code = codeOf(line)
    if (code === 0) {
      // Some servers leave blank lines between replies.
      return line === '' ? null : { type: 'stray', line }
    }
    if (line.charCodeAt(3) !== HYPHEN) return { type: 'reply', code, line, text: `${line}\r\n` }
    this.#open = { code, text: `${line}\r\n`, lineCount: 1 }
    return null
  }

  #goOn(open: OpenReply, line: string): ReplyResult | null {
    open.text += `${line}\r\n`
    open.lineCount += 1
    if (open.lineCount > MAX_REPLY_LINES || open.text.length > MAX_REPLY_BYTES) {
      this.#open = null
      return { type: 'tooLong' }
    }
    if (codeOf(line) !== open.code || line.charCodeAt(3) === HYPHEN) return null
    this.#open = null
    return { type: 'reply', code: open.code, line, text: open.text }
  }
}

interface OpenReply {
  readonly code: number
  text: string
  lineCount: number
}

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
