/**
 * What a peer has sent and has not been read yet, as latin1 text, cut at LF.
 *
 * `push('USER a\r\nPA')` then `take()` gives `'USER a\r\n'`, then null; what follows completes `PA`. TCP segments mean
 * nothing. It holds what was pushed and not taken: bounds are the reader's.
 */
export class LineBuffer {
  #text = ''
  #start = 0
  /** Where the search for LF goes on, so that slow writers cost no rescans. */
  #searched = 0

  push(text: string): void {
    if (this.#text === '') {
      this.#text = text
      return
    }
    this.#text = this.#text.slice(this.#start) + text
    this.#searched -= this.#start
    this.#start = 0
  }

  /** The next line with its end, or null when no whole line is there. */
  take(): string | null {
    const newline = this.#text.indexOf('\n', this.#searched)
    if (newline < 0) {
      this.#searched = this.#text.length
      return null
    }
    const line = this.#text.slice(this.#start, newline + 1)
    this.skip(line.length)
    return line
  }

  /** Everything that was not taken. */
  get pending(): string {
    return this.#text.slice(this.#start)
  }

  get pendingBytes(): number {
    return this.#text.length - this.#start
  }

  /** Code of the first byte; NaN where none has arrived. */
  get firstCode(): number {
    return this.#text.charCodeAt(this.#start)
  }

  /** Leaves out the first bytes. */
  skip(byteCount: number): void {
    this.#start += byteCount
    this.#searched = Math.max(this.#searched, this.#start)
    // An idle session keeps nothing of what it has read.
    if (this.#start === this.#text.length) this.clear()
  }

  /** Takes the first match out of what was not taken, wherever it stands; null where there is none. */
  cut(pattern: RegExp): string | null {
    const text = this.pending
    const match = pattern.exec(text)
    if (match === null) return null
    const [found] = match
    this.clear()
    this.push(text.slice(0, match.index) + text.slice(match.index + found.length))
    return found
  }

  clear(): void {
    this.#text = ''
    this.#start = this.#searched = 0
  }
}

/** A line that `LineBuffer` gave, without its LF or CRLF. */
export function withoutEnd(line: string): string {
  const end = line.length - 1
  return line.slice(0, end > 0 && line.charCodeAt(end - 1) === CR ? end - 1 : end)
}

const CR = 13
