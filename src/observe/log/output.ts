// Where log lines go: a file descriptor, written from the thread pool in chunks. Whoever reads the log may be
// slow, stuck or gone; the proxy then loses lines and counts them, and never waits and never dies.
//
// pino's own destination is not used because a full pipe makes it sleep in the event loop for 100 ms at a time.

import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

export interface LogOutput {
  /** Takes a line with its line end. */
  write(line: string): void
  /** Writes what waits before it returns; gives up after a second. For the end of the process. */
  flush(): void
  /** Resolves when everything that waits was written, or cannot be, or after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>
  /** A thread of the pool waits for a reader that stands still, so that the process cannot end by itself. */
  readonly isStuck: boolean
}

export interface LogOutputOptions {
  readonly fd: number
  /** Other processes write there too: whole lines only, in pieces that a pipe does not mix with theirs. */
  readonly isShared?: boolean
  /** Bytes that may wait for a slow reader; beyond that lines are lost. */
  readonly maxWaitingBytes?: number
  /** Called at once when lines are lost: too many waited, or the system refused them. */
  readonly lost: (lines: number) => void
  /** Called when lines can be written again after a loss, with all that were lost since the last call. */
  readonly recovered: (lines: number, reason: string) => void
}

/** A line waits this long for company before it is written. */
const GATHER_MS = 50
const CHUNK = 16 * 1024
/** PIPE_BUF of Linux: up to this many bytes are written to a pipe at once or not at all. */
const ATOMIC_BYTES = 4096
/** After EAGAIN: the reader of a pipe is slow. */
const RETRY_MS = 20
/** After ENOSPC, EPIPE and the like. */
const REST_MS = 1000
const FLUSH_LIMIT_MS = 1000
const STUCK_MS = 900

