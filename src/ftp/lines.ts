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
  #text = ''
  #start = 0
  /** Where the search for LF goes on, so that slow writers cost no rescans. */
  #searched = 0
  #isSkipping = false

  constructor({ maxLineBytes }: { readonly maxLineBytes: number }) {
    this.#maxLineBytes = maxLineBytes
  }

  push(text: string): void {
    if (this.#text === '') {
      this.#text = text
      return
    }
    this.#text = this.#text.slice(this.#start) + text
    this.#searched -= this.#start
    this.#start = 0
  }

  /**
   * The next line without its line end, or null when no whole line is there. A line past the limit is reported
   * once, when the limit is passed or its end is seen; its bytes are dropped up to the next LF.
   */
  next(): Line | null {
    for (;;) {
      const newline = this.#text.indexOf('\n', this.#searched)
      if (newline < 0) return this.#unfinished()
      const text = this.#text
      const start = this.#start
      this.#start = this.#searched = newline + 1
      // An idle session keeps nothing of what it has read.
      if (newline + 1 === text.length) this.#forget()
      if (this.#isSkipping) {
        this.#isSkipping = false
        continue
      }
      const end = newline > start && text.charCodeAt(newline - 1) === CR ? newline - 1 : newline
      if (end - start > this.#maxLineBytes) return tooLong
      return { type: 'line', text: text.slice(start, end) }
    }
  }

  /** What has arrived and was not given out. */
  get pending(): string {
    return this.#isSkipping ? '' : this.#text.slice(this.#start)
  }

  /** Bytes held that `next` has not given out. */
  get pendingBytes(): number {
    return this.#text.length - this.#start
  }

  /** Code of the first byte of the current line; NaN where none has arrived or the line is being dropped. */
  get firstCode(): number {
    return this.#isSkipping ? Number.NaN : this.#text.charCodeAt(this.#start)
  }

  /** Leaves out the first bytes of the current line. */
  skip(byteCount: number): void {
    this.#start += byteCount
    this.#searched = Math.max(this.#searched, this.#start)
    if (this.#start === this.#text.length) this.#forget()
  }

  /** As if nothing had ever arrived. */
  clear(): void {
    this.#forget()
    this.#isSkipping = false
  }

  #unfinished(): Line | null {
    if (this.#isSkipping) {
      this.#forget()
      return null
    }
    this.#searched = this.#text.length
    // One more byte is allowed for the CR of a line end that is still under way.
    if (this.pendingBytes <= this.#maxLineBytes + 1) return null
    this.#forget()
    this.#isSkipping = true
    return tooLong
  }

  #forget(): void {
    this.#text = ''
    this.#start = this.#searched = 0
  }
}

const CR = 13
const tooLong: Line = { type: 'tooLong' }
