// Bytes from one socket to another without passing through this process: splice(2) into a pipe and out of it. The kernel
// hands over the pages it received; nothing is copied where the network card or the peer left them in pages.

import { type Ffi, loadFfi } from './ffi.ts'
import { O_CLOEXEC } from './libc.ts'

/** Calls as in section 2 of the Linux manual: -1 means failed, and `errno` says why. */
export interface SpliceCalls {
  readonly splice: (
    from: number,
    fromOffset: null,
    to: number,
    toOffset: null,
    length: number,
    flags: number,
  ) => number
  readonly pipe2: (pair: Int32Array, flags: number) => number
  readonly fcntl: (fd: number, command: number, value: number) => number
  readonly read: (fd: number, bytes: Uint8Array, length: number) => number
  readonly close: (fd: number) => number
  /** `errno` of the last failed call. */
  readonly errno: () => number
}

/** Where the calls come from; replaced only by tests. */
export interface SpliceSource {
  readonly platform: string
  readonly arch: string
  readonly loadFfi: () => Promise<Ffi>
}

/** The calls, or null where there are none: another system or processor than Linux on x64 or arm64, or no koffi. */
export async function loadSplice(source: SpliceSource = installed): Promise<SpliceCalls | null> {
  if (source.platform !== 'linux' || !['x64', 'arm64'].includes(source.arch)) return null
  try {
    return bindCalls(await source.loadFfi())
  } catch {
    // Without it bytes are copied as on any other system.
    return null
  }
}

/** Bytes on their way between two sockets, held by the kernel. Both are non-blocking, and so is everything here. */
export class Pipe {
  readonly #calls: SpliceCalls
  readonly #readEnd: number
  readonly #writeEnd: number
  readonly #sizeBytes: number
  #heldBytes = 0
  #isOpen = true

  /**
   * Null when the kernel refuses: no descriptor left, or no large pipe because this user has too much memory in pipes
   * (`fs.pipe-user-pages-soft`, 64 MiB). A small one would cost more than it saves.
   */
  static open(calls: SpliceCalls): Pipe | null {
    const pair = new Int32Array(2)
    if (calls.pipe2(pair, O_NONBLOCK | O_CLOEXEC) !== 0) return null
    const [readEnd = -1, writeEnd = -1] = pair
    const pipe = new Pipe(calls, readEnd, writeEnd, calls.fcntl(writeEnd, F_SETPIPE_SZ, PIPE_BYTES))
    if (pipe.#sizeBytes >= PIPE_BYTES) return pipe
    pipe.close()
    return null
  }

  private constructor(calls: SpliceCalls, readEnd: number, writeEnd: number, sizeBytes: number) {
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

const installed: SpliceSource = {
  platform: process.platform,
  arch: process.arch,
  loadFfi: () => loadFfi(),
}

const O_NONBLOCK = 0o4000
const F_SETPIPE_SZ = 1031
const SPLICE_F_MOVE = 1
const SPLICE_F_NONBLOCK = 2
const FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK

function bindCalls(ffi: Ffi): SpliceCalls {
  const c = ffi.load(null)
  return {
    splice: c.func(
      'long splice(int from, void *fromOffset, int to, void *toOffset, size_t length, unsigned int flags)',
    ),
    pipe2: c.func('int pipe2(void *pair, int flags)'),
    // Variadic: on arm64 Linux the third argument travels in a register either way.
    fcntl: c.func('int fcntl(int fd, int command, int value)'),
    read: c.func('long read(int fd, void *bytes, size_t length)'),
    close: c.func('int close(int fd)'),
    errno: () => ffi.errno(),
  }
}
