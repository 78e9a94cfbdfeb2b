import { EACCES, EAGAIN, EPERM, errnoError } from '../../kernel/libc.ts'
import type { Connection, Found } from '../connection.ts'
import type { Pipe } from './pipe.ts'

export interface SplicingOptions {
  /** Both can be accessed directly; everything read so far has been written. */
  readonly from: Connection
  readonly to: Connection
  readonly pipe: Pipe
  /** Bytes taken from `from`. */
  readonly moved: (byteCount: number) => void
  /** The pipe is empty, and what comes next is the ordinary reader's: the end, or what splice(2) cannot read. */
  readonly handedBack: () => void
}

/** Lets the kernel move one direction of a relay. FIN and errors come in the order of the bytes. */
export function startSplicing(options: SplicingOptions): void {
  new Splicing(options).start()
}

class Splicing {
  readonly #options: SplicingOptions

  constructor(options: SplicingOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.from.direct?.readBy(this.#readable)
  }

  /** One move. */
  readonly #readable = (): Found => {
    const { from, pipe, moved } = this.#options
    const { fd, direct } = from
    if (fd === null || direct === null) return 'nothing'
    let byteCount = pipe.fill(fd)
    if (byteCount === -EAGAIN) {
      if (!direct.hasUnread()) return 'nothing'
      // Something has just come; or it is urgent, where splice(2) stops for ever.
      byteCount = pipe.fill(fd)
    }
    if (byteCount <= 0) {
      this.#stop(byteCount)
      return 'something'
    }
    moved(byteCount)
    this.#drain()
    return byteCount < LITTLE_BYTES ? 'little' : 'something'
  }

  /** Empties the pipe; reading waits as long as that takes. */
  #drain(): void {
    const { from, to, pipe } = this.#options
    while (pipe.heldBytes > 0) {
      const { fd, direct } = to
      if (fd === null || direct === null) return
      const byteCount = pipe.drain(fd)
      if (byteCount > 0) continue
      if (byteCount !== -EAGAIN) {
        to.destroy(errnoError(-byteCount, 'splice'))
        return
      }
      from.pause()
      direct.whenWritable(this.#hasRoom)
      return
    }
  }

  readonly #hasRoom = (): void => {
    const { from, pipe } = this.#options
    this.#drain()
    if (pipe.heldBytes === 0) from.resume()
  }

  /** Nothing came into the pipe: `result` is 0 at the end, or an errno below it. */
  #stop(result: number): void {
    const { from, handedBack } = this.#options
    from.direct?.readBy(null)
    // The kernel tells an error of the connection once; a reader would see a proper end.
    if (result < 0 && !notOfTheConnection.has(-result)) from.destroy(errnoError(-result, 'splice'))
    else handedBack()
  }
}

/** A move costs the same whatever it moves; what comes while the event loop turns goes with the next one. */
const LITTLE_BYTES = 256 * 1024

/** EAGAIN, and EPERM, EACCES, ENOMEM, EINVAL, ENOSYS: splice(2) is unavailable, reading may not be. */
const notOfTheConnection: ReadonlySet<number> = new Set([EAGAIN, EPERM, EACCES, 12, 22, 38])
