import { LineBuffer, withoutEnd } from './line-buffer.ts'

/** What `LineSplitter.next` gives. */
export type Line =
  | { readonly type: 'line'; readonly text: string }
  /** A line went past the limit; its bytes were dropped up to here and the rest will be. */
  | { readonly type: 'tooLong' }

/**
 * Cuts a byte stream (as latin1 text) into lines that end in LF or CRLF.
 *
 * `push('USER a\r\nPA')` then `next()` gives `USER a`, then null; what follows completes `PA`. TCP segments mean
 * nothing. Memory is bounded by `maxLineBytes` plus one push.
 */
export class LineSplitter {
  readonly #maxLineBytes: number
  readonly #buffer = new LineBuffer()
  #isSkipping = false

  constructor({ maxLineBytes }: { readonly maxLineBytes: number }) {
    this.#maxLineBytes = maxLineBytes
  }

  push(text: string): void {
    this.#buffer.push(text)
  }

  /**
   * The next line without its line end, or null when no whole line is there. A line past the limit is reported
   * once, when the limit is passed or its end is seen; its bytes are dropped up to the next LF.
   */
  next(): Line | null {
    for (;;) {
      const line = this.#buffer.take()
      if (line === null) return this.#unfinished()
      if (this.#isSkipping) {
        this.#isSkipping = false
        continue
      }
      const text = withoutEnd(line)
      return text.length > this.#maxLineBytes ? tooLong : { type: 'line', text }
    }
  }

  /** What has arrived and was not given out. */
  get pending(): string {
    return this.#isSkipping ? '' : this.#buffer.pending
  }

  /** Bytes held that `next` has not given out. */
  get pendingBytes(): number {
    return this.#buffer.pendingBytes
  }

  /** Code of the first byte of the current line; NaN where none has arrived or the line is being dropped. */
  get firstCode(): number {
    return this.#isSkipping ? Number.NaN : this.#buffer.firstCode
  }

  /** Leaves out the first bytes of the current line. */
  skip(byteCount: number): void {
    this.#buffer.skip(byteCount)
  }

  /** Takes the first match of a pattern out of what was not given out; null where there is none. */
  cut(pattern: RegExp): string | null {
    return this.#isSkipping ? null : this.#buffer.cut(pattern)
  }

  /** As if nothing had ever arrived. */
  clear(): void {
    this.#buffer.clear()
    this.#isSkipping = false
  }

  #unfinished(): Line | null {
    if (this.#isSkipping) {
      this.#buffer.clear()
      return null
    }
    // One more byte is allowed for the CR of a line end that is still under way.
    if (this.pendingBytes <= this.#maxLineBytes + 1) return null
    this.#buffer.clear()
    this.#isSkipping = true
    return tooLong
  }
}

const tooLong: Line = { type: 'tooLong' }
