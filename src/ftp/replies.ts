import { LineSplitter } from './lines.ts'

/** A complete reply of the server. */
export interface Reply {
  /** 100 to 699. */
  readonly code: number
  /** The closing line, without line end: the only one that is ever read for an endpoint. */
  readonly line: string
  /** The whole reply as it goes to the client, every line ending in CRLF. */
  readonly text: string
}

export type ReplyResult =
  | { readonly type: 'reply'; readonly reply: Reply }
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
  /** The code of the multi-line reply that is under way, as text, or an empty string. */
  #code = ''
  #parts: string[] = []
  #bytes = 0

  push(text: string): void {
    this.#lines.push(text)
  }

  /** The next complete reply, or null when more bytes are needed. */
  next(): ReplyResult | null {
    for (;;) {
      const item = this.#lines.next()
      if (item === null) return null
      if (item.type === 'tooLong') return { type: 'tooLong' }
      const line = item.text
      if (this.#code === '') {
        const code = codeOf(line)
        if (code === 0) {
          // Some servers leave blank lines between replies.
          if (line === '') continue
          return { type: 'stray', line }
        }
        if (line.charCodeAt(3) !== HYPHEN) {
          return { type: 'reply', reply: { code, line, text: `${line}\r\n` } }
        }
        this.#code = line.slice(0, 3)
      }
      this.#parts.push(line)
      this.#bytes += line.length + 2
      if (this.#parts.length > 1 && this.#closes(line)) {
        const text = `${this.#parts.join('\r\n')}\r\n`
        const code = Number(this.#code)
        this.#reset()
        return { type: 'reply', reply: { code, line, text } }
      }
      if (this.#parts.length >= MAX_REPLY_LINES || this.#bytes > MAX_REPLY_BYTES) {
        this.#reset()
        return { type: 'tooLong' }
      }
    }
  }

  /** A reply has begun and is not complete, or half a line stands there. */
  get isPartial(): boolean {
    return this.#code !== '' || this.#lines.pendingBytes > 0
  }

  /** Text after the last complete line. */
  get pendingBytes(): number {
    return this.#lines.pendingBytes
  }

  #closes(line: string): boolean {
    return line.startsWith(this.#code) && (line.length === 3 || line.charCodeAt(3) === SPACE)
  }

  #reset(): void {
    this.#code = ''
    this.#parts = []
    this.#bytes = 0
  }
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
