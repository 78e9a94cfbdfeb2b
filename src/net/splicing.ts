import type { Socket } from 'node:net'
import { describeErrno, EACCES, EAGAIN, EPERM } from '../kernel/libc.ts'
import { fdOf } from '../kernel/socket-options.ts'
import type { Pipe } from '../kernel/splice.ts'
import { type ReadableWatch, watchReadable } from './reading.ts'

export interface SplicingOptions {
  /** Prepared with `readInto`, not reading; everything read so far has been written to `to`. */
  readonly from: Socket
  readonly to: Socket
  readonly pipe: Pipe
  /** So many bytes were taken from `from`. */
  readonly moved: (byteCount: number) => void
  /** The pipe is empty, and what comes next is the ordinary reader's: the end, or what splice(2) cannot read. */
  readonly handedBack: () => void
}

/** Moves in one wake-up, up to the pipe's size each: other sessions want their turn. */
const MOVES_A_TURN = 4
/** Less than this, and the socket is empty now: waiting costs less than asking once more. */
const WORTH_ANOTHER_MOVE_BYTES = 64 * 1024
/** What is written through Node when `to` takes no more, only to hear when it does. */
const PROBE_BYTES = 4096

/**
 * Lets the kernel move one direction of a relay. False where the socket cannot be watched without reading it.
 *
 * Node still does the waiting: for bytes with its own reader, which gets no room to read into, and for room with the
 * write of a few bytes taken out of the pipe, whose callback comes when the socket took them. So there is no second
 * event loop, and FIN and errors come in the order of the bytes.
 */
export function startSplicing(options: SplicingOptions): boolean {
  return new Splicing(options).start()
}

class Splicing {
  readonly #options: SplicingOptions
  #watch: ReadableWatch | null = null

  constructor(options: SplicingOptions) {
    this.#options = options
  }

  start(): boolean {
    this.#watch = watchReadable(this.#options.from, () => this.#readable())
    return this.#watch !== null
  }

  #readable(): void {
    const { from, to, pipe, moved } = this.#options
    for (let turn = 0; turn < MOVES_A_TURN; turn++) {
      const [source, sink] = [fdOf(from), fdOf(to)]
      if (source === null || sink === null) {
        this.#watch?.pause()
        return
      }
      const byteCount = pipe.fill(source)
      if (byteCount <= 0) {
        // Readable, and yet nothing there: splice(2) stops before urgent data, for one. Never spin on it.
        if (byteCount !== -EAGAIN || turn === 0) this.#stop(byteCount)
        return
      }
      moved(byteCount)
      if (!this.#drain(sink)) return
      if (byteCount < WORTH_ANOTHER_MOVE_BYTES) return
    }
  }

  /** False when `to` takes no more for now, or for ever. */
  #drain(sink: number): boolean {
    const { to, pipe } = this.#options
    while (pipe.heldBytes > 0) {
      const byteCount = pipe.drain(sink)
      if (byteCount > 0) continue
      this.#watch?.pause()
      if (byteCount === -EAGAIN) to.write(pipe.take(PROBE_BYTES), this.#hasRoom)
      else to.destroy(new Error(`splice failed: ${describeErrno(-byteCount)}`))
      return false
    }
    return true
  }

  readonly #hasRoom = (): void => {
    const { from, to } = this.#options
    const sink = fdOf(to)
    if (sink === null || from.destroyed) return
    if (this.#drain(sink)) this.#watch?.resume()
  }

  /** Nothing came into the pipe: `result` is 0 at the end, or an errno below it. */
  #stop(result: number): void {
    const { from, handedBack } = this.#options
    this.#watch?.end()
    // The kernel tells an error of the connection once; a reader would see a proper end.
    if (result < 0 && !notOfTheConnection.has(-result)) {
      from.destroy(new Error(`splice failed: ${describeErrno(-result)}`))
    } else handedBack()
  }
}

/** EAGAIN, and EPERM, EACCES, ENOMEM, EINVAL, ENOSYS: splice(2) is not to be had, reading may be. */
const notOfTheConnection: ReadonlySet<number> = new Set([EAGAIN, EPERM, EACCES, 12, 22, 38])
