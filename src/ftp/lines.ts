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
  #skipping = false

  constructor({ maxLineBytes }: { readonly maxLineBytes: number }) {
    this.#maxLineBytes = maxLineBytes
  }

  push(text: string): void {
    if (this.#start === this.#text.length) {
      this.#text = text
      this.#start = 0
      this.#searched = 0
      return
    }
    this.#text = this.#text.slice(this.#start) + text
    this.#searched -= this.#start
    this.#start = 0
  }

  /** The next line without its line end, or null when no whole line is there. */
  next(): Line | null {
    while (this.#start < this.#text.length) {
      const newline = this.#text.indexOf('\n', this.#searched)
      if (newline < 0) {
        this.#searched = this.#text.length
        return this.#overflow()
      }
      const start = this.#start
      this.#start = this.#searched = newline + 1
      if (this.#skipping) {
        this.#skipping = false
        continue
      }
      const end = newline > start && this.#text.charCodeAt(newline - 1) === 13 ? newline - 1 : newline
      if (end - start > this.#maxLineBytes) return { type: 'tooLong' }
      return { type: 'line', text: this.#text.slice(start, end) }
    }
    return null
  }

  /** What has arrived of the line that is not complete yet. */
  get pending(): string {
    return this.#skipping ? '' : this.#text.slice(this.#start)
  }

  /** Bytes held that `next` has not given out. */
  get pendingBytes(): number {
    return this.#text.length - this.#start
  }

  /** Forgets what is held. */
  clear(): void {
    this.#text = ''
    this.#start = this.#searched = 0
    this.#skipping = false
  }

  #overflow(): Line | null {
    if (this.#skipping) {
      this.#text = ''
      this.#start = this.#searched = 0
      return null
    }
    // One more byte is allowed for the CR of a line end that is still under way.
    if (this.#text.length - this.#start <= this.#maxLineBytes + 1) return null
    this.clear()
    this.#skipping = true
    return { type: 'tooLong' }
  }
}
