// Where log lines go: a file descriptor, written from the thread pool in chunks. Whoever reads the log may be
// slow, stuck or gone; the proxy then loses lines and counts them, and never waits and never dies.
//
// pino's own destination is not used because a full pipe makes it sleep in the event loop for 100 ms at a time.

import { write, writeSync } from 'node:fs'

export interface LogOutput {
  /** Takes a line with its line end. */
  write(line: string): void
  /** Writes what waits before it returns; gives up after a second. For the end of the process. */
  flush(): void
  /** Resolves when everything that waits was written, or cannot be, or after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>
}

export interface LogOutputOptions {
  readonly fd: number
  /** Other processes write there too: whole lines only, in pieces that a pipe does not mix with theirs. */
  readonly isShared?: boolean
  /** Characters that may wait for a slow reader; beyond that lines are lost. */
  readonly maxWaiting?: number
  /** Called at once when lines are lost: too many waited, or the system refused them. */
  readonly lost: (lines: number) => void
  /** Called when lines can be written again after a loss, with all that were lost since the last call. */
  readonly recovered: (lines: number, reason: string) => void
}

/** A line waits this long for company before it is written. */
const GATHER_MS = 50
const CHUNK = 16 * 1024
/** PIPE_BUF of Linux: so many bytes are written to a pipe at once or not at all. */
const ATOMIC_BYTES = 4096
/** After EAGAIN: the reader of a pipe is slow. */
const RETRY_MS = 20
/** After ENOSPC, EPIPE and the like. */
const REST_MS = 1000
const FLUSH_LIMIT_MS = 1000

export function createLogOutput(options: LogOutputOptions): LogOutput {
  const { fd, isShared = false, maxWaiting = 4 << 20 } = options
  const chunk = isShared ? ATOMIC_BYTES : CHUNK
  let waiting = ''
  let waitingLines = 0
  /** `resting`: the last write failed, the next one waits for the timer. */
  let state: 'idle' | 'writing' | 'resting' = 'idle'
  let writingSince = 0
  let timer: NodeJS.Timeout | null = null
  let isTorn = false
  let unreported = { lines: 0, reason: '' }
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
    isTorn = false
    return { bytes, lines }
  }
  const lose = (lines: number, reason: string) => {
    unreported = { lines: unreported.lines + lines, reason }
    options.lost(lines)
  }
  const schedule = (delayMs: number) => {
    timer ??= setTimeout(begin, delayMs).unref()
  }
  const begin = () => {
    if (timer !== null) clearTimeout(timer)
    timer = null
    state = 'idle'
    if (waiting === '') return
    state = 'writing'
    writingSince = performance.now()
    const { bytes, lines } = isShared ? takeLines() : takeAll()
    writeFrom(bytes, 0, lines)
  }
  const writeFrom = (bytes: Buffer, from: number, lines: number) => {
    write(fd, bytes, from, bytes.length - from, null, (error, count) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(writeFrom, RETRY_MS, bytes, from, lines).unref()
      } else if (error !== null) {
        isTorn = from > 0
        lose(lines, error.code ?? error.message)
        end('resting')
      } else if (from + count < bytes.length) {
        writeFrom(bytes, from + count, lines)
      } else {
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
    if (unreported.lines > 0) {
      const { lines, reason } = unreported
      unreported = { lines: 0, reason: '' }
      options.recovered(lines, reason)
    }
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
      if (waiting.length + line.length > maxWaiting) {
        lose(1, 'slow reader')
        return
      }
      waiting += line
      waitingLines += 1
      if (state !== 'idle') return
      if (waiting.length >= chunk) begin()
      else schedule(GATHER_MS)
    },
    flush: () => {
      const isStuck = state === 'writing' && performance.now() - writingSince > FLUSH_LIMIT_MS
      if (isStuck || waiting === '') return
      while (waiting !== '') {
        const { bytes, lines } = isShared ? takeLines() : takeAll()
        const failure = writeAllNow(fd, bytes)
        if (failure === null) continue
        lose(lines, failure)
        return
      }
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