export function createLogOutput(options: LogOutputOptions): LogOutput {
  const { isShared = false, maxWaitingBytes = 4 << 20 } = options
  const fd = withoutBlocking(options.fd)
  const chunk = isShared ? ATOMIC_BYTES : CHUNK
  let waiting = ''
  let waitingBytes = 0
  let waitingLines = 0
  /** `resting`: the last write failed, the next one waits for the timer. */
  let state: 'idle' | 'writing' | 'resting' = 'idle'
  let writingSince = 0
  let isInSystemCall = false
  let timer: NodeJS.Timeout | null = null
  let isTorn = false
  /** Lost, and not reported yet. */
  let unreported = { lines: 0, reason: '' }
  /** Reported by a line that waits, and by one that is on its way. */
  let telling: typeof unreported | null = null
  let carried: typeof unreported | null = null
  /** Why the last write failed; what waits is then tried in small pieces, and stays. */
  let failure: string | null = null
  let drained: (() => void)[] = []

  const takeLines = () => {
    const head = Buffer.from(waiting.slice(0, ATOMIC_BYTES))
    const end = head.lastIndexOf('\n', ATOMIC_BYTES - 1) + 1
    // A longer line than that goes alone, and is at the reader's mercy.
    const length = end > 0 ? head.toString('utf8', 0, end).length : waiting.indexOf('\n') + 1
    const text = waiting.slice(0, length)
    const lines = text.split('\n').length - 1
    waiting = waiting.slice(length)
    waitingLines -= lines
    waitingBytes -= Buffer.byteLength(text)
    const bytes = Buffer.from(isTorn ? `\n${text}` : text)
    isTorn = false
    return { bytes, lines }
  }
  const takeAll = () => {
    // After a chunk that was cut short, the next line must not be glued to the torn one.
    const bytes = Buffer.from(isTorn ? `\n${waiting}` : waiting)
    const lines = waitingLines
    waiting = ''
    waitingLines = 0
    waitingBytes = 0
    isTorn = false
    return { bytes, lines }
  }
  const lose = (lines: number, reason: string) => {
    unreported = { lines: unreported.lines + lines, reason }
    options.lost(lines)
  }
  /** The line that reports lost ones is lost itself, and no loss: it is written again. */
  const loseChunk = (lines: number, reason: string) => {
    const untold = carried
    carried = null
    if (untold !== null) unreported = { lines: unreported.lines + untold.lines, reason }
    const counted = untold === null ? lines : lines - 1
    if (counted > 0) lose(counted, reason)
  }
  const tell = () => {
    if (unreported.lines === 0) return
    const { lines, reason } = unreported
    unreported = { lines: 0, reason: '' }
    const before = waitingLines
    options.recovered(lines, reason)
    if (waitingLines > before) telling = { lines, reason }
    // There was no room for it.
    else if (unreported.lines > 0) unreported = { lines: unreported.lines + lines, reason }
  }
  const schedule = (delayMs: number) => {
    timer ??= setTimeout(begin, delayMs).unref()
  }
  const begin = () => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    state = 'idle'
    if (waiting === '') tell()
    if (waiting === '') return
    state = 'writing'
    writingSince = performance.now()
    const { bytes, lines } = isShared || failure !== null ? takeLines() : takeAll()
    carried = telling
    telling = null
    writeFrom(bytes, 0, lines)
  }
  const writeFrom = (bytes: Buffer, from: number, lines: number) => {
    isInSystemCall = true
    write(fd, bytes, from, bytes.length - from, null, (error, count) => {
      isInSystemCall = false
      if (error?.code === 'EAGAIN') {
        setTimeout(writeFrom, RETRY_MS, bytes, from, lines).unref()
      } else if (error !== null) {
        isTorn = from > 0
        failure = error.code ?? error.message
        loseChunk(lines, failure)
        end('resting')
      } else if (from + count < bytes.length) {
        writeFrom(bytes, from + count, lines)
      } else {
        carried = null
        failure = null
        end('idle')
      }
    })
  }
  const end = (next: 'idle' | 'resting') => {
    state = next
    if (next === 'resting') {
      schedule(REST_MS)
      resolveDrained()
      return
    }
    const hasMore = waiting.length >= chunk || (drained.length > 0 && waiting !== '')
    if (hasMore) begin()
    // What waited is on its way: the line that says what was lost finds room.
    tell()
    if (hasMore) return
    if (waiting !== '') schedule(GATHER_MS)
    resolveDrained()
  }
  const resolveDrained = () => {
    const resolvers = drained
    drained = []
    for (const resolve of resolvers) resolve()
  }

  return {
    write: (line) => {
      const bytes = Buffer.byteLength(line)
      if (waitingBytes + bytes > maxWaitingBytes) {
        lose(1, failure ?? 'slow reader')
        return
      }
      waiting += line
      waitingBytes += bytes
      waitingLines += 1
      if (state !== 'idle') return
      if (waiting.length >= chunk) begin()
      else schedule(GATHER_MS)
    },
    flush: () => {
      const isStuck = state === 'writing' && performance.now() - writingSince > FLUSH_LIMIT_MS
      if (isStuck) return
      tell()
      while (waiting !== '') {
        const { bytes, lines } = isShared ? takeLines() : takeAll()
        const problem = writeAllNow(fd, bytes)
        if (problem === null) continue
        lose(lines, problem)
        return
      }
    },
    get isStuck() {
      return isInSystemCall && performance.now() - writingSince > STUCK_MS
    },
    drain: (timeoutMs) => {
      if (state === 'idle') begin()
      if (state !== 'writing') return Promise.resolve()
      return new Promise((resolve) => {
        const limit = setTimeout(resolve, timeoutMs)
        drained.push(() => {
          clearTimeout(limit)
          resolve()
        })
      })
    },
  }
}

/**
 * The same pipe or terminal, opened once more so that no write waits for its reader: a thread that does would keep the
 * process from its end. The flag is of the new opening alone, others who write there keep theirs.
 *
 * Gives `fd` itself where that is not needed (a file), or not possible (a socket, a system without /proc).
 */
function withoutBlocking(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO() && !isatty(fd)) return fd
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return fd
  }
}

/** Null, or why not all was written. */
function writeAllNow(fd: number, bytes: Buffer): string | null {
  const limit = performance.now() + FLUSH_LIMIT_MS
  const pause = new Int32Array(new SharedArrayBuffer(4))
  let from = 0
  while (from < bytes.length) {
    try {
      from += writeSync(fd, bytes, from)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      if (code !== 'EAGAIN' || performance.now() > limit) return code
      Atomics.wait(pause, 0, 0, RETRY_MS)
    }
  }
  return null
}
