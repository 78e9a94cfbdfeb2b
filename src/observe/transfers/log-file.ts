// Appends lines to a file without ever making the event loop wait. The disk may be full, the folder missing, the file
// moved away: lines wait in memory, it is tried again every second, and what does not fit in memory is counted.

import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'

export interface LogFile {
  /** Takes a line with its line end. */
  write(line: string): void
  /** Goes on with whatever stands at the path now; before, what waits is written to it. */
  reopen(): void
  /** Writes what waits, for at most `timeoutMs`. The last call. */
  close(timeoutMs: number): Promise<void>
}

export interface LogFileOptions {
  readonly path: string
  /** Characters that may wait; beyond that lines are lost. */
  readonly maxWaiting?: number
  readonly retryMs?: number
  /** Called when it goes on with another file than before, and after each `reopen`. */
  readonly opened: () => void
  readonly written: (lines: number) => void
  readonly lost: (lines: number) => void
  /** Called at every failure; `working` is called when all that waited was written after one. */
  readonly failed: (error: NodeJS.ErrnoException) => void
  readonly working: () => void
}

/** A line waits this long for company before it is written. */
const GATHER_MS = 50
const RETRY_MS = 1000
/** Whether the file was moved or deleted is looked at no more often than this. */
const LOOK_MS = 1000
const MAX_WAITING = 1 << 20
/** Never waits for a reader where the path is a named pipe. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
/** Who transferred what is not for everybody. */
const FILE_MODE = 0o640
const LINE_END = 10

/** Lines on their way, and how much of them the file has. */
interface Chunk {
  readonly bytes: Buffer
  readonly lines: number
  offset: number
}

/** Which file it is, whatever its name. */
interface Identity {
  readonly dev: number
  readonly ino: number
}

/** Opens the file at once, so that a wrong path is noticed before the first line. */
export function openLogFile(options: LogFileOptions): LogFile {
  const file = new AppendedFile(options)
  file.wake(0)
  return file
}

class AppendedFile implements LogFile {
  readonly #options: LogFileOptions
  #waiting: string[] = []
  #waitingChars = 0
  #chunk: Chunk | null = null
  #handle: FileHandle | null = null
  #identity: Identity | null = null
  #lookedAtMs = 0
  #timer: NodeJS.Timeout | null = null
  #running: Promise<void> | null = null
  #mustReopen = false
  #isFailing = false
  #isClosed = false

  constructor(options: LogFileOptions) {
    this.#options = options
  }

  write(line: string): void {
    const { maxWaiting = MAX_WAITING, lost } = this.#options
    if (this.#isClosed || this.#waitingChars + line.length > maxWaiting) {
      lost(1)
      return
    }
    this.#waiting.push(line)
    this.#waitingChars += line.length
    if (!this.#isFailing) this.wake(GATHER_MS)
  }

  reopen(): void {
    this.#mustReopen = true
    this.#cancelTimer()
    this.wake(0)
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true
    this.#cancelTimer()
    await Promise.race([this.#finish(), expiry(timeoutMs)])
    const left = (this.#chunk?.lines ?? 0) + this.#waiting.length
    this.#waiting = []
    if (left > 0) this.#options.lost(left)
  }

  wake(delayMs: number): void {
    if (this.#running !== null || this.#timer !== null) return
    this.#timer = setTimeout(() => this.#start(), delayMs).unref()
  }

  async #finish(): Promise<void> {
    await this.#running
    if (this.#hasMore()) await this.#run()
    await this.#handle?.close().catch(() => undefined)
    this.#handle = null
  }

  #hasMore(): boolean {
    return this.#chunk !== null || this.#waiting.length > 0
  }

  #cancelTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #start(): void {
    this.#timer = null
    this.#running = this.#run().then(() => {
      this.#running = null
      if (this.#isClosed) return
      if (this.#isFailing) this.wake(this.#options.retryMs ?? RETRY_MS)
      else if (this.#hasMore() || this.#mustReopen) this.wake(GATHER_MS)
    })
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      let handle = await this.#current()
      while (this.#hasMore()) {
        await this.#writeChunk(handle)
        handle = await this.#current()
      }
      if (this.#isFailing) this.#options.working()
      this.#isFailing = false
    } catch (error) {
      this.#isFailing = true
      await this.#handle?.close().catch(() => undefined)
      this.#handle = null
      // Whatever is thrown here comes from the file system.
      this.#options.failed(error as NodeJS.ErrnoException)
    }
  }

  async #writeChunk(handle: FileHandle): Promise<void> {
    this.#chunk ??= this.#take()
    const chunk = this.#chunk
    while (chunk.offset < chunk.bytes.length) {
      const { bytesWritten } = await handle.write(chunk.bytes, chunk.offset)
      chunk.offset += bytesWritten
    }
    this.#chunk = null
    this.#options.written(chunk.lines)
  }

  #take(): Chunk {
    const chunk = { bytes: Buffer.from(this.#waiting.join('')), lines: this.#waiting.length, offset: 0 }
    this.#waiting = []
    this.#waitingChars = 0
    return chunk
  }

  /** The file that stands at the path now, opened. */
  async #current(): Promise<FileHandle> {
    const { path, opened } = this.#options
    if (this.#handle !== null && !this.#mustReopen && !(await this.#wasMoved())) return this.#handle
    await this.#handle?.close().catch(() => undefined)
    this.#handle = null
    const handle = await open(path, FLAGS, FILE_MODE)
    const wasAsked = this.#mustReopen
    this.#mustReopen = false
    this.#handle = handle
    this.#lookedAtMs = performance.now()
    const { dev, ino } = await handle.stat()
    const isOther = this.#identity?.dev !== dev || this.#identity.ino !== ino
    this.#identity = { dev, ino }
    // A line that was cut short stays in the old file; the new one has it whole.
    if (isOther && this.#chunk !== null) this.#chunk.offset = startOfLine(this.#chunk)
    if (isOther || wasAsked) opened()
    return handle
  }

  async #wasMoved(): Promise<boolean> {
    const nowMs = performance.now()
    if (nowMs - this.#lookedAtMs < LOOK_MS) return false
    this.#lookedAtMs = nowMs
    const found = await stat(this.#options.path).catch(() => null)
    return found === null || found.dev !== this.#identity?.dev || found.ino !== this.#identity.ino
  }
}

function startOfLine({ bytes, offset }: Chunk): number {
  return offset === 0 ? 0 : bytes.lastIndexOf(LINE_END, offset - 1) + 1
}

function expiry(timeoutMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeoutMs).unref())
}
