// Bytes from one socket to another without passing through this process: splice(2) into a pipe and out of it. The kernel
// hands over the pages it received; nothing is copied where the network card or the peer left them in pages.

import { type Libc, O_CLOEXEC, O_NONBLOCK } from '../../kernel/libc.ts'

/** The calls of libc that a pipe needs. */
export type PipeCalls = Pick<Libc, 'splice' | 'pipe2' | 'fcntl' | 'read' | 'close' | 'errno'>

/** Bytes on their way between two sockets, held by the kernel. Both are non-blocking, and so is everything here. */
export class Pipe {
  readonly #calls: PipeCalls
  readonly #readEnd: number
  readonly #writeEnd: number
  readonly #sizeBytes: number
  #heldBytes = 0
  #isOpen = true

  /**
   * Null when the kernel refuses: no descriptor left, or no large pipe because this user has too much memory in pipes
   * (`fs.pipe-user-pages-soft`, 64 MiB). A small one would cost more than it saves.
   */
  static open(calls: PipeCalls): Pipe | null {
    const pair = new Int32Array(2)
    if (calls.pipe2(pair, O_NONBLOCK | O_CLOEXEC) !== 0) return null
    const [readEnd = -1, writeEnd = -1] = pair
    const pipe = new Pipe(calls, readEnd, writeEnd, calls.fcntl(writeEnd, F_SETPIPE_SZ, PIPE_BYTES))
    if (pipe.#sizeBytes >= PIPE_BYTES) return pipe
    pipe.close()
    return null
  }

  private constructor(calls: PipeCalls, readEnd: number, writeEnd: number, sizeBytes: number) {
    this.#calls = calls
    this.#readEnd = readEnd
    this.#writeEnd = writeEnd
    this.#sizeBytes = sizeBytes
  }

  /** What went in and has not come out. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** From a socket into the empty pipe: the bytes moved, 0 at the end of the stream, `-EAGAIN` or another `-errno`. */
  fill(socketFd: number): number {
    const moved = this.#calls.splice(socketFd, null, this.#writeEnd, null, this.#sizeBytes, FLAGS)
    if (moved < 0) return -this.#calls.errno()
    this.#heldBytes += moved
    return moved
  }

  /** Out of the pipe into a socket: the bytes moved, `-EAGAIN` when it takes no more, or another `-errno`. */
  drain(socketFd: number): number {
    const moved = this.#calls.splice(this.#readEnd, null, socketFd, null, this.#heldBytes, FLAGS)
    if (moved < 0) return -this.#calls.errno()
    this.#heldBytes -= moved
    return moved
  }

  /** The next bytes out of the pipe into memory, at most `length` of them. */
  take(length: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(Math.min(length, this.#heldBytes))
    const taken = Math.max(0, this.#calls.read(this.#readEnd, bytes, bytes.length))
    this.#heldBytes -= taken
    return bytes.subarray(0, taken)
  }

  /** What it still holds is lost. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#heldBytes = 0
    this.#calls.close(this.#readEnd)
    this.#calls.close(this.#writeEnd)
  }
}

/** The most that an unprivileged user may ask for (`fs.pipe-max-size`); fewer and larger moves cost less. */
const PIPE_BYTES = 1024 * 1024

const F_SETPIPE_SZ = 1031
const SPLICE_F_MOVE = 1
const SPLICE_F_NONBLOCK = 2
const FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK
