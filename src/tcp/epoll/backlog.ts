/** What the kernel did not take at once, copied; never empty for long. */
export class Backlog {
  #pieces: Buffer[] = []
  #byteCount = 0

  get byteCount(): number {
    return this.#byteCount
  }

  add(bytes: Uint8Array): void {
    this.#pieces.push(Buffer.from(bytes))
    this.#byteCount += bytes.length
  }

  /** All of it in one piece. */
  whole(): Buffer {
    const [first] = this.#pieces
    if (first !== undefined && this.#pieces.length === 1) return first
    const whole = Buffer.concat(this.#pieces)
    this.#pieces = [whole]
    return whole
  }

  /** The kernel has taken the first `byteCount` bytes of the whole. */
  taken(byteCount: number): void {
    this.#pieces = [this.whole().subarray(byteCount)]
    this.#byteCount -= byteCount
  }
}
